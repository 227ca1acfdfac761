"""Waits counted by piece of time and queue: from the days that are kept where they are, else from the calls."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import to_us
from config.queues import Queue
from config.settings import ServiceLevels
from cti import kept, rollups, waits
from cti.tallies import Tally
from reports import periods
from reports.figures import Figure
from reports.periods import Period
from reports.queue import Sums, figures
from reports.terms import Rules

_MONTH = timedelta(days=27)  # none is shorter; no shorter piece can hold one
ByQueue = dict[str, list[Tally]]
"""A queue may have several tallies, of several days."""


def tallies(
    db: Session,
    zone: ZoneInfo,
    now: datetime,
    period: Period,
    pieces: Sequence[Period],
    queue: str | None = None,
) -> list[ByQueue]:
    """One for each piece. The period is whole days, and the pieces are those of ``periods.pieces``."""
    by_month = all(piece.length > _MONTH for piece in pieces)
    found: list[ByQueue] = [{} for _ in pieces]
    starts = [to_us(piece.start) for piece in pieces]

    def put(at_us: int, name: str, tally: Tally) -> None:
        found[bisect_right(starts, at_us) - 1].setdefault(name, []).append(tally)

    days = periods.days(period, zone)
    fine = len(pieces) > len(days)
    told: dict[datetime, datetime] = {}
    if by_month:
        of_months = kept.tallies(db, period.start, period.end, zone, queue, months=True)
        told |= of_months.ends
        for at_us, name, tally in of_months.tallies:
            put(at_us, name, tally)
    of_days = kept.tallies(db, period.start, period.end, zone, queue, quarters=fine, besides=told.items())
    for at_us, name, tally in of_days.tallies:
        put(at_us, name, tally)
    for day in days:
        if day.start in of_days.days or day.start > now or within(day.start, told):
            continue
        of_day = waits.between(db, day.start, day.end, now, queue)
        for (at, name), tally in rollups.by_quarter(day.start, of_day).items():
            put(to_us(at), name, tally)
    return found


def within(at: datetime, stretches: Mapping[datetime, datetime]) -> bool:
    return any(start <= at < end for start, end in stretches.items())


def rules(db: Session, levels: ServiceLevels) -> dict[str, Rules]:
    return {row.name: Rules.of(row, levels) for row in db.scalars(select(Queue).order_by(Queue.name))}


def sums(of: ByQueue, rules: dict[str, Rules], levels: ServiceLevels) -> Sums:
    usual = Rules.of(None, levels)
    return Sums.of([(tally, rules.get(name, usual)) for name, own in of.items() for tally in own])


def told(
    of: Sums,
    names: Iterable[str],
    rules: dict[str, Rules],
    levels: ServiceLevels,
    queue: str | None = None,
    only: Iterable[str] | None = None,
) -> list[Figure]:
    """The figures of sums over these queues; where nobody called, they say the rules of those who could have."""
    usual = Rules.of(None, levels)
    own = {rules.get(name, usual) for name in names}
    return figures(of, own or {r for name, r in rules.items() if queue in (None, name)}, levels, only)
