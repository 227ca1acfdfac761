"""Call-backs at a time: a row each, begun by a job when it is due; the agent is rung first, then the customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, String, Text, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter import jobs
from callcenter.database import Base
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from config.settings import Settings
from cti import dialling, wishes
from cti.rows import CALL_ID, Agent, Call, Leg

TRIES = 3
AGAIN = timedelta(minutes=2)  # after the agent did not answer
BUSY_AGAIN = timedelta(seconds=20)  # while he is busy
LATE = timedelta(minutes=15)  # so long after its time it is missed, whoever was busy
UNSEEN = timedelta(minutes=2)  # a call of which the switch tells nothing was none
FURTHEST = timedelta(days=370)
OPEN = ("planned", "calling")


class Callback(Base):
    """planned → calling → done | not_reached (the customer) | planned again | missed (the agent); or cancelled."""

    __tablename__ = "callbacks"

    id: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    number: Mapped[str] = mapped_column(String(40))
    extension: Mapped[str] = mapped_column(String(10))  # who calls
    by: Mapped[str] = mapped_column(String(40))  # login of who planned it
    at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, default="")
    customer_id: Mapped[int | None]
    ticket_id: Mapped[int | None]
    about_call: Mapped[str] = mapped_column(CALL_ID, default="")
    state: Mapped[str] = mapped_column(String(12), default="planned")
    why: Mapped[str] = mapped_column(String(40), default="")  # of the last try that came to nothing
    tries: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    call_id: Mapped[str] = mapped_column(CALL_ID, default="")  # of the last try
    seen_at: Mapped[datetime | None]  # when the agent said that he knows of the missed one

    __table_args__ = (
        Index("ix_callbacks_extension_state", "extension", "state"),
        Index("ix_callbacks_state", "state"),
    )


class TooLateOrTooFar(BadInput):
    """A call-back is planned for a time from now on, within a year."""


@dataclass(frozen=True)
class Again:
    at: datetime
    why: str


def plan(
    db: Session, settings: Settings, user: User, to: str, due_at: datetime, at: datetime, **about: Any
) -> Callback:
    """Have this number called by the user at that time.

    NoPhone, NoSuchTarget, TooLateOrTooFar, and whatever stands against calling it then.
    """
    if user.extension is None:
        raise wishes.NoPhone
    if not at - timedelta(minutes=1) <= due_at <= at + FURTHEST:
        raise TooLateOrTooFar(str(due_at))
    digits = wishes.dialled(settings, to)
    if digits is None:
        raise wishes.NoSuchTarget(to[:40])
    number = dialling.normalised(settings, digits)
    fault = dialling.stands_against(db, settings, number, max(due_at, at))
    if fault is not None:
        raise fault
    row = Callback(
        due_at=due_at, number=number, extension=user.extension, by=user.login, at=at, state="planned", **about
    )
    db.add(row)
    db.flush()
    _when(db, row, due_at)
    return row


def _when(db: Session, row: Callback, due_at: datetime) -> None:
    jobs.plan(db, "call_back", f"call_back:{row.id}:{row.tries}", {"callback": row.id}, due_at)


def mine(db: Session, extension: str) -> list[Callback]:
    """Those still to come, and those that were missed and not yet seen; the soonest first."""
    wanted = or_(Callback.state.in_(OPEN), Callback.seen_at.is_(None) & Callback.state.in_(("missed", "not_reached")))
    rows = select(Callback).where(Callback.extension == extension, wanted).order_by(Callback.due_at).limit(50)
    return list(db.scalars(rows))


def missed(db: Session, limit: int = 50) -> list[Callback]:
    """For supervisors: what was promised and not done."""
    rows = select(Callback).where(Callback.state == "missed", Callback.seen_at.is_(None))
    return list(db.scalars(rows.order_by(Callback.due_at).limit(limit)))


def load(db: Session, callback_id: int, user: User) -> Callback:
    """NotFound where it is not his, unless he leads agents."""
    row = db.get(Callback, callback_id)
    leads = user.may("agents")
    if row is None or not (leads or row.extension == user.extension):
        raise NotFound(str(callback_id))
    return row


def cancel(db: Session, row: Callback) -> None:
    """Not to be called; one that was missed is put away."""
    if row.state == "planned":
        row.state = "cancelled"


def put_away(db: Session, row: Callback, at: datetime) -> None:
    """Who is told has seen it."""
    row.seen_at = at


def get(db: Session, callback_id: int) -> Callback:
    return db.get_one(Callback, callback_id)


def begin(db: Session, settings: Settings, row: Callback, at: datetime) -> dict[str, Any] | Again | None:
    """The wish to dial, now that it is due; or when to look again; None if it is no longer to be done."""
    user = db.scalar(select(User).where(User.extension == row.extension, User.active))
    if row.state != "planned":
        return None
    agent = db.get(Agent, row.extension)
    free = agent is not None and agent.reachable and agent.state == "idle" and agent.status != "offline"
    if user is None or not free:
        if at - row.due_at > LATE:
            row.state, row.why = "missed", "away"
            return None
        return Again(at + BUSY_AGAIN, "busy")
    try:
        wish = wishes.dialling_wish(db, settings, row.number, user, at)
    except CallCenterError as fault:  # a rule has come between, or the hours are over
        row.state, row.why = "missed", fault.word
        return None
    row.state, row.tries, row.tried_at, row.call_id = "calling", row.tries + 1, at, wish["call_id"]
    return wish


def any_calling(db: Session) -> bool:
    return db.scalar(select(Callback.id).where(Callback.state == "calling").limit(1)) is not None


def settle(db: Session, at: datetime) -> list[Callback]:
    """What became of those that were being called; the answer is whose state has changed."""
    changed = []
    for row in db.scalars(select(Callback).where(Callback.state == "calling")):
        call = db.get(Call, row.call_id)
        if call is None and row.tried_at is not None and at - row.tried_at < UNSEEN:
            continue
        if call is not None and call.ended_at is None:
            continue
        first = db.get(Leg, row.call_id) if call is not None else None
        if call is not None and call.answered_at is not None:
            row.state, row.why = "done", ""
        elif first is not None and first.answered_at is not None:
            row.state, row.why = "not_reached", "no_answer"
        elif row.tries < TRIES:
            row.state, row.why = "planned", "agent"
            _when(db, row, at + AGAIN)
        else:
            row.state, row.why = "missed", "agent"
        changed.append(row)
    return changed
