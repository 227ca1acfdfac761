"""Whom the centre may call, and when: the do-not-call list, the permitted hours, and what was called all the same."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter import phone
from callcenter.database import Base
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from config.settings import Settings
from cti.rows import CALL_ID, Call
from ticketing import customers
from ticketing.rows import CustomerKind

REASON_LONGEST = 400


class DoNotCall(Base):
    """A number that wants no calls from us. An entry is ended, never deleted."""

    __tablename__ = "do_not_call"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(40), index=True)  # as normalised
    reason: Mapped[str] = mapped_column(String(400), default="")
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(40), default="")


class Dial(Base):
    """One number somebody wanted called: what stood against it, and why it was called all the same."""

    __tablename__ = "dials"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    extension: Mapped[str] = mapped_column(String(10))
    number: Mapped[str] = mapped_column(String(40))
    refused: Mapped[str] = mapped_column(String(40), default="")  # word of the rule; empty: nothing stood against it
    override: Mapped[str] = mapped_column(Text, default="")  # why it was called all the same
    call_id: Mapped[str] = mapped_column(CALL_ID, default="")  # empty: it was not called

    __table_args__ = (Index("ix_dials_number_at", "number", "at"), Index("ix_dials_call_id", "call_id"))


class OnDoNotCallList(CallCenterError):
    """This number is on the do-not-call list; a supervisor may have it called all the same, with a reason."""

    status = 409


class OutsideHours(CallCenterError):
    """Customers are called within the permitted hours only; a supervisor may do it all the same, with a reason."""

    status = 409


def stands_against(db: Session, settings: Settings, number: str, at: datetime) -> CallCenterError | None:
    """What forbids calling this number now; None if nothing does.

    The hours do not hold for service stations, nor for who called us himself a while ago: a driver who waits on the
    road at night is called back.
    """
    entry = _standing(db, number)
    if entry is not None:
        return OnDoNotCallList(entry.reason)
    rules = settings.calling
    if number in rules.never_asked:
        return None
    local = at.astimezone(settings.centre.zone).time()
    if time.fromisoformat(rules.hours_from) <= local < time.fromisoformat(rules.hours_to):
        return None
    if any(customer.kind == CustomerKind.STATION for customer, _level in customers.by_number(db, number)):
        return None
    since = at - timedelta(hours=rules.called_us_within_h)
    called_us = select(Call.call_id).where(
        Call.caller_number == number, Call.direction == "in", Call.started_at >= since
    )
    if db.scalar(called_us.limit(1)) is not None:
        return None
    return OutsideHours(f"{rules.hours_from}–{rules.hours_to}")


def permit(db: Session, settings: Settings, digits: str, user: User, at: datetime, override: str = "") -> Dial:
    """The row of a call that may be placed; the fault that stands against it where no supervisor gave a reason."""
    number = normalised(settings, digits)
    fault = stands_against(db, settings, number, at)
    override = override.strip()[:REASON_LONGEST]
    if fault is not None and not (override and user.may("agents")):
        raise fault
    dial = Dial(
        at=at,
        by=user.login,
        extension=user.extension or "",
        number=number,
        refused=fault.word if fault else "",
        override=override if fault else "",
    )
    db.add(dial)
    db.flush()
    return dial


def normalised(settings: Settings, text: str) -> str:
    return phone.main(phone.normalise(text, settings.centre.country, settings.centre.area_code))


# --- the list -------------------------------------------------------------------------------------------------------


def listed(db: Session, limit: int = 500) -> list[DoNotCall]:
    """The entries that hold, the newest first."""
    rows = select(DoNotCall).where(DoNotCall.ended_at.is_(None)).order_by(DoNotCall.id.desc()).limit(limit)
    return list(db.scalars(rows))


def _standing(db: Session, number: str) -> DoNotCall | None:
    return db.scalar(select(DoNotCall).where(DoNotCall.number == number, DoNotCall.ended_at.is_(None)).limit(1))


def put_on_list(db: Session, settings: Settings, text: str, reason: str, user: User, at: datetime) -> DoNotCall:
    number = normalised(settings, text)
    if not phone.is_number(number):
        raise BadInput(text[:40])
    standing = _standing(db, number)
    if standing is not None:
        return standing
    entry = DoNotCall(number=number, reason=reason.strip()[:REASON_LONGEST], by=user.login, at=at)
    db.add(entry)
    db.flush()
    return entry


def take_off_list(db: Session, entry_id: int, user: User, at: datetime) -> DoNotCall:
    entry = db.get(DoNotCall, entry_id)
    if entry is None or entry.ended_at is not None:
        raise NotFound(str(entry_id))
    entry.ended_at, entry.ended_by = at, user.login
    return entry


def latest_overrides(db: Session, limit: int = 50) -> list[Dial]:
    """What was called although a rule stood against it, the newest first."""
    return list(db.scalars(select(Dial).where(Dial.refused != "").order_by(Dial.id.desc()).limit(limit)))
