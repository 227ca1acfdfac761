"""Who watches a ticket, which belong together, and into whose hands one goes, over the API."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.api.tickets import stepped
from agent_desktop.desktop import Id, Reading
from callcenter.database import now
from ticketing import tickets, ties
from ticketing.rows import Ticket

router = APIRouter(prefix="/v1/tickets/{ticket_id}", tags=["tickets"])


class Watching(BaseModel):
    watchers: list[str] = Field(description="Their logins.")


class Watched(Sent):
    on: bool = True


class Tie(Shape):
    id: int
    kind: str
    ticket_id: int
    number: str


class NewTie(Sent):
    number: str = Field(max_length=30, description="Of the other ticket, such as R261122-0003.")
    kind: Literal["related", "duplicate", "follows"] = "related"


class HandOver(Sent):
    owner: str = Field(min_length=1, max_length=40, description="A colleague's login.")
    text: str = Field("", max_length=20_000)


@router.get("/watchers", dependencies=[right("tickets")], summary="Who watches it")
def read_watchers(db: Reading, user: TokenUser, ticket_id: Id) -> Watching:
    return Watching(watchers=list(ties.watchers(db, tickets.load_ticket(db, ticket_id, user))))


@router.post("/watch", dependencies=[right("tickets", writes=True)], summary="Watch it, or no longer")
def watch(once: OnceHere, user: TokenUser, ticket_id: Id, sent: Watched) -> Watching:
    def watched(db: Session) -> Watching:
        ticket = tickets.load_ticket(db, ticket_id, user)
        ties.watch(db, ticket, user.login, sent.on, now())
        return Watching(watchers=list(ties.watchers(db, ticket)))

    return once.do(watched)


@router.get("/links", dependencies=[right("tickets")], summary="The tickets tied to it")
def list_links(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Tie]:
    return cut(request, Tie, _ties(db, tickets.load_ticket(db, ticket_id, user)), before, limit, lambda one: one.id)


def _ties(db: Session, ticket: Ticket) -> list[Tie]:
    return [
        Tie(id=tie_id, kind=kind, ticket_id=other.id, number=other.number)
        for other, kind, tie_id in ties.linked(db, ticket)
    ]


@router.post("/links", dependencies=[right("tickets.write")], status_code=201, summary="Tie it to another")
def link(once: OnceHere, user: TokenUser, ticket_id: Id, sent: NewTie) -> Tie:
    def linked(db: Session) -> Tie:
        ticket = tickets.load_ticket(db, ticket_id, user)
        made = ties.link(db, ticket, sent.number, sent.kind, user=user, now=now())
        return next(one for one in _ties(db, ticket) if one.id == made.id)

    return once.do(linked)


@router.post("/links/{link_id}/end", dependencies=[right("tickets.write")], summary="Untie it")
def unlink(once: OnceHere, user: TokenUser, ticket_id: Id, link_id: Id) -> shapes.WholeTicket:
    def unlinked(db: Session) -> Ticket:
        ticket = tickets.load_ticket(db, ticket_id, user)
        ties.unlink(db, ticket, link_id, by=user.login, now=now())
        return ticket

    return stepped(once, user, unlinked)


@router.post("/hand-over", dependencies=[right("tickets.write")], summary="Into a colleague's hands, with words")
def hand_over(once: OnceHere, user: TokenUser, ticket_id: Id, sent: HandOver) -> shapes.WholeTicket:
    def handed_over(db: Session) -> Ticket:
        ticket, zone = tickets.load_ticket(db, ticket_id, user), once.desktop.settings.centre.zone
        return tickets.hand_over(db, ticket, sent.owner, sent.text, by=user.login, now=now(), zone=zone)

    return stepped(once, user, handed_over)
