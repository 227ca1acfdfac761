"""Tickets, over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from agent_desktop import calls
from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.shapes import Limit, Listed
from agent_desktop.desktop import LARGEST_ID, Desktop, DesktopHere, Id, Reading
from callcenter.database import now
from config.people import User
from ticketing import tickets
from ticketing.rows import Ticket

router = APIRouter(prefix="/v1", tags=["tickets"])


@router.get("/tickets", dependencies=[right("tickets")], summary="List tickets, newest first")
def list_tickets(
    db: Reading,
    user: TokenUser,
    state: Annotated[list[str], Query(max_length=5)] = [],  # noqa: B006 - FastAPI copies it
    kind: Annotated[str, Query(max_length=12)] = "",
    owner: Annotated[str, Query(max_length=40)] = "",
    late: bool = False,
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
    limit: Limit = 50,
) -> Listed[shapes.Ticket]:
    found = tickets.listed(
        db,
        user,
        states=state,
        kind=kind,
        owner=owner,
        late_at=now() if late else None,
        below_id=before,
        limit=limit + 1,
    )
    return Listed(
        items=[shapes.Ticket.model_validate(ticket) for ticket in found[:limit]],
        next=str(found[limit - 1].id) if len(found) > limit else None,
    )


@router.get("/tickets/{ticket_id}", dependencies=[right("tickets")], summary="One ticket with what was done to it")
def read_ticket(db: Reading, user: TokenUser, ticket_id: Id) -> shapes.WholeTicket:
    return shapes.WholeTicket.model_validate(tickets.load_ticket(db, ticket_id, user))


@router.post("/tickets", dependencies=[right("tickets.write")], status_code=201, summary="Open a ticket")
def open_ticket(desktop: DesktopHere, user: TokenUser, sent: shapes.NewTicket) -> shapes.WholeTicket:
    def opened(db: Session) -> Ticket:
        if sent.call_id is not None:
            calls.load_call(db, sent.call_id, user)
        return tickets.open_ticket(
            db,
            sent.kind,
            subject=sent.subject,
            by=user.login,
            now=now(),
            customer_id=sent.customer_id,
            engine_id=sent.engine_id,
            call_id=sent.call_id,
            station_id=sent.station_id,
            fields=sent.fields,
            notes=sent.notes,
            urgent=sent.urgent,
            owner=sent.owner,
            due_at=aware(sent.due_at),
            zone=desktop.settings.centre.zone,
        )

    return _stepped(desktop, user, opened)


@router.patch("/tickets/{ticket_id}", dependencies=[right("tickets.write")], summary="Change an open ticket")
def change_ticket(
    desktop: DesktopHere, user: TokenUser, ticket_id: Id, sent: shapes.ChangedTicket
) -> shapes.WholeTicket:
    changes = sent.model_dump(exclude_unset=True, exclude={"version"})

    def changed(db: Session) -> Ticket:
        aware(sent.due_at)
        if sent.call_id is not None:
            calls.load_call(db, sent.call_id, user)
        ticket = tickets.load_ticket(db, ticket_id, user)
        return tickets.change(db, ticket, version=sent.version, by=user.login, now=now(), **changes)

    return _stepped(desktop, user, changed)


@router.post("/tickets/{ticket_id}/notes", dependencies=[right("tickets.write")], summary="Add words to a ticket")
def note_ticket(desktop: DesktopHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def noted(db: Session) -> Ticket:
        return tickets.note(db, tickets.load_ticket(db, ticket_id, user), sent.text, by=user.login, now=now())

    return _stepped(desktop, user, noted)


@router.post("/tickets/{ticket_id}/close", dependencies=[right("tickets.write")], summary="Close a ticket")
def close_ticket(desktop: DesktopHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def closed(db: Session) -> Ticket:
        return tickets.close(db, tickets.load_ticket(db, ticket_id, user), by=user.login, now=now(), text=sent.text)

    return _stepped(desktop, user, closed)


@router.post("/tickets/{ticket_id}/reopen", dependencies=[right("tickets.write")], summary="Open a closed ticket again")
def reopen_ticket(desktop: DesktopHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def reopened(db: Session) -> Ticket:
        return tickets.reopen(db, tickets.load_ticket(db, ticket_id, user), by=user.login, now=now(), text=sent.text)

    return _stepped(desktop, user, reopened)


def _stepped(desktop: Desktop, user: User, step: Callable[[Session], Ticket]) -> shapes.WholeTicket:
    """Take the step, commit, tell the desks, and answer with the whole ticket as it is now."""
    with desktop.database.write() as db:
        ticket = step(db)
        whole = shapes.WholeTicket.model_validate(tickets.load_ticket(db, ticket.id, user))
        told = tickets.nudge(ticket)
    desktop.bus.publish(told)
    return whole
