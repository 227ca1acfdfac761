"""Duties with a time: promises to customers ("the station calls you in 30 min"), kept or broken, and own tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, bindparam, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from callcenter import jobs
from callcenter.database import Base, changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from callcenter.events import Event
from callcenter.nudges import TicketChanged
from callcenter.worker import Work
from config.people import User
from ticketing import customers, tickets
from ticketing.rows import IDS, Customer, CustomerKind, Station, Ticket, TicketKind
from ticketing.text import clean, line

JOB = "duty"
URGENT_WITHIN = timedelta(hours=4)


class DutyState(StrEnum):
    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"  # its time passed; that stays on record even when it is done after all
    DROPPED = "dropped"


class Duty(Base):
    """Something to be done by a time: promised to a customer, or put into one's own diary."""

    __tablename__ = "duties"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))  # promise, task
    text: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text, default="")
    owner: Mapped[str] = mapped_column(String(40))  # login
    state: Mapped[str] = mapped_column(String(10), default=DutyState.OPEN.value)
    due_at: Mapped[datetime]
    begins_at: Mapped[datetime | None]  # of an appointment
    important: Mapped[bool] = mapped_column(default=False)
    urgent: Mapped[bool] = mapped_column(default=False)
    shared: Mapped[bool] = mapped_column(default=True)  # the team sees it in the calendar
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    station_id: Mapped[int | None] = mapped_column(ForeignKey("stations.id"))
    call_id: Mapped[str | None] = mapped_column(String(150))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(40))
    done_at: Mapped[datetime | None]
    done_by: Mapped[str] = mapped_column(String(40), default="")

    ticket: Mapped[Ticket | None] = relationship()
    customer: Mapped[Customer | None] = relationship()

    __table_args__ = (
        Index("ix_duties_owner_state_due_at", "owner", "state", "due_at"),
        Index("ix_duties_state_due_at", "state", "due_at"),
    )

    def stands(self, now: datetime) -> DutyState:
        """What it is at this moment, on record or not yet: a promise breaks when its time passes."""
        broken = self.kind == "promise" and self.state == DutyState.OPEN and self.due_at < now
        return DutyState.BROKEN if broken else DutyState(self.state)

    @property
    def undone(self) -> bool:
        return self.done_at is None and self.state != DutyState.DROPPED


class DutyDone(CallCenterError):
    """A colleague was faster: this duty is settled. Nothing was changed."""

    status = 409


_UNDONE = Duty.done_at.is_(None) & (Duty.state != DutyState.DROPPED.value)
_PROMISED = (  # built once: it is asked while the phone rings
    select(Duty)
    .where(Duty.customer_id == bindparam("customer_id"), Duty.kind == "promise", _UNDONE)
    .order_by(Duty.due_at)
    .limit(bindparam("limit"))
)


def add(
    db: Session,
    kind: str,
    text: str,
    due_at: datetime,
    *,
    owner: str,
    by: str,
    now: datetime,
    ticket: Ticket | None = None,
    customer_id: int | None = None,
    station_id: int | None = None,
    call_id: str | None = None,
    begins_at: datetime | None = None,
    important: bool = False,
    urgent: bool = False,
    shared: bool = True,
    note: str = "",
) -> Duty:
    """A promise or a task; of a promise a job breaks it on record as soon as its time has passed."""
    text = line(text)
    if kind not in ("promise", "task") or not text or len(text) > 200:
        raise BadInput("a duty has 1 to 200 characters")
    if begins_at is not None and begins_at > due_at:
        raise BadInput("it ends before it begins")
    if db.scalar(select(User.id).where(User.login == owner, User.active)) is None:
        raise BadInput("there is nobody called %(login)s to do it", login=owner[:40])
    if station_id is not None and (station_id not in IDS or db.get(Station, station_id) is None):
        raise NotFound("station %(id)s", id=station_id)
    duty = Duty(
        kind=kind,
        text=text,
        note=clean(note)[:5000],
        owner=owner,
        due_at=due_at,
        begins_at=begins_at,
        important=important,
        urgent=urgent,
        shared=shared,
        ticket_id=ticket.id if ticket else None,
        customer_id=customers.standing_id(db, customer_id) or (ticket.customer_id if ticket else None),
        station_id=station_id,
        call_id=call_id or (ticket.call_id if ticket else None),
        created_at=now,
        created_by=by,
    )
    db.add(duty)
    db.flush()
    if kind == "promise":
        jobs.plan(db, JOB, f"{JOB}:{duty.id}", {"duty_id": duty.id}, due_at)
    if ticket is not None:
        changes = {"promise": [None, due_at.isoformat()]}
        tickets.record(db, ticket, "promised", by=by, now=now, text=text, changes=changes)
    return duty


def diary_of(user: User, owner: str) -> str:
    """Whose diary is meant: one's own, or anybody's for those who lead."""
    if owner in ("", user.login):
        return user.login
    if not user.may("diaries"):
        raise NotFound("diary of %(login)s", login=owner[:40])
    return owner


def load(db: Session, duty_id: int, user: User) -> Duty:
    """One's own, or anybody's for those who lead."""
    duty = db.get(Duty, duty_id) if duty_id in IDS else None
    if duty is None or not (duty.owner == user.login or duty.ticket_id is not None or user.may("diaries")):
        raise NotFound("duty %(id)s", id=duty_id)
    if duty.ticket_id is not None:
        tickets.load_ticket(db, duty.ticket_id, user)
    return duty


def done(db: Session, duty: Duty, *, by: str, now: datetime) -> Duty:
    """It is done: kept when in time; a promise done too late stays broken."""
    late = duty.kind == "promise" and now > duty.due_at
    state = DutyState.BROKEN if late or duty.state == DutyState.BROKEN else DutyState.KEPT
    _settle(db, duty, state=state.value, done_at=now, done_by=by)
    _tell_ticket(db, duty, state, by, now)
    return duty


