"""Tickets: the list, one ticket, and the steps it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput
from config.people import User
from ticketing import tickets
from ticketing.kinds import Fault, TicketIncomplete, form_of
from ticketing.rows import Ticket, TicketKind, TicketState
from ticketing.tickets import StaleTicket

AT_ONCE = 50
OPEN = (TicketState.OPEN.value, TicketState.WAITING.value)

router = APIRouter()


def readable_ticket(page: PageHere, db: Reading, ticket_id: Id) -> Ticket:
    return tickets.load_ticket(db, ticket_id, page.user)


TicketHere = Annotated[Ticket, Depends(readable_ticket)]


@router.get("/tickets", dependencies=[allow("tickets")])
def list_tickets(
    page: PageHere,
    db: Reading,
    state: Annotated[str, Query(max_length=10)] = "undone",
    kind: Annotated[str, Query(max_length=12)] = "",
    owner: Annotated[str, Query(max_length=40)] = "",
    late: bool = False,
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """``state`` is one state, or undone (open and waiting), or all."""
    states = {"undone": OPEN, "all": ()}.get(state, (state,))
    found = tickets.listed(
        db,
        page.user,
        states=states,
        kind=kind,
        owner=owner,
        late_at=now() if late else None,
        below_id=before,
        limit=AT_ONCE + 1,
    )
    rows, more = found[:AT_ONCE], len(found) > AT_ONCE
    return page.render(
        "tickets.html",
        rows=rows,
        next=rows[-1].id if more else "",
        asked={"state": state, "kind": kind, "owner": owner, "late": "true" if late else ""},
        kinds=TicketKind,
    )


@router.get("/tickets/{ticket_id}", dependencies=[allow("tickets")])
def show_ticket(page: PageHere, db: Reading, ticket: TicketHere) -> HTMLResponse:
    return _show(page, db, ticket)


def _show(
    page: Page,
    db: Session,
    ticket: Ticket,
    *,
    status: int = 200,
    faults: dict[str, Fault] | None = None,
    typed: Mapping[str, str] | None = None,
    why: str = "",
) -> HTMLResponse:
    """``typed`` is a form that was refused: it is shown again as it was sent, with the faults beside its fields."""
    names = {user.login: user.name for user in db.scalars(select(User).order_by(User.login))}
    return page.render(
        "ticket.html",
        status=status,
        ticket=ticket,
        form=form_of(ticket.kind),
        names=names,
        people=list(names.items()),
        shown=_shown(ticket, page.settings.centre.zone, typed or {}),
        note=(typed or {}).get("text", ""),
        why=why,
        faults={name: fault.text(page.language) for name, fault in (faults or {}).items()},
        undone=ticket.state in OPEN,
    )


@router.post("/tickets/{ticket_id}", dependencies=[allow("tickets.write")])
def change_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    """The whole form of an open ticket; ``version`` is what the changer was looking at."""
    due = sent.get("due_at", "")
    return _step(
        page,
        ticket_id,
        sent,
        lambda db, ticket: tickets.change(
            db,
            ticket,
            version=_version(sent),
            by=page.user.login,
            now=now(),
            subject=sent.get("subject", ""),
            state=sent.get("state", TicketState.OPEN.value),
            owner=sent.get("owner", "")[:40],
            urgent="urgent" in sent,
            due_at=_local(due, page) if due else None,
            fields={name.removeprefix("field."): text for name, text in sent.items() if name.startswith("field.")},
        ),
    )


@router.post("/tickets/{ticket_id}/note", dependencies=[allow("tickets.write")])
def note_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    words = sent.get("text", "")
    return _step(
        page, ticket_id, sent, lambda db, ticket: tickets.note(db, ticket, words, by=page.user.login, now=now())
    )


@router.post("/tickets/{ticket_id}/close", dependencies=[allow("tickets.write")])
def close_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    words = sent.get("text", "")
    return _step(
        page, ticket_id, sent, lambda db, ticket: tickets.close(db, ticket, by=page.user.login, now=now(), text=words)
    )


@router.post("/tickets/{ticket_id}/reopen", dependencies=[allow("tickets.write")])
def reopen_ticket(page: PageHere, ticket_id: Id, sent: SentForm) -> Response:
    words = sent.get("text", "")
    return _step(
        page, ticket_id, sent, lambda db, ticket: tickets.reopen(db, ticket, by=page.user.login, now=now(), text=words)
    )


def _shown(ticket: Ticket, zone: ZoneInfo, typed: Mapping[str, str]) -> dict[str, Any]:
    """What the form's fields hold: the ticket's, or what was typed over it and not saved."""
    held: dict[str, Any] = {
        "subject": ticket.subject,
        "state": ticket.state,
        "owner": ticket.owner,
        "due_at": ticket.due_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if ticket.due_at else "",
        "urgent": ticket.urgent,
        "fields": ticket.fields,
    }
    if "subject" not in typed:  # a note was refused, or nothing
        return held
    answers = {name.removeprefix("field."): text for name, text in typed.items() if name.startswith("field.")}
    return (
        held
        | {name: typed.get(name, "") for name in ("subject", "state", "owner", "due_at", "urgent")}
        | {"fields": answers}
    )


def _step(page: Page, ticket_id: Id, typed: Mapping[str, str], step: Callable[[Session, Ticket], Ticket]) -> Response:
    """Take the step and show the ticket; what is refused is shown again as typed, with why beside its fields."""
    try:
        with page.database.write() as db:
            ticket = step(db, tickets.load_ticket(db, ticket_id, page.user))
    except (TicketIncomplete, StaleTicket) as fault:
        with page.database.read() as db:
            ticket = tickets.load_ticket(db, ticket_id, page.user)
            why = page._(fault.sentence)
            return _show(page, db, ticket, status=fault.status, faults=fault.faults, typed=typed, why=why)
    page.bus.publish(tickets.nudge(ticket))
    return RedirectResponse(f"/tickets/{ticket_id}", status_code=303)


def _version(sent: dict[str, str]) -> int:
    text = sent.get("version", "")
    if not text.isdecimal() or len(text) > 9:
        raise BadInput("version %(text)s", text=repr(text[:20]))
    return int(text)


def _local(text: str, page: Page) -> datetime:
    """A time as the browser's field writes it, meant where the centre is."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=page.settings.centre.zone)
    except ValueError:
        raise BadInput(text[:40]) from None
