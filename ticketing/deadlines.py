"""By when a ticket is answered and solved: told from its entries and the rule of its kind, never counted along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from config import calendar
from ticketing import catalogue, clocks
from ticketing.clocks import Clock
from ticketing.rows import Ticket, TicketEntry, TicketState


def of(db: Session, ticket: Ticket, now: datetime, zone: tzinfo) -> Clock:
    """The clock as it stands, told from the ticket's entries."""
    rule = catalogue.current(db).form(ticket.kind).rule(ticket.urgent)
    return clocks.read(ticket.entries, rule, calendar.load(db, rule.calendar, zone), now)


def tell_anew(db: Session, zone: tzinfo, now: datetime) -> int:
    """After a rule or a calendar changed: what every open ticket promises now. How many promise something else."""
    changed = 0
    rows = select(Ticket).where(Ticket.state != TicketState.CLOSED.value).options(selectinload(Ticket.entries))
    for ticket in db.scalars(rows):
        now_told = told(db, ticket, ticket.entries, now, zone)
        if any(getattr(ticket, name) != value for name, value in now_told.items()):
            db.execute(update(Ticket).where(Ticket.id == ticket.id).values(**now_told))
            changed += 1
    return changed


def told(
    db: Session, ticket: Ticket, entries: Sequence[TicketEntry], now: datetime, zone: tzinfo, urgent: bool | None = None
) -> dict[str, Any]:
    """The columns of a ticket that its entries and the rule of its kind say."""
    form = catalogue.current(db).form(ticket.kind)
    rule = form.rule(ticket.urgent if urgent is None else urgent)
    clock = clocks.read(entries, rule, calendar.load(db, rule.calendar, zone), now)
    resting = clock.paused_at is not None and clock.left is not None
    return {
        "due_at": clock.due,
        "response_due_at": clock.response_due,
        "responded_at": clock.responded_at,
        "solved_at": clock.solved_at,
        "left_s": int(clock.left.total_seconds()) if resting and clock.left is not None else None,
    }
