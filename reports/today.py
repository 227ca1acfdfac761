"""Today so far, for the whole centre, by queue, by half hour and by agent; and the calls behind each figure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from config.settings import ServiceLevels
from cti.rows import Call
from cti.waits import Wait
from reports import agents, counts, periods, report
from reports.agents import AgentTime
from reports.counts import ByQueue
from reports.figures import Figure
from reports.periods import Period
from reports.report import LEVELS
from reports.terms import Rules


def today(
    db: Session, zone: ZoneInfo, now: datetime, queue: str | None = None, levels: ServiceLevels = LEVELS
) -> list[Figure]:
    """The figures of the local day that holds ``now``, of one queue or of all."""
    day = periods.today(now, zone)
    (found,) = counts.tallies(db, zone, now, day, [day], queue)
    return _figures(found, counts.rules(db, levels), queue, levels)


def by_queue(db: Session, zone: ZoneInfo, now: datetime, levels: ServiceLevels = LEVELS) -> dict[str, list[Figure]]:
    """Each queue's figures by its name, quiet ones included; their counts add up to those of ``today``."""
    day = periods.today(now, zone)
    (found,) = counts.tallies(db, zone, now, day, [day])
    rules = counts.rules(db, levels)
    told = {}
    for name in [*rules, *sorted(found.keys() - rules.keys())]:  # those deleted since at the end
        sums = counts.sums({name: found.get(name, [])}, rules, levels)
        told[name] = counts.told(sums, [name], rules, levels)
    return told


def by_half_hour(
    db: Session, zone: ZoneInfo, now: datetime, queue_name: str | None = None, levels: ServiceLevels = LEVELS
) -> list[tuple[Period, list[Figure]]]:
    """The day's half hours up to now, each with the figures of those who joined in it."""
    day = periods.today(now, zone)
    pieces = list(periods.slices(day))
    rules = counts.rules(db, levels)
    found = counts.tallies(db, zone, now, day, pieces, queue_name)
    return [
        (piece, _figures(of, rules, queue_name, levels))
        for piece, of in zip(pieces, found, strict=True)
        if piece.start <= now
    ]


def by_agent(db: Session, zone: ZoneInfo, now: datetime) -> list[AgentTime]:
    return agents.times(db, periods.today(now, zone), now, zone)


def calls_behind(
    db: Session,
    zone: ZoneInfo,
    now: datetime,
    name: str,
    queue_name: str | None = None,
    limit: int = 500,
    levels: ServiceLevels = LEVELS,
) -> list[tuple[Call, Wait, bool]]:
    """The calls a figure of today was made of, latest first; of a share, True for those that count as met."""
    return report.behind(db, zone, now, periods.today(now, zone), name, queue_name, levels, limit)


def _figures(of: ByQueue, rules: dict[str, Rules], name: str | None, levels: ServiceLevels) -> list[Figure]:
    return counts.told(counts.sums(of, rules, levels), of, rules, levels, name)
