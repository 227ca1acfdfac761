"""The panels of a ticket's page beside its form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from agent_desktop.page import Page
from ticketing import attachments, dispatch, duties, tickets, ties
from ticketing import warranty as warranties
from ticketing.kinds import Form
from ticketing.rows import Ticket

SUGGESTED = 6


def stations(page: Page, db: Session, ticket: Ticket, form: Form, at: datetime) -> dict[str, Any]:
    """What the ticket's page shows of stations; nothing for a kind that sends none."""
    if not form.dispatch:
        return {"dispatches": None}
    sent = dispatch.of_ticket(db, ticket)
    open_ = ticket.state in tickets.UNDONE
    free = open_ and not any(one.state in dispatch.LIVE and one.state != dispatch.Sent.SENT for one in sent)
    if form.dispatch == "one" and any(one.state in dispatch.LIVE for one in sent):
        free = False
    town, suggestions = dispatch.suggested(db, ticket, at, page.settings.centre.zone, SUGGESTED) if free else ("", [])
    today = page.settings.centre.day(at)
    return {
        "dispatches": sent,
        "suggestions": suggestions,
        "town": town,
        "warranty": warranties.warranty(ticket.engine, today, warranties.rules(db)) if ticket.engine else None,
    }


def team(page: Page, db: Session, ticket: Ticket) -> dict[str, Any]:
    """What was promised, who watches, and what belongs to it."""
    watching = ties.watchers(db, ticket)
    return {
        "duties": duties.of_ticket(db, ticket.id),
        "watchers": watching,
        "watching": page.user.login in watching,
        "linked": ties.linked(db, ticket),
        "files": attachments.of_ticket(db, ticket),
        "shown_types": attachments.SHOWN,
    }
