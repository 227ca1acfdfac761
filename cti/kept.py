"""Finished days and months as rows, and how they are read; ``cti/rollups.py`` counts and drops them."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Double, LargeBinary, String, and_, cast, func, null, or_, select, type_coerce
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, from_us
from cti.tallies import AGENT_SUMS, NOBODY, NUMBERS, SPREADS, AgentTally, Spread, Tally

DAY, MONTH = "day", "month"
VERSION = 3  # rises when days are counted or written in another way; those of before are counted anew
Stretch = tuple[datetime, datetime]


class KeptDay(Base):
    """One local day of the centre, or month. While ``ready`` is false somebody counts it."""

    __tablename__ = "kept_days"

    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    span: Mapped[str] = mapped_column(String(5), primary_key=True)  # day, month
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


class _Spent:
    """An agent's tally as columns."""

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


class AgentDay(_Spent, Base):
    __tablename__ = "agent_days"

    day_at: Mapped[datetime] = mapped_column(primary_key=True)


class AgentQuarters(Base):
    """An agent's day by quarter hour: how long he was ready and how long busy, in turn, in µs, packed."""

    __tablename__ = "agent_quarters"

    agent: Mapped[str] = mapped_column(String(10), primary_key=True)
    day_at: Mapped[datetime] = mapped_column(primary_key=True)
    quarters: Mapped[bytes] = mapped_column(LargeBinary)


class QueueMonth(_Counted, Base):
    __tablename__ = "queue_months"

    month_at: Mapped[datetime] = mapped_column(primary_key=True)


class AgentMonth(_Spent, Base):
    __tablename__ = "agent_months"

    month_at: Mapped[datetime] = mapped_column(primary_key=True)


PARTS: tuple[type[QueueDay | QueueQuarter | QueueMonth | AgentDay | AgentQuarters | AgentMonth], ...]
PARTS = (QueueDay, QueueQuarter, QueueMonth, AgentDay, AgentQuarters, AgentMonth)


# --- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """Of the days asked for, or months, those that are kept, and what is in them."""

    ends: Mapping[datetime, datetime]  # of each by its start
    tallies: list[tuple[int, str, Tally]]  # start of the day, quarter or month in µs, queue

    @property
    def days(self) -> Collection[datetime]:
        return self.ends.keys()


def tallies(
    db: Session,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    queue: str | None = None,
    *,
    quarters: bool = False,
    months: bool = False,
    besides: Collection[Stretch] = (),
) -> Kept:
    """One statement, so that a day dropped at this very moment is either there with its rows or not there at all.

    ``besides``: without the days in these stretches, which the months of them have told already.
    """
    table: Any = QueueQuarter if quarters else QueueMonth if months else QueueDay
    of = QueueMonth.month_at if months else table.day_at
    joins = of == KeptDay.starts_at
    if queue is not None:
        joins &= table.queue == queue
    began = QueueQuarter.starts_at if quarters else of
    columns = [getattr(table, name) for name in (*SPREADS, *NUMBERS)]
    rows = (
        select(_us(KeptDay.starts_at), _us(KeptDay.ends_at), _us(began), table.queue, *columns)
        .outerjoin(table, joins)
        .where(_within(MONTH if months else DAY, start, end, zone, besides))
    )
    read = Spread.unpacked
    ends: dict[int, int] = {}
    found: list[tuple[int, str, Tally]] = []
    for begun, ended, at, name, answered, abandoned, left, *numbers in _all(db, rows):
        ends[begun] = ended
        if name is not None:
            found.append((at, name, Tally(read(answered), read(abandoned), read(left), NOBODY, *numbers)))
    return Kept({from_us(begun): from_us(ended) for begun, ended in ends.items()}, found)


def agent_tallies(
    db: Session,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    *,
    months: bool = False,
    besides: Collection[Stretch] = (),
) -> tuple[dict[datetime, datetime], dict[str, AgentTally]]:
    """The kept days of the period, or months, each with its end, and what each agent did then; one statement, too."""
    table: Any = AgentMonth if months else AgentDay
    at = AgentMonth.month_at if months else AgentDay.day_at
    within = _within(MONTH if months else DAY, start, end, zone, besides)
    span = cast(KeptDay.starts_at, String) + ":" + cast(KeptDay.ends_at, String)
    spans = select(func.aggregate_strings(span, ",")).where(within).scalar_subquery()
    # As doubles, exact up to 285 years of microseconds: PostgreSQL adds whole numbers as slow decimals.
    sums = [func.sum(cast(getattr(table, name), Double)) for name in AGENT_SUMS]
    rows = select(spans, table.agent, *sums).join(KeptDay, KeptDay.starts_at == at).where(within).group_by(table.agent)
    kept: dict[datetime, datetime] = {}
    found: dict[str, AgentTally] = {}
    for told, agent, *numbers in db.connection().execute(rows).all():
        if not kept:
            edges = (one.split(":") for one in told.split(","))
            kept = {from_us(int(begun)): from_us(int(ended)) for begun, ended in edges}
        found[agent] = AgentTally(*map(int, numbers))
    return kept, found


