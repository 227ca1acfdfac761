"""Finished days, counted once: each queue by quarter hour and by day, each agent by day; no threshold in them.

A day is either *kept*, and its rows say exactly what its calls say, or it is not, and whoever reports reads its calls.
``doubt`` drops the days a fact touches, in the fact's own transaction; ``keep`` counts what is finished and not kept.
Months whose days are all kept are kept too, and dropped with any of their days.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from callcenter.database import Base, Database
from cti import spent, waits
from cti.kept import (
    DAY,
    MONTH,
    PARTS,
    VERSION,
    AgentDay,
    AgentMonth,
    AgentQuarters,
    KeptDay,
    QueueDay,
    QueueMonth,
    QueueQuarter,
    Stretch,
    agent_tallies,
    packed,
    tallies,
)
from cti.rows import Segment, Spell
from cti.tallies import AGENT_SUMS, NUMBERS, SPREADS, AgentTally, Tally, tally, together
from cti.waits import Wait

log = logging.getLogger(__name__)

QUARTER = timedelta(minutes=15)
FOR_EVER = datetime.max.replace(tzinfo=UTC)
_GIVEN_UP_AFTER = timedelta(minutes=10)  # a day begun and never finished: that process is gone


# Of the table, not the class, and built once: every batch of facts says this.
_DAYS = Base.metadata.tables["kept_days"]
_DOUBTED = delete(_DAYS).where(_DAYS.c.ends_at > bindparam("start"), _DAYS.c.starts_at <= bindparam("end"))


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
    days: Sequence[Stretch],
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
        standing = select(KeptDay.starts_at, KeptDay.ends_at).where(KeptDay.span == DAY)
        kept = {(start, end) for start, end in db.execute(standing)}
    count = 0
    for start, end in days:
        if stopped():
            break
        if end <= now and (start, end) not in kept:
            count += _keep_day(database, start, end, zone, now)
    return count


def keep_months(
    database: Database,
    months: Sequence[Sequence[Stretch]],
    zone: ZoneInfo,
    now: datetime,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Add up those of the months (as their days) whose days are all kept; how many were not yet."""
    with database.read() as db:
        kept = set(db.scalars(select(KeptDay.starts_at).where(KeptDay.span == MONTH, KeptDay.zone == zone.key)))
    count = 0
    for days in months:
        if stopped():
            break
        if days[0][0] not in kept:
            count += _keep_month(database, days, zone, now)
    return count


def _keep_month(database: Database, days: Sequence[Stretch], zone: ZoneInfo, now: datetime) -> bool:
    start, end = days[0][0], days[-1][1]
    with database.write() as db:
        _lock(database, db)
        found = tallies(db, start, end, zone)
        if found.days != {day for day, _ in days}:
            return False
        _, agents = agent_tallies(db, start, end, zone)
        of_queue: dict[str, list[Tally]] = {}
        for _, name, own in found.tallies:
            of_queue.setdefault(name, []).append(own)
        for table in (QueueMonth, AgentMonth):
            db.execute(delete(table).where(table.month_at == start))
        db.execute(
            insert(KeptDay).values(
                starts_at=start, span=MONTH, ends_at=end, zone=zone.key, version=VERSION, begun_at=now, ready=True
            )
        )
        rows = [_row(together(own), month_at=start, queue=name) for name, own in of_queue.items()]
        _insert(db, QueueMonth, rows)
        _insert(db, AgentMonth, [_agent_row(own, month_at=start, agent=name) for name, own in agents.items()])
    return True


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
        _lock(database, db)
        dialect: Any = sqlite if database.is_sqlite else postgresql
        row = {
            "starts_at": start,
            "span": DAY,
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
        (worked,) = spent.by_quarter(db, [(start, end)], now)
    this = and_(KeptDay.starts_at == start, KeptDay.span == DAY, KeptDay.begun_at == now, KeptDay.ready.is_(False))
    with database.write() as db:
        if not all(wait.settled for wait in found):
            db.execute(delete(KeptDay).where(this))
            return False
        still = db.execute(update(KeptDay).where(this).values(ready=True).returning(KeptDay.starts_at)).all()
        if not still:
            return False
        for table in (QueueDay, QueueQuarter, AgentDay, AgentQuarters):
            db.execute(delete(table).where(table.day_at == start))
        quarters = by_quarter(start, found)
        _insert(db, QueueQuarter, [_row(t, day_at=start, starts_at=at, queue=q) for (at, q), t in quarters.items()])
        queues = sorted({wait.queue for wait in found})
        of_day = {name: tally(wait for wait in found if wait.queue == name) for name in queues}
        _insert(db, QueueDay, [_row(own, day_at=start, queue=name) for name, own in of_day.items()])
        _insert(db, AgentDay, [_agent_row(own, day_at=start, agent=name) for name, own in agents.items()])
        worked_rows = [{"day_at": start, "agent": name, "quarters": packed(own)} for name, own in worked.items()]
        _insert(db, AgentQuarters, worked_rows)
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


def _agent_row(own: AgentTally, **key: object) -> dict[str, object]:
    return key | {name: getattr(own, name) for name in AGENT_SUMS}


def _lock(database: Database, db: Session) -> None:
    """Whoever has doubted a day before it was there to be seen must have committed before it is counted."""
    if not database.is_sqlite:
        db.execute(text("LOCK TABLE kept_days IN SHARE ROW EXCLUSIVE MODE"))


def _insert(db: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        db.execute(insert(table.__table__), rows)  # type: ignore[arg-type]  # SQLAlchemy's own: it is a Table
