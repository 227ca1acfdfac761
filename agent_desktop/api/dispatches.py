"""The stations sent to a ticket, over the API: suggested, called, taken further, and the customer told."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.events import Event
from ticketing import dispatch, tickets

router = APIRouter(prefix="/v1", tags=["tickets"])


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
    _town, ranked = dispatch.suggested(db, ticket, now(), desktop.settings.centre.zone, 200)
    found = [
        Suggested(
            id=one.station.station_id,
            name=one.station.name,
            km=one.km,
            minutes=one.minutes,
            reasons=[reason.text(user.language) for reason in one.reasons],
        )
        for one in ranked
    ]
    return cut(request, Suggested, found, before, limit, lambda one: one.id)


@router.get("/tickets/{ticket_id}/dispatches", dependencies=[right("tickets")], summary="Stations sent to a ticket")
def list_dispatches(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Dispatched]:
    found = dispatch.of_ticket(db, tickets.load_ticket(db, ticket_id, user))
    return cut(request, Dispatched, found, before, limit, lambda one: one.id)


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


@router.post(
    "/tickets/{ticket_id}/dispatches/{dispatch_id}/told",
    dependencies=[right("tickets.write")],
    summary="The customer has been told how far it is",
)
def tell_customer(once: OnceHere, user: TokenUser, ticket_id: Id, dispatch_id: Id) -> Dispatched:
    nudges: list[Event] = []

    def told(db: Session) -> Dispatched:
        ticket = tickets.load_ticket(db, ticket_id, user)
        row = dispatch.load(db, ticket, dispatch_id)
        dispatch.tell(db, ticket, row, by=user.login, now=now())
        nudges.append(tickets.nudge(ticket))
        return Dispatched.model_validate(row)

    return once.do(told, nudges)
