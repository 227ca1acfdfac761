"""Tickets, over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from agent_desktop import calls
from agent_desktop.api import shapes, versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, number, page
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.events import Event
from config.people import User
from ticketing import tickets
from ticketing.rows import Ticket

router = APIRouter(prefix="/v1", tags=["tickets"])


@router.get("/tickets", dependencies=[right("tickets")], summary="List tickets, newest first")
def list_tickets(
    request: Request,
    db: Reading,
    user: TokenUser,
    state: Annotated[list[str], Query(max_length=5)] = [],  # noqa: B006 - FastAPI copies it
    kind: Annotated[str, Query(max_length=12)] = "",
    owner: Annotated[str, Query(max_length=40)] = "",
    late: bool = False,
    before: Before = "",
    limit: Limit = 50,
) -> Listed[shapes.Ticket]:
    found = tickets.listed(
        db,
        user,
        states=state,
        kind=kind,
        owner=owner,
        late_at=now() if late else None,
        below_id=number(before),
        limit=limit + 1,
    )
    return page(request, shapes.Ticket, found, limit, lambda ticket: ticket.id)


@router.get("/tickets/{ticket_id}", dependencies=[right("tickets")], summary="One ticket with what was done to it")
def read_ticket(db: Reading, user: TokenUser, response: Response, ticket_id: Id) -> shapes.WholeTicket:
    ticket = tickets.load_ticket(db, ticket_id, user)
    versions.tag(response, ticket.version)
    return shapes.WholeTicket.model_validate(ticket)


@router.post("/tickets", dependencies=[right("tickets.write")], status_code=201, summary="Open a ticket")
def open_ticket(desktop: DesktopHere, once: OnceHere, user: TokenUser, sent: shapes.NewTicket) -> shapes.WholeTicket:
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

    return stepped(once, user, opened)


@router.patch("/tickets/{ticket_id}", dependencies=[right("tickets.write")], summary="Change an open ticket")
def change_ticket(
    desktop: DesktopHere,
    user: TokenUser,
    response: Response,
    ticket_id: Id,
    sent: shapes.ChangedTicket,
    if_match: IfMatch = "",
) -> shapes.WholeTicket:
    changes = sent.model_dump(exclude_unset=True, exclude={"version"})
    version = versions.looked_at(if_match) if sent.version is None else sent.version
    if version is None:
        raise BadInput("version")
    zone = desktop.settings.centre.zone

    def changed(db: Session) -> Ticket:
        aware(sent.due_at)
        if sent.call_id is not None:
            calls.load_call(db, sent.call_id, user)
        ticket = tickets.load_ticket(db, ticket_id, user)
        return tickets.change(db, ticket, version=version, by=user.login, now=now(), zone=zone, **changes)

    whole = stepped(Once(desktop, 0, "", "", 200), user, changed)
    versions.tag(response, whole.version)
    return whole


@router.post("/tickets/{ticket_id}/stage", dependencies=[right("tickets.write")], summary="On to another stage")
def move_ticket(once: OnceHere, user: TokenUser, ticket_id: Id, sent: shapes.NewStage) -> shapes.WholeTicket:
    def moved(db: Session) -> Ticket:
        ticket, zone = tickets.load_ticket(db, ticket_id, user), once.desktop.settings.centre.zone
        return tickets.move(db, ticket, sent.stage, by=user.login, now=now(), zone=zone, text=sent.text)

    return stepped(once, user, moved)


@router.post("/tickets/{ticket_id}/notes", dependencies=[right("tickets.write")], summary="Add words to a ticket")
def note_ticket(once: OnceHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def noted(db: Session) -> Ticket:
        return tickets.note(db, tickets.load_ticket(db, ticket_id, user), sent.text, by=user.login, now=now())

    return stepped(once, user, noted)


@router.post("/tickets/{ticket_id}/close", dependencies=[right("tickets.write")], summary="Close a ticket")
def close_ticket(once: OnceHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def closed(db: Session) -> Ticket:
        ticket, zone = tickets.load_ticket(db, ticket_id, user), once.desktop.settings.centre.zone
        return tickets.close(db, ticket, by=user.login, now=now(), text=sent.text, zone=zone)

    return stepped(once, user, closed)


@router.post("/tickets/{ticket_id}/reopen", dependencies=[right("tickets.write")], summary="Open a closed ticket again")
def reopen_ticket(once: OnceHere, user: TokenUser, ticket_id: Id, sent: shapes.Words) -> shapes.WholeTicket:
    def reopened(db: Session) -> Ticket:
        ticket, zone = tickets.load_ticket(db, ticket_id, user), once.desktop.settings.centre.zone
        return tickets.reopen(db, ticket, by=user.login, now=now(), text=sent.text, zone=zone)

    return stepped(once, user, reopened)


def stepped(once: Once, user: User, step: Callable[[Session], Ticket]) -> shapes.WholeTicket:
    """Take the step, commit, tell the desks, and answer with the whole ticket as it is now."""
    nudges: list[Event] = []

    def taken(db: Session) -> shapes.WholeTicket:
        ticket = step(db)
        nudges.append(tickets.nudge(ticket))
        return shapes.WholeTicket.model_validate(tickets.load_ticket(db, ticket.id, user))

    return once.do(taken, nudges)
