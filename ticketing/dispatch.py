"""Sending a station: called, accepted or refused, on the way, there, done; each step with who and when.

A repair has one station at a time, a rescue may call several at once: the first to accept has it, the others are
called off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, func, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from callcenter.database import Base, changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from ticketing import catalogue, stations, tickets
from ticketing.rows import Station, Ticket
from ticketing.stations import Suggestion
from ticketing.text import line


class Sent(StrEnum):
    """Where the sending of one station stands."""

    SENT = "sent"
    ACCEPTED = "accepted"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    DONE = "done"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    WITHDRAWN = "withdrawn"


NEXT: dict[Sent, tuple[Sent, ...]] = {
    Sent.SENT: (Sent.ACCEPTED, Sent.REFUSED, Sent.UNANSWERED, Sent.WITHDRAWN),
    Sent.ACCEPTED: (Sent.ON_THE_WAY, Sent.ARRIVED, Sent.WITHDRAWN),
    Sent.ON_THE_WAY: (Sent.ARRIVED, Sent.WITHDRAWN),
    Sent.ARRIVED: (Sent.DONE, Sent.WITHDRAWN),
    Sent.DONE: (),
    Sent.REFUSED: (),
    Sent.UNANSWERED: (),
    Sent.WITHDRAWN: (),
}
LIVE = tuple(state.value for state, following in NEXT.items() if following)
TOLD = (Sent.ACCEPTED, Sent.ON_THE_WAY, Sent.ARRIVED)
"""The customer is told when it comes to one of these."""
_STAMP = {
    Sent.ACCEPTED: "accepted_at",
    Sent.ON_THE_WAY: "left_at",
    Sent.ARRIVED: "arrived_at",
    Sent.DONE: "ended_at",
    Sent.REFUSED: "ended_at",
    Sent.UNANSWERED: "ended_at",
    Sent.WITHDRAWN: "ended_at",
}


class Dispatch(Base):
    """One station sent to one ticket."""

    __tablename__ = "dispatches"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id"))
    state: Mapped[str] = mapped_column(String(12), default=Sent.SENT.value)
    by: Mapped[str] = mapped_column(String(40))
    km: Mapped[float | None]
    reasons: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)  # why it was chosen: [good, zh, en]
    person: Mapped[str] = mapped_column(String(80), default="")  # who at the station
    words: Mapped[str] = mapped_column(String(400), default="")  # why not
    told: Mapped[list[str]] = mapped_column(JSON, default=list)  # the states the customer was told of
    sent_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    eta_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    station: Mapped[Station] = relationship()

    __table_args__ = (Index("ix_dispatches_station_id_state", "station_id", "state"),)

    @property
    def following(self) -> tuple[Sent, ...]:
        return NEXT[Sent(self.state)]

    @property
    def untold(self) -> bool:
        """The customer does not know yet how far it is."""
        return Sent(self.state) in TOLD and self.state not in self.told


class SentAlready(CallCenterError):
    """This station has the ticket already, or another one has accepted it."""

    status = 409


class WrongDispatch(CallCenterError):
    """A colleague was faster: the station is no longer where this step begins. Nothing was changed."""

    status = 409


def of_ticket(db: Session, ticket: Ticket) -> Sequence[Dispatch]:
    rows = select(Dispatch).where(Dispatch.ticket_id == ticket.id).options(joinedload(Dispatch.station))
    return db.scalars(rows.order_by(Dispatch.id)).all()


def load(db: Session, ticket: Ticket, dispatch_id: int) -> Dispatch:
    found = db.scalar(select(Dispatch).where(Dispatch.id == dispatch_id, Dispatch.ticket_id == ticket.id))
    if found is None:
        raise NotFound("dispatch %(id)s", id=dispatch_id)
    return found


def in_hand(db: Session) -> Mapping[int, int]:
    """How many orders each station has that are not done."""
    rows = select(Dispatch.station_id, func.count()).where(Dispatch.state.in_(LIVE)).group_by(Dispatch.station_id)
    return {row[0]: row[1] for row in db.execute(rows)}


def suggested(db: Session, ticket: Ticket, now: datetime, zone: tzinfo, limit: int = 6) -> tuple[str, list[Suggestion]]:
    """Where the machine was taken to be, and whom to send; those asked already are left out."""
    asked = set(db.scalars(select(Dispatch.station_id).where(Dispatch.ticket_id == ticket.id)))
    town, place, words = stations.where(ticket)
    able = [one for one in stations.candidates(db, now, zone, in_hand(db)) if one.station_id not in asked]
    skill = ticket.engine.model if ticket.engine else ""
    return town, stations.ranked(able, place=place, words=words, skill=skill)[:limit]


def send(db: Session, ticket: Ticket, station_id: int, *, by: str, now: datetime, zone: tzinfo = UTC) -> Dispatch:
    """Call a station to a ticket. SentAlready where it is there, or where only one may be."""
    form = catalogue.current(db).form(ticket.kind)
    station = db.get(Station, station_id)
    if not form.dispatch or station is None or not station.active:
        raise BadInput("this station cannot be sent")
    if ticket.state not in tickets.UNDONE:
        raise tickets.WrongTicketState(ticket.number)
    live = [one for one in of_ticket(db, ticket) if one.state in LIVE]
    taken = any(one.state != Sent.SENT for one in live)
    if taken or any(one.station_id == station_id for one in live) or (live and form.dispatch == "one"):
        raise SentAlready(ticket.number)
    _town, place, words = stations.where(ticket)
    here = next(one for one in stations.candidates(db, now, zone, in_hand(db)) if one.station_id == station_id)
    skill = ticket.engine.model if ticket.engine else ""
    why = stations.ranked([here], place=place, words=words, skill=skill)[0]
    dispatch = Dispatch(
        ticket_id=ticket.id,
        station_id=station_id,
        by=by,
        km=why.km,
        reasons=[[reason.good, reason.zh, reason.en] for reason in why.reasons],
        told=[],
        sent_at=now,
        answer_by=now + timedelta(minutes=form.answer_min),
    )
    db.add(dispatch)
    db.flush()
    _entered(db, ticket, here.name, Sent.SENT, by, now, zone)
    return dispatch


def step(
    db: Session,
    ticket: Ticket,
    dispatch: Dispatch,
    to: str,
    *,
    by: str,
    now: datetime,
    zone: tzinfo = UTC,
    person: str = "",
    words: str = "",
    eta_min: int | None = None,
) -> None:
    """Take a station a step further; WrongDispatch if a colleague was faster or the step is none of its own."""
    before = Sent(dispatch.state)
    try:
        after = Sent(to)
    except ValueError:
        raise WrongDispatch(to[:20]) from None
    if after not in NEXT[before]:
        raise WrongDispatch(f"{before.value} → {after.value}")
    if eta_min is not None and not 0 < eta_min <= 24 * 60:
        raise BadInput("minutes until arrival: 1 to 1440")
    values: dict[str, Any] = {"state": after.value, _STAMP[after]: now}
    if person.strip():
        values["person"] = line(person)[:80]
    if words.strip():
        values["words"] = line(words)[:400]
    if eta_min is not None:
        values["eta_at"] = now + timedelta(minutes=eta_min)
    _turn(db, dispatch, before, values)
    name = dispatch.station.customer.name
    told = " ".join(part for part in (values.get("person", ""), values.get("words", "")) if part)
    if after is Sent.ACCEPTED:
        for other in of_ticket(db, ticket):
            if other.id != dispatch.id and other.state == Sent.SENT:
                _turn(db, other, Sent.SENT, {"state": Sent.WITHDRAWN.value, "ended_at": now})
    has_it = dispatch.station_id if after is Sent.ACCEPTED else None
    _entered(db, ticket, name, after, by, now, zone, told, has_it)


def tell(db: Session, ticket: Ticket, dispatch: Dispatch, *, by: str, now: datetime) -> None:
    """The customer has been told how far it is."""
    if not dispatch.untold:
        raise WrongDispatch(dispatch.state)
    dispatch.told = [*dispatch.told, dispatch.state]
    db.flush()
    station = dispatch.station.customer.name
    tickets.record(db, ticket, "told", by=by, now=now, text=station, changes={"dispatch": [None, dispatch.state]})


def _turn(db: Session, dispatch: Dispatch, before: Sent, values: Mapping[str, Any]) -> None:
    own = update(Dispatch).where(Dispatch.id == dispatch.id, Dispatch.state == before.value).values(**values)
    if changed(db, own) != 1:
        raise WrongDispatch(before.value)
    db.refresh(dispatch)


def _entered(
    db: Session,
    ticket: Ticket,
    name: str,
    state: Sent,
    by: str,
    now: datetime,
    zone: tzinfo,
    words: str = "",
    station_id: int | None = None,
) -> None:
    """The ticket's own entry, and its stage where the form has one of this name."""
    form = catalogue.current(db).form(ticket.kind)
    text = f"{name} {words}".strip()
    stage = state.value
    if state in (Sent.REFUSED, Sent.UNANSWERED, Sent.WITHDRAWN):
        still = any(one.state in LIVE for one in of_ticket(db, ticket))
        stage = ticket.stage if still else form.stages[0].code
    known = {one.code for one in form.stages}
    changes: dict[str, Any] = {}
    if ticket.state in tickets.UNDONE:
        changes = {"stage": stage} if stage in known and stage != ticket.stage else {}
        changes |= {"station_id": station_id} if station_id is not None else {}
    also = {"dispatch": [None, state.value]}
    if changes:
        version = ticket.version
        tickets.change(
            db, ticket, version=version, by=by, now=now, zone=zone, what="dispatched", text=text, also=also, **changes
        )
    else:
        tickets.record(db, ticket, "dispatched", by=by, now=now, text=text, changes=also)
