"""Promises to customers, one's diary and the team's calendar, over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import Id, Reading
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.events import Event
from callcenter.nudges import TicketChanged
from ticketing import duties, tickets

router = APIRouter(prefix="/v1", tags=["promises and diary"])

LONGEST = timedelta(days=93)


class NewPromise(Sent):
    kind: Literal["promise", "task"] = "promise"
    text: str = Field(min_length=1, max_length=200)
    due_at: datetime
    owner: str = Field("", max_length=40)
    station_id: Reference | None = None


class NewTask(Sent):
    text: str = Field(min_length=1, max_length=200)
    due_at: datetime
    owner: str = Field("", max_length=40, description="Whose diary; another's only for those who lead.")
    begins_at: datetime | None = Field(None, description="Of an appointment.")
    important: bool = False
    urgent: bool = False
    shared: bool = Field(True, description="The team sees it in the calendar.")


class Quadrant(Sent):
    important: bool
    urgent: bool


class Duty(Shape):
    id: int
    kind: str
    text: str
    owner: str
    state: str = Field(description="open, kept, broken, dropped")
    due_at: datetime
    begins_at: datetime | None
    important: bool
    urgent: bool
    shared: bool
    ticket_id: int | None
    customer_id: int | None
    station_id: int | None
    call_id: str | None
    done_at: datetime | None
    done_by: str


class Line(Shape):
    important: bool
    urgent: bool
    due_at: datetime | None
    text: str
    late: bool
    duty_id: int | None
    ticket_id: int | None


@router.get("/tickets/{ticket_id}/promises", dependencies=[right("tickets")], summary="What was promised")
def list_promises(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Duty]:
    found = duties.of_ticket(db, tickets.load_ticket(db, ticket_id, user).id)
    return cut(request, Duty, found, before, limit, lambda one: one.id)


def _told(once: Once, step: Callable[[Session], duties.Duty]) -> Duty:
    nudges: list[Event] = []

    def stepped(db: Session) -> Duty:
        duty = step(db)
        nudges.append(TicketChanged(ticket_id=duty.ticket_id or 0, call_id=duty.call_id))
        return Duty.model_validate(duty)

    return once.do(stepped, nudges)


@router.post(
    "/tickets/{ticket_id}/promises",
    dependencies=[right("tickets.write")],
    status_code=201,
    summary="Promise something by a time",
)
def promise(once: OnceHere, user: TokenUser, ticket_id: Id, sent: NewPromise) -> Duty:
    aware(sent.due_at)
    values = sent.model_dump() | {"owner": sent.owner or user.login}

    def promised(db: Session) -> duties.Duty:
        ticket = tickets.load_ticket(db, ticket_id, user)
        return duties.add(db, **values, by=user.login, now=now(), ticket=ticket, important=True)

    return _told(once, promised)


@router.get("/diary", dependencies=[right("tickets.write")], summary="What there is to do, in four quadrants")
def read_diary(
    request: Request,
    db: Reading,
    user: TokenUser,
    who: Annotated[str, Query(max_length=40, description="Another's, for those who lead.")] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Line]:
    login = duties.diary_of(user, who)
    mine = tickets.listed(db, user, states=tickets.UNDONE, owner=login, limit=200)
    found = [
        Line(
            important=important,
            urgent=urgent,
            due_at=item.due_at,
            text=item.text,
            late=item.late,
            duty_id=item.duty.id if item.duty else None,
            ticket_id=item.ticket.id if item.ticket else None,
        )
        for (important, urgent), items in duties.quadrants(duties.of_owner(db, login), mine, now()).items()
        for item in items
    ]
    return cut(request, Line, found, before, limit, lambda one: f"{one.duty_id or 0}:{one.ticket_id or 0}")


@router.get("/duties", dependencies=[right("tickets.write")], summary="The team's calendar: duties of a time")
def list_duties(
    request: Request,
    db: Reading,
    user: TokenUser,
    start: Annotated[datetime, Query(alias="from")],
    end: Annotated[datetime, Query(alias="to", description="93 days later at most.")],
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Duty]:
    """The shared ones, and one's own."""
    aware(start)
    aware(end)
    if not timedelta(0) < end - start <= LONGEST:
        raise BadInput("from, to")
    return cut(request, Duty, duties.between(db, start, end, user), before, limit, lambda one: one.id)


@router.post("/duties", dependencies=[right("tickets.write")], status_code=201, summary="A task into a diary")
def add_task(once: OnceHere, user: TokenUser, sent: NewTask) -> Duty:
    aware(sent.due_at)
    aware(sent.begins_at)
    values = sent.model_dump() | {"owner": duties.diary_of(user, sent.owner)}
    return _told(once, lambda db: duties.add(db, "task", **values, by=user.login, now=now()))


@router.post("/promises/{duty_id}/done", dependencies=[right("tickets.write")], summary="It is done")
def done(once: OnceHere, user: TokenUser, duty_id: Id) -> Duty:
    return _told(once, lambda db: duties.done(db, duties.load(db, duty_id, user), by=user.login, now=now()))


@router.post("/promises/{duty_id}/drop", dependencies=[right("tickets.write")], summary="It need not be done any more")
def drop(once: OnceHere, user: TokenUser, duty_id: Id) -> Duty:
    return _told(once, lambda db: duties.drop(db, duties.load(db, duty_id, user), by=user.login, now=now()))


@router.post("/promises/{duty_id}/put", dependencies=[right("tickets.write")], summary="Into another quadrant")
def put(once: OnceHere, user: TokenUser, duty_id: Id, sent: Quadrant) -> Duty:
    def moved(db: Session) -> duties.Duty:
        duty = duties.load(db, duty_id, user)
        duties.put(db, duty, important=sent.important, urgent=sent.urgent)
        return duty

    return _told(once, moved)
