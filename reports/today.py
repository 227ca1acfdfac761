"""Today so far, for the whole centre, by queue, by half hour and by agent; and the calls behind each figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import NotFound
from config.queues import Queue
from cti.rows import Call
from reports import agents, periods, queue
from reports.agents import AgentTime
from reports.figures import Figure
from reports.periods import Period
from reports.queue import DEFINITIONS, Wait


def today(db: Session, zone: tzinfo, now: datetime, queue: str | None = None) -> list[Figure]:
    """The figures of the local day that holds ``now``, of one queue or of all."""
    return _figures(db, periods.today(now, zone), now, queue)


def by_queue(db: Session, zone: tzinfo, now: datetime) -> dict[str, list[Figure]]:
    """Each queue's figures by its name, quiet ones included; their counts add up to those of ``today``."""
    rows = queue.waits(db, periods.today(now, zone), now)
    names = [*db.scalars(select(Queue.name).order_by(Queue.name))]
    names += sorted({row.queue for row in rows} - set(names))  # deleted since
    settings = {row.name: row for row in db.scalars(select(Queue))}
    return {
        name: queue.figures([row for row in rows if row.queue == name], _thresholds(settings.get(name)))
        for name in names
    }


def by_half_hour(
    db: Session, zone: tzinfo, now: datetime, queue_name: str | None = None
) -> list[tuple[Period, list[Figure]]]:
    """The day's half hours up to now, each with the figures of those who joined in it."""
    whole = periods.today(now, zone)
    rows = queue.waits(db, whole, now, queue_name)
    return [
        (slice_, queue.figures([row for row in rows if row.joined_at in slice_]))
        for slice_ in periods.slices(whole)
        if slice_.start <= now
    ]


def by_agent(db: Session, zone: tzinfo, now: datetime) -> list[AgentTime]:
    return agents.times(db, periods.today(now, zone), now)


def calls_behind(
    db: Session, zone: tzinfo, now: datetime, name: str, queue_name: str | None = None, limit: int = 500
) -> Sequence[tuple[Call, Wait, bool]]:
    """The calls a figure of today was made of, latest first; of a share, True for those above the line."""
    if name not in DEFINITIONS:
        raise NotFound(f"figure {name}")
    rows = queue.behind(queue.waits(db, periods.today(now, zone), now, queue_name), name)[::-1][:limit]
    calls = select(Call).where(Call.call_id.in_({wait.call_id for wait, _ in rows}))
    by_id = {call.call_id: call for call in db.scalars(calls)}
    return [(by_id[wait.call_id], wait, counts) for wait, counts in rows if wait.call_id in by_id]


def _figures(db: Session, period: Period, now: datetime, name: str | None) -> list[Figure]:
    settings = db.get(Queue, name) if name is not None else None
    return queue.figures(queue.waits(db, period, now, name), _thresholds(settings))


def _thresholds(settings: Queue | None) -> dict[str, float]:
    return {"T": settings.target_s, "s": settings.short_abandon_s} if settings is not None else {}
