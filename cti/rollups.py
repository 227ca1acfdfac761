"""Finished days, counted once: each queue by quarter hour and by day, each agent by day; no threshold in them.

A day is either *kept*, and its rows say exactly what its calls say, or it is not, and whoever reports reads its calls.
``doubt`` drops the days a fact touches, in the fact's own transaction; ``keep`` counts what is finished and not kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Double,
    LargeBinary,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, Database, from_us
from cti import spent, waits
from cti.rows import Segment, Spell
from cti.tallies import AGENT_SUMS, NOBODY, NUMBERS, SPREADS, AgentTally, Spread, Tally, tally
from cti.waits import Wait

log = logging.getLogger(__name__)

QUARTER = timedelta(minutes=15)
VERSION = 2  # rises when days are counted or written in another way; those of before are counted anew
FOR_EVER = datetime.max.replace(tzinfo=UTC)
_GIVEN_UP_AFTER = timedelta(minutes=10)  # a day begun and never finished: that process is gone


class KeptDay(Base):
    """One local day of the centre. While ``ready`` is false somebody counts it."""

    __tablename__ = "kept_days"

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    zone: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    begun_at: Mapped[datetime]
    ready: Mapped[bool]


class _Counted:
    """A tally as columns; the spreads packed."""

    queue: Mapped[str] = mapped_column(String(40), primary_key=True)
    answered: Mapped[bytes] = mapped_column(LargeBinary)
    abandoned: Mapped[bytes] = mapped_column(LargeBinary)
    left: Mapped[bytes] = mapped_column(LargeBinary)
    timeouts: Mapped[int]
    wait_us: Mapped[int] = mapped_column(BigInteger)
    longest_us: Mapped[int] = mapped_column(BigInteger)
    over: Mapped[int]
    talk_us: Mapped[int] = mapped_column(BigInteger)
    hold_us: Mapped[int] = mapped_column(BigInteger)
    wrap_us: Mapped[int] = mapped_column(BigInteger)
    transferred: Mapped[int]
    taken: Mapped[int]
    missed: Mapped[int]


class QueueDay(_Counted, Base):
    __tablename__ = "queue_days"

    day_at: Mapped[datetime] = mapped_column(primary_key=True)


class QueueQuarter(_Counted, Base):
    __tablename__ = "queue_quarters"

    day_at: Mapped[datetime] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)


class AgentDay(Base):
    __tablename__ = "agent_days"

    day_at: Mapped[datetime] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(10), primary_key=True)
    ready_us: Mapped[int] = mapped_column(BigInteger)
    ringing_us: Mapped[int] = mapped_column(BigInteger)
    talk_us: Mapped[int] = mapped_column(BigInteger)
    hold_us: Mapped[int] = mapped_column(BigInteger)
    wrap_up_us: Mapped[int] = mapped_column(BigInteger)
    pause_us: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int]
    missed: Mapped[int]
    cancelled: Mapped[int]


# Of the table, not the class, and built once: every batch of facts says this.
_DAYS = Base.metadata.tables["kept_days"]
_DOUBTED = delete(_DAYS).where(_DAYS.c.ends_at > bindparam("start"), _DAYS.c.starts_at <= bindparam("end"))

PARTS: tuple[type[QueueDay | QueueQuarter | AgentDay], ...] = (QueueDay, QueueQuarter, AgentDay)


# --- in the transaction of a fact ----------------------------------------------------------------------------------


def doubt(db: Session, touched: Iterable[tuple[datetime, datetime | None]]) -> None:
    """What is told of these stretches has changed (None: and of all that follows): their days are not kept any more."""
    for start, end in merged(touched):
        db.execute(_DOUBTED, {"start": start, "end": end or FOR_EVER})


def merged(touched: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime | None]]:
    """The same stretches without overlaps, in order."""
    found: list[tuple[datetime, datetime | None]] = []
    for start, end in sorted(touched, key=lambda one: one[0]):
        if found:
            first, last = found[-1]
            if last is None:
                break
            if start <= last:
                found[-1] = (first, None if end is None else max(last, end))
                continue
        found.append((start, end))
    return found


def forget(db: Session) -> None:
    """Drop all of it; nothing is lost that the calls do not say."""
    for table in (KeptDay, *PARTS):
        db.execute(delete(table))


# --- keeping -------------------------------------------------------------------------------------------------------


def keep(
    database: Database,
    days: Sequence[tuple[datetime, datetime]],
    zone: ZoneInfo,
    now: datetime,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Count those of the days (start and end, as the centre's zone has them) that are over and not kept; how many.

    A day in which something goes on still, such as a wrap-up nobody finished, is left for the next time.
    """
    with database.write() as db:
        gone = and_(KeptDay.ready.is_(False), KeptDay.begun_at < now - _GIVEN_UP_AFTER)
        db.execute(delete(KeptDay).where((KeptDay.zone != zone.key) | (KeptDay.version != VERSION) | gone))
        kept = {(start, end) for start, end in db.execute(select(KeptDay.starts_at, KeptDay.ends_at))}
    count = 0
    for start, end in days:
        if stopped():
            break
        if end <= now and (start, end) not in kept:
            count += _keep_day(database, start, end, zone, now)
    return count


def since(db: Session) -> datetime | None:
    """When the first call or agent was seen."""
    firsts = [
        db.scalar(select(func.min(Segment.started_at))),
        db.scalar(select(func.min(Spell.started_at))),
    ]
    return min((first for first in firsts if first is not None), default=None)