def packed(quarters: Sequence[int]) -> bytes:
    """Little-endian 32-bit numbers."""
    return struct.pack(f"<{len(quarters)}I", *quarters)


Worked = tuple[Collection[datetime], list[tuple[int, str, int, int]]]
"""The kept days; and day (its start in µs), agent, how long he was ready and how long busy (µs)."""


def busy_days(
    db: Session, start: datetime, end: datetime, zone: ZoneInfo, those: Collection[str] | None = None
) -> Worked:
    """Of the kept days how long each of those agents was ready and busy; or all together, whose name is empty."""
    ready, busy = AgentDay.ready_us, AgentDay.talk_us + AgentDay.hold_us + AgentDay.wrap_up_us
    at, joins = _us(KeptDay.starts_at), AgentDay.day_at == KeptDay.starts_at
    if those is not None:
        rows = select(at, AgentDay.agent, ready, busy)
        joins &= AgentDay.agent.in_(those)
    else:  # as doubles, as agent_tallies says
        sums = [func.sum(cast(one, Double)) for one in (ready, busy)]
        rows = select(at, null(), *sums).group_by(KeptDay.starts_at)
    rows = rows.select_from(KeptDay).outerjoin(AgentDay, joins)
    told = db.connection().execute(rows.where(_within(DAY, start, end, zone, ()))).all()
    found = [(day_us, agent or "", int(ready or 0), int(busy or 0)) for day_us, agent, ready, busy in told]
    return {from_us(at) for at in {day_us for day_us, *_ in found}}, found


def busy_quarters(
    db: Session, start: datetime, end: datetime, zone: ZoneInfo, those: Collection[str] | None = None
) -> tuple[Collection[datetime], list[tuple[int, str, Sequence[int]]]]:
    """The same by quarter hour: of each day ready and busy in turn."""
    joins = AgentQuarters.day_at == KeptDay.starts_at
    if those is not None:
        joins &= AgentQuarters.agent.in_(those)
    rows = select(_us(KeptDay.starts_at), AgentQuarters.agent, AgentQuarters.quarters).select_from(KeptDay)
    rows = rows.outerjoin(AgentQuarters, joins).where(_within(DAY, start, end, zone, ()))
    of: dict[tuple[int, str], list[bytes]] = {}
    for day_us, agent, data in _all(db, rows):
        of.setdefault((day_us, agent or "" if those is not None else ""), []).append(data or b"")
    return {from_us(day_us) for day_us, _ in of}, [(day_us, agent, _added(own)) for (day_us, agent), own in of.items()]


def _added(several: Sequence[bytes]) -> Sequence[int]:
    """Packed quarters added up number by number: all at once, as digits of two whole numbers, which carry nothing."""
    count = max(len(data) for data in several) // 8
    ones = int.from_bytes(b"\xff\xff\xff\xff\0\0\0\0" * count, "little")
    ready = busy = 0
    for data in several:
        both = int.from_bytes(data, "little")
        ready += both & ones
        busy += both >> 32 & ones
    digits = (struct.unpack(f"<{count}Q", one.to_bytes(8 * count, "little")) for one in (ready, busy))
    return [one for pair in zip(*digits, strict=True) for one in pair]


def _all(db: Session, rows: Any) -> Sequence[Any]:
    return db.connection().execute(rows, execution_options={"as_bytes": True}).all()


def _us(column: Any) -> Any:
    return type_coerce(column, BigInteger)


def _within(span: str, start: datetime, end: datetime, zone: ZoneInfo, besides: Collection[Stretch]) -> Any:
    of_ours = and_(KeptDay.span == span, KeptDay.ready, KeptDay.zone == zone.key, KeptDay.version == VERSION)
    inside = and_(KeptDay.starts_at >= start, KeptDay.ends_at <= end)
    return and_(of_ours, inside, *(or_(KeptDay.starts_at < one, KeptDay.starts_at >= two) for one, two in besides))
