"""What is done about a ticket, over the API: its stages, the stations sent to it, and what was promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, behind, page
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.events import Event
from config.people import User
from ticketing import dispatch, duties, tickets
from ticketing.rows import Ticket

router = APIRouter(prefix="/v1", tags=["tickets"])


class Stage(Sent):
    stage: str = Field(min_length=1, max_length=30)
    text: str = Field("", max_length=20_000)


class Station(Sent):
    station_id: Reference


class Step(Sent):
    to: str = Field(max_length=12, description="accepted, on_the_way, arrived, done, refused, unanswered, withdrawn")
    person: str = Field("", max_length=80)
    words: str = Field("", max_length=400)
    eta_min: int | None = Field(None, ge=1, le=1440)


class Dispatched(Shape):
    id: int
    station_id: int
    state: str
    km: float | None
    person: str
    words: str
    sent_at: datetime
    answer_by: datetime
    eta_at: datetime | None
    arrived_at: datetime | None
    ended_at: datetime | None


class Suggested(Shape):
    id: int
    name: str
    km: float | None
    minutes: int = Field(description="Until somebody could be there, by our reckoning.")
    reasons: list[str]


class NewDuty(Sent):
    kind: Literal["promise", "task"] = "promise"
    text: str = Field(min_length=1, max_length=200)
    due_at: datetime
    owner: str = Field("", max_length=40)
    station_id: Reference | None = None


class Duty(Shape):
    id: int
    kind: str
    text: str
    owner: str
    state: str
    due_at: datetime
    ticket_id: int | None
    customer_id: int | None
    station_id: int | None
    done_at: datetime | None
    done_by: str


def _whole(once: Once, user: User, step: Callable[[Session], Ticket]) -> shapes.WholeTicket:
    nudges: list[Event] = []

    def stepped(db: Session) -> shapes.WholeTicket:
        ticket = step(db)
        nudges.append(tickets.nudge(ticket))
        return shapes.WholeTicket.model_validate(tickets.load_ticket(db, ticket.id, user))

    return once.do(stepped, nudges)


@router.post("/tickets/{ticket_id}/stage", dependencies=[right("tickets.write")], summary="On to another stage")
def move_ticket(
    desktop: DesktopHere, once: OnceHere, user: TokenUser, ticket_id: Id, sent: Stage
) -> shapes.WholeTicket:
    zone = desktop.settings.centre.zone

    def moved(db: Session) -> Ticket:
        ticket = tickets.load_ticket(db, ticket_id, user)
        return tickets.move(db, ticket, sent.stage, by=user.login, now=now(), zone=zone, text=sent.text)

    return _whole(once, user, moved)


@router.get(
    "/tickets/{ticket_id}/stations", dependencies=[right("tickets")], summary="Which stations could be sent, and why"
)
def suggest_stations(
    request: Request,
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    ticket_id: Id,
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Suggested]:
    ticket = tickets.load_ticket(db, ticket_id, user)
    _town, found = dispatch.suggested(db, ticket, now(), desktop.settings.centre.zone, 200)
    by_id = {
        one.station.station_id: Suggested(
            id=one.station.station_id,
            name=one.station.name,
            km=one.km,
            minutes=one.minutes,
            reasons=[reason.text(user.language) for reason in one.reasons],
        )
        for one in found
    }
    there, more = behind(list(by_id), before, limit)
    return page(request, Suggested, [by_id[one] for one in there], limit, lambda one: one.id, more=more)


@router.get("/tickets/{ticket_id}/dispatches", dependencies=[right("tickets")], summary="Stations sent to a ticket")
def list_dispatches(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Dispatched]:
    found = {one.id: one for one in dispatch.of_ticket(db, tickets.load_ticket(db, ticket_id, user))}
    there, more = behind(list(found), before, limit)
    return page(request, Dispatched, [found[one] for one in there], limit, lambda one: one.id, more=more)


@router.post(
    "/tickets/{ticket_id}/dispatches",
    dependencies=[right("tickets.write")],
    status_code=201,
    summary="Send a station to a ticket",
)
def send_station(desktop: DesktopHere, once: OnceHere, user: TokenUser, ticket_id: Id, sent: Station) -> Dispatched:
    nudges: list[Event] = []

    def stepped(db: Session) -> Dispatched:
        ticket = tickets.load_ticket(db, ticket_id, user)
        zone = desktop.settings.centre.zone
        row = dispatch.send(db, ticket, sent.station_id, by=user.login, now=now(), zone=zone)
        nudges.append(tickets.nudge(ticket))
        return Dispatched.model_validate(row)

    return once.do(stepped, nudges)


@router.post(
    "/tickets/{ticket_id}/dispatches/{dispatch_id}",
    dependencies=[right("tickets.write")],
    summary="Take a sent station further",
)
def step_station(
    desktop: DesktopHere, once: OnceHere, user: TokenUser, ticket_id: Id, dispatch_id: Id, sent: Step
) -> Dispatched:
    nudges: list[Event] = []

    def stepped(db: Session) -> Dispatched:
        ticket = tickets.load_ticket(db, ticket_id, user)
        row = dispatch.load(db, ticket, dispatch_id)
        zone = desktop.settings.centre.zone
        dispatch.step(db, ticket, row, **sent.model_dump(), by=user.login, now=now(), zone=zone)
        db.refresh(row)
        nudges.append(tickets.nudge(ticket))
        return Dispatched.model_validate(row)

    return once.do(stepped, nudges)


@router.get("/tickets/{ticket_id}/promises", dependencies=[right("tickets")], summary="What was promised")
def list_promises(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Duty]:
    found = {one.id: one for one in duties.of_ticket(db, tickets.load_ticket(db, ticket_id, user).id)}
    there, more = behind(list(found), before, limit)
    return page(request, Duty, [found[one] for one in there], limit, lambda one: one.id, more=more)


@router.post(
    "/tickets/{ticket_id}/promises",
    dependencies=[right("tickets.write")],
    status_code=201,
    summary="Promise something by a time",
)
def promise(once: OnceHere, user: TokenUser, ticket_id: Id, sent: NewDuty) -> Duty:
    aware(sent.due_at)

    def promised(db: Session) -> Duty:
        ticket = tickets.load_ticket(db, ticket_id, user)
        values = sent.model_dump() | {"owner": sent.owner or user.login}
        return Duty.model_validate(duties.add(db, **values, by=user.login, now=now(), ticket=ticket))

    return once.do(promised)


@router.post("/promises/{duty_id}/done", dependencies=[right("tickets.write")], summary="It is done")
def done(once: OnceHere, user: TokenUser, duty_id: Id) -> Duty:
    def settled(db: Session) -> Duty:
        duty = duties.done(db, duties.load(db, duty_id, user), by=user.login, now=now())
        db.refresh(duty)
        return Duty.model_validate(duty)

    return once.do(settled)


@router.post("/promises/{duty_id}/drop", dependencies=[right("tickets.write")], summary="It need not be done any more")
def drop(once: OnceHere, user: TokenUser, duty_id: Id) -> Duty:
    def settled(db: Session) -> Duty:
        duty = duties.drop(db, duties.load(db, duty_id, user), by=user.login, now=now())
        db.refresh(duty)
        return Duty.model_validate(duty)

    return once.do(settled)