def _keep_day(database: Database, start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> bool:
    """Say that the day is being counted, count it, keep it unless somebody doubted it meanwhile."""
    with database.write() as db:
        if not database.is_sqlite:
            # Whoever has doubted this day before it was there to be seen must have committed before it is counted.
            db.execute(text("LOCK TABLE kept_days IN SHARE ROW EXCLUSIVE MODE"))
        dialect: Any = sqlite if database.is_sqlite else postgresql
        row = {
            "starts_at": start,
            "ends_at": end,
            "zone": zone.key,
            "version": VERSION,
            "begun_at": now,
            "ready": False,
        }
        mine = db.execute(
            dialect.insert(KeptDay).values(row).on_conflict_do_nothing().returning(KeptDay.starts_at)
        ).all()
        if not mine:
            return False
    with database.read() as db:
        found = waits.between(db, start, end, now)
        agents = spent.between(db, start, end, now)
    this = and_(KeptDay.starts_at == start, KeptDay.begun_at == now, KeptDay.ready.is_(False))
    with database.write() as db:
        if not all(wait.settled for wait in found):
            db.execute(delete(KeptDay).where(this))
            return False
        still = db.execute(update(KeptDay).where(this).values(ready=True).returning(KeptDay.starts_at)).all()
        if not still:
            return False
        for table in PARTS:
            db.execute(delete(table).where(table.day_at == start))
        quarters = by_quarter(start, found)
        _insert(db, QueueQuarter, [_row(t, day_at=start, starts_at=at, queue=q) for (at, q), t in quarters.items()])
        queues = sorted({wait.queue for wait in found})
        of_day = {name: tally(wait for wait in found if wait.queue == name) for name in queues}
        _insert(db, QueueDay, [_row(own, day_at=start, queue=name) for name, own in of_day.items()])
        _insert(
            db,
            AgentDay,
            [
                {"day_at": start, "agent": a} | {name: getattr(t, name) for name in AGENT_SUMS}
                for a, t in agents.items()
            ],
        )
    return True


def by_quarter(start: datetime, found: Iterable[Wait]) -> dict[tuple[datetime, str], Tally]:
    """The waits of one day counted by the quarter hour (of real time from its start) they began in, and by queue."""
    quarters: dict[tuple[datetime, str], list[Wait]] = {}
    for wait in found:
        key = start + (wait.joined_at - start) // QUARTER * QUARTER, wait.queue
        quarters.setdefault(key, []).append(wait)
    return {key: tally(own) for key, own in quarters.items()}


def _row(own: Tally, **key: object) -> dict[str, object]:
    row = key | {name: getattr(own, name) for name in NUMBERS}
    return row | {name: getattr(own, name).packed() for name in SPREADS}


def _insert(db: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        db.execute(insert(table.__table__), rows)  # type: ignore[arg-type]  # SQLAlchemy's own: it is a Table


# --- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """Of the days asked for those that are kept (by their start), and what is in them."""

    days: frozenset[datetime]
    tallies: list[tuple[int, str, Tally]]  # start of the day or quarter in µs, queue


def tallies(
    db: Session, start: datetime, end: datetime, zone: ZoneInfo, queue: str | None = None, *, quarters: bool = False
) -> Kept:
    """One statement, so that a day dropped at this very moment is either there with its rows or not there at all."""
    table: type[QueueDay | QueueQuarter] = QueueQuarter if quarters else QueueDay
    joins = table.day_at == KeptDay.starts_at
    if queue is not None:
        joins &= table.queue == queue
    began = QueueQuarter.starts_at if quarters else QueueDay.day_at
    columns = [getattr(table, name) for name in (*SPREADS, *NUMBERS)]
    rows = (
        select(
            type_coerce(KeptDay.starts_at, BigInteger).label("day_us"),
            type_coerce(began, BigInteger).label("at_us"),
            table.queue,
            *columns,
        )
        .outerjoin(table, joins)
        .where(_within(start, end, zone))
    )
    read = Spread.unpacked
    days: set[int] = set()
    found: list[tuple[int, str, Tally]] = []
    for day, at, name, answered, abandoned, left, *numbers in db.execute(rows):
        days.add(day)
        if name is not None:
            found.append((at, name, Tally(read(answered), read(abandoned), read(left), NOBODY, *numbers)))
    return Kept(frozenset(map(from_us, days)), found)


def agent_tallies(
    db: Session, start: datetime, end: datetime, zone: ZoneInfo
) -> tuple[frozenset[datetime], dict[str, AgentTally]]:
    """The kept days of the period and what each agent did on them together; one statement, too."""
    within = _within(start, end, zone)
    days = select(func.aggregate_strings(cast(KeptDay.starts_at, String), ",")).where(within).scalar_subquery()
    # As doubles, exact up to 285 years of microseconds: PostgreSQL adds whole numbers as slow decimals.
    sums = [func.sum(cast(getattr(AgentDay, name), Double)) for name in AGENT_SUMS]
    rows = (
        select(days, AgentDay.agent, *sums)
        .join(KeptDay, KeptDay.starts_at == AgentDay.day_at)
        .where(within)
        .group_by(AgentDay.agent)
    )
    kept: frozenset[datetime] = frozenset()
    found: dict[str, AgentTally] = {}
    for told, agent, *numbers in db.execute(rows):
        kept = kept or frozenset(from_us(int(us)) for us in told.split(","))
        found[agent] = AgentTally(*map(int, numbers))
    return kept, found


def _within(start: datetime, end: datetime, zone: ZoneInfo) -> Any:
    of_ours = and_(KeptDay.ready, KeptDay.zone == zone.key, KeptDay.version == VERSION)
    return and_(of_ours, KeptDay.starts_at >= start, KeptDay.ends_at <= end)