def drop(db: Session, duty: Duty, *, by: str, now: datetime) -> Duty:
    """It need not be done any more; what was broken cannot be dropped."""
    if duty.stands(now) is DutyState.BROKEN:
        raise DutyDone(duty.text)
    _settle(db, duty, state=DutyState.DROPPED.value, done_at=now, done_by=by)
    _tell_ticket(db, duty, DutyState.DROPPED, by, now)
    return duty


def put(db: Session, duty: Duty, *, important: bool, urgent: bool) -> None:
    """Into another quadrant."""
    _settle(db, duty, important=important, urgent=urgent)


def _settle(db: Session, duty: Duty, **values: Any) -> None:
    own = update(Duty).where(Duty.id == duty.id, _UNDONE).values(**values)
    if changed(db, own) != 1:
        raise DutyDone(duty.text)
    db.refresh(duty)


def _tell_ticket(db: Session, duty: Duty, state: DutyState, by: str, now: datetime) -> None:
    if duty.ticket_id is not None:
        ticket = db.get_one(Ticket, duty.ticket_id)
        tickets.record(db, ticket, "promised", by=by, now=now, text=duty.text, changes={"duty": [None, state.value]})


def break_it(db: Session, duty_id: int, now: datetime) -> Duty | None:
    """Put on record that a promise was not kept; None if it was, or is not due."""
    overdue = update(Duty).where(Duty.id == duty_id, Duty.state == DutyState.OPEN.value, Duty.due_at < now)
    if changed(db, overdue.values(state=DutyState.BROKEN.value)) != 1:
        return None
    duty = db.get_one(Duty, duty_id)
    db.refresh(duty)
    _tell_ticket(db, duty, DutyState.BROKEN, "", now)
    return duty


def work() -> Work:
    """The worker's part: a promise whose time has passed is broken."""

    def do(db: Session, job: jobs.Job, now: datetime) -> list[Event]:
        duty = break_it(db, int(job.payload["duty_id"]), now)
        if duty is None:
            return []
        return [TicketChanged(ticket_id=duty.ticket_id or 0, call_id=duty.call_id)]

    return do


# --- what is there to do -----------------------------------------------------------------------------------------


def of_ticket(db: Session, ticket_id: int) -> Sequence[Duty]:
    return db.scalars(select(Duty).where(Duty.ticket_id == ticket_id).order_by(Duty.due_at)).all()


def of_customer(db: Session, customer_id: int, limit: int = 20) -> Sequence[Duty]:
    """What was promised to a customer and is not done, the earliest first."""
    return db.scalars(_PROMISED, {"customer_id": customer_id, "limit": limit}).all()


def of_owner(db: Session, login: str, limit: int = 200) -> Sequence[Duty]:
    whole = (joinedload(Duty.ticket), joinedload(Duty.customer))
    rows = select(Duty).where(Duty.owner == login, _UNDONE).options(*whole)
    return db.scalars(rows.order_by(Duty.due_at).limit(limit)).all()


def between(db: Session, start: datetime, end: datetime, user: User) -> Sequence[Duty]:
    """The team's duties of a time: the shared ones, and one's own."""
    seen = or_(Duty.shared, Duty.owner == user.login)
    at = func.coalesce(Duty.begins_at, Duty.due_at)
    rows = select(Duty).where(at >= start, at < end, seen, Duty.state != DutyState.DROPPED.value)
    return db.scalars(rows.options(joinedload(Duty.ticket), joinedload(Duty.customer)).order_by(Duty.due_at)).all()


def broken(db: Session, now: datetime, limit: int = 20) -> Sequence[Duty]:
    """Promises of everybody that were not kept and are still not done, the oldest first."""
    rows = select(Duty).where(Duty.kind == "promise", _UNDONE, Duty.due_at < now)
    whole = (joinedload(Duty.ticket), joinedload(Duty.customer))
    return db.scalars(rows.options(*whole).order_by(Duty.due_at).limit(limit)).all()


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of the diary: a duty, or a ticket."""

    due_at: datetime | None
    text: str
    late: bool
    duty: Duty | None = None
    ticket: Ticket | None = None


Quadrants = dict[tuple[bool, bool], list[Item]]
"""By (important, urgent)."""


def quadrants(duties: Iterable[Duty], mine: Iterable[Ticket], now: datetime) -> Quadrants:
    """Urgent by its time or because somebody said so; important likewise, and for complaints, rescues, key accounts."""
    found: Quadrants = {(important, urgent): [] for important in (True, False) for urgent in (True, False)}
    for duty in duties:
        urgent = duty.urgent or duty.due_at < now + URGENT_WITHIN
        important = duty.important or duty.kind == "promise"
        item = Item(due_at=duty.due_at, text=duty.text, late=duty.due_at < now, duty=duty, ticket=duty.ticket)
        found[important, urgent].append(item)
    for ticket in mine:
        near = ticket.due_at is not None and ticket.due_at < now + URGENT_WITHIN
        weighty = ticket.kind in (TicketKind.COMPLAINT, TicketKind.RESCUE) or ticket.level > 0
        big = ticket.customer is not None and ticket.customer.kind in (CustomerKind.KEY_ACCOUNT, CustomerKind.OEM)
        late = ticket.due_at is not None and ticket.due_at < now and ticket.solved_at is None
        item = Item(due_at=ticket.due_at, text=ticket.subject, late=late, ticket=ticket)
        found[weighty or big, ticket.urgent or near].append(item)
    never = now + timedelta(days=36_500)
    for items in found.values():
        items.sort(key=lambda item: item.due_at or never)
    return found
