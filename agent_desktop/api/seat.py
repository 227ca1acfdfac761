"""The agent's own place over the API: status, wrap-up, figures, whom he may hand on to; help asked and given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop import line, seat
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.control import Wish, wish
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.calls import load_call
from agent_desktop.desktop import Desktop, DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.events import Event
from callcenter.nudges import HelpChanged
from config.people import User
from cti import helping
from ticketing import tickets

router = APIRouter(prefix="/v1", tags=["the agent's place"])


class Seat(Shape):
    extension: str
    status: str
    reason: str
    state: str
    since: datetime | None
    call_id: str | None
    queue: str
    wrap_up_until: datetime | None
    reachable: bool


class Status(Sent):
    status: Literal["available", "on_break", "offline"]
    reason: str = Field("", max_length=40, description="Of a break: short, lunch, training, meeting.")


class Own(BaseModel):
    name: str
    title: str
    value: float | None
    unit: str
    formula: str


class Day(BaseModel):
    tickets: int = Field(description="Opened today.")
    figures: list[Own]


class Waiting(Shape):
    queue: str
    title: str
    target_s: int
    waiting: int
    since: datetime | None


class Target(Shape):
    kind: str = Field(description="agent, queue, number")
    to: str
    title: str
    state: str
    status: str
    free: bool
    waiting: int
    ready: int


class Asks(Sent):
    note: str = Field("", max_length=500)
    ticket_id: Reference | None = None


class Help(Shape):
    id: int
    at: datetime
    call_id: str
    extension: str
    by: str
    note: str
    ticket_id: int | None
    taken_by: str
    ended_at: datetime | None


class Hear(Sent):
    mode: Literal["listen", "whisper", "join"]


@router.get("/seat", dependencies=[right("desk")], summary="Where one stands")
def read_seat(desktop: DesktopHere, db: Reading, user: TokenUser) -> Seat:
    return _seat(desktop, db, user)


def _seat(desktop: Desktop, db: Session, user: User) -> Seat:
    return Seat.model_validate(seat.seat_of(db, user, desktop.settings, user.language))


def _chosen(once: Once, user: User, step: Callable[[Session], Sequence[Event]]) -> Seat:
    nudges: list[Event] = []

    def chosen(db: Session) -> Seat:
        nudges.extend(step(db))
        return _seat(once.desktop, db, user)

    return once.do(chosen, nudges)


@router.post("/seat/status", dependencies=[right("desk")], summary="Available, on a break, or offline")
def choose_status(once: OnceHere, user: TokenUser, sent: Status) -> Seat:
    return _chosen(once, user, lambda db: seat.choose(db, user, sent.status, sent.reason, now()))


@router.post("/seat/wrap-up/finish", dependencies=[right("desk")], summary="Wrap-up is done")
def finish_wrap_up(once: OnceHere, user: TokenUser) -> Seat:
    return _chosen(once, user, lambda db: seat.finish_wrap_up(db, user, now()))


@router.post("/seat/wrap-up/more", dependencies=[right("desk")], summary="One more minute of wrap-up")
def more_wrap_up(once: OnceHere, user: TokenUser) -> Seat:
    return _chosen(once, user, lambda db: seat.more_wrap_up(db, user, now()))


@router.get("/seat/day", dependencies=[right("desk")], summary="One's own figures of today")
def read_day(desktop: DesktopHere, db: Reading, user: TokenUser) -> Day:
    """By the same definitions as the supervisor's."""
    told = seat.own_day(db, user, now(), desktop.settings.centre.zone)
    figures = [
        Own(
            name=one.name,
            title=one.title(user.language),
            value=one.value,
            unit=one.unit,
            formula=one.formula_zh if user.language == "zh" else one.formula_en,
        )
        for one in told.figures
    ]
    return Day(tickets=told.tickets, figures=figures)


@router.get("/seat/queues", dependencies=[right("desk")], summary="One's own queues and who waits in them")
def list_waiting(
    request: Request, db: Reading, user: TokenUser, before: Before = "", limit: Limit = 50
) -> Listed[Waiting]:
    found = seat.waiting(db, user.extension or "", user.language)
    return cut(request, Waiting, found, before, limit, lambda one: one.queue)


@router.get("/targets", dependencies=[right("desk")], summary="Whom a call can be handed to, by these words")
def list_targets(
    request: Request,
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    q: Annotated[str, Query(max_length=60)] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Target]:
    found = line.goals(db, desktop.settings, user, q, user.language)
    return cut(request, Target, found, before, limit, lambda one: f"{one.kind}:{one.to}")


# --- help ---------------------------------------------------------------------------------------------------------


@router.post("/calls/{call_id}/help", dependencies=[right("desk")], status_code=201, summary="Ask who leads for help")
def ask_help(once: OnceHere, user: TokenUser, call_id: str, sent: Asks) -> Help:
    """Asking again changes the note."""
    nudges: list[Event] = []

    def asked(db: Session) -> Help:
        call = load_call(db, call_id, user)
        if sent.ticket_id is not None:
            tickets.load_ticket(db, sent.ticket_id, user)
        row = helping.ask(db, call.call_id, user, now(), sent.note, sent.ticket_id)
        nudges.append(HelpChanged(agent=row.extension, call_id=row.call_id, open=True))
        return Help.model_validate(row)

    return once.do(asked, nudges)


@router.post("/help/{request_id}/end", dependencies=[right("desk")], summary="Taken back, or settled")
def end_help(once: OnceHere, user: TokenUser, request_id: Id) -> Help:
    nudges: list[Event] = []

    def ended(db: Session) -> Help:
        row = helping.end(db, request_id, user, now())
        nudges.append(HelpChanged(agent=row.extension, call_id=row.call_id, open=False))
        return Help.model_validate(row)

    return once.do(ended, nudges)


@router.get("/help", dependencies=[right("agents")], summary="Who waits for help")
def list_help(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Help]:
    found = [row for row, _call in helping.open_requests(db)]
    return cut(request, Help, found, before, limit, lambda one: one.id)


@router.post(
    "/agents/{extension}/hear",
    dependencies=[right("agents", writes=True)],
    status_code=202,
    summary="Listen to an agent's call, whisper to him, or join",
)
def hear(desktop: DesktopHere, once: OnceHere, user: TokenUser, extension: str, sent: Hear) -> Wish:
    told = [HelpChanged(agent=extension[:10], call_id="", open=True)]
    return wish(once, lambda db: helping.hear(db, desktop.settings, extension, sent.mode, user, now()), told)
