"""Today so far, for the whole centre, by queue and by agent; and the calls behind each figure."""

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
from reports.terms import Rules


def today(db: Session, zone: ZoneInfo, now: datetime, levels: ServiceLevels, queue: str | None = None) -> list[Figure]:
    """The figures of the local day that holds ``now``, of one queue or of all."""
    day = periods.today(now, zone)
    (found,) = counts.tallies(db, zone, now, day, [day], queue)
    return _figures(found, counts.rules(db, levels), queue, levels)


def by_queue(db: Session, zone: ZoneInfo, now: datetime, levels: ServiceLevels) -> dict[str, list[Figure]]:
    """Each queue's figures by its name, quiet ones included; their counts add up to those of ``today``."""
    day = periods.today(now, zone)
    (found,) = counts.tallies(db, zone, now, day, [day])
    rules = counts.rules(db, levels)
    told = {}
    for name in [*rules, *sorted(found.keys() - rules.keys())]:  # those deleted since at the end
        sums = counts.sums({name: found.get(name, [])}, rules, levels)
        told[name] = counts.told(sums, [name], rules, levels)
    return told


def by_agent(db: Session, zone: ZoneInfo, now: datetime) -> list[AgentTime]:
    return agents.times(db, periods.today(now, zone), now, zone)


def calls_behind(
    db: Session,
    zone: ZoneInfo,
    now: datetime,
    name: str,
    queue_name: str | None,
    levels: ServiceLevels,
    limit: int = 500,
) -> list[tuple[Call, Wait, bool]]:
    """The calls a figure of today was made of, latest first; of a share, True for those that count as met."""
    return report.behind(db, zone, now, periods.today(now, zone), name, queue_name, levels, limit)


def _figures(of: ByQueue, rules: dict[str, Rules], name: str | None, levels: ServiceLevels) -> list[Figure]:
    return counts.told(counts.sums(of, rules, levels), of, rules, levels, name)
