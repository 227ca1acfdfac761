"""One report: the figures of a period, and line by line as it was asked for; and the calls behind each figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import to_us
from callcenter.errors import NotFound
from config.settings import ServiceLevels
from cti import kept, waits
from cti.rows import Call
from cti.tallies import tally
from cti.waits import Wait
from reports import agents, counts, occupancy, periods, queue
from reports.agents import AgentTime
from reports.figures import Figure
from reports.gaps import gaps, touches
from reports.periods import Period
from reports.terms import Rules

BY = (*periods.STEPS, "queue", "agent")
LINE_FIGURES = (
    "offered",
    "answered",
    "abandoned",
    "short_abandons",
    "flow_outs",
    "service_level",
    "abandon_rate",
    "asa",
    "wait_p90",
    "longest_wait",
    "aht",
    "acw",
    "transfer_rate",
    "rona",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a report is asked for: whole days, cut in steps, by queue or by agent, of one queue or of all."""

    period: Period
    by: str = "day"
    queue: str | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A piece of time, or a queue, with its figures."""

    period: Period
    queue: str | None
    figures: list[Figure]


@dataclass(frozen=True, kw_only=True)
class Report:
    asked: Asked
    figures: list[Figure]
    lines: list[Line] = field(default_factory=list)
    agents: list[AgentTime] = field(default_factory=list)
    everybody: AgentTime | None = None
    target_share: float | None = None  # of the service level, if all these queues have the same
    gaps: list[Period] = field(default_factory=list)  # when the switch was not heard

    def deaf(self, period: Period) -> bool:
        """Whether the switch was not heard in some of it."""
        return any(touches(gap, period) for gap in self.gaps)


def report(db: Session, zone: ZoneInfo, now: datetime, asked: Asked, levels: ServiceLevels) -> Report:
    """NotFound for a queue nobody knows or a grouping nobody made; TooFine where there would be too many lines."""
    if asked.by not in BY:
        raise NotFound("report by %(by)s", by=asked.by)
    rules = counts.rules(db, levels)
    if asked.queue is not None and asked.queue not in rules:
        raise NotFound("queue %(queue)s", queue=asked.queue)
    step = asked.by if asked.by in periods.STEPS else None
    pieces = periods.pieces(asked.period, zone, step) if step else [asked.period]
    found = counts.tallies(db, zone, now, asked.period, pieces, asked.queue)
    mine = {name: own for name, own in rules.items() if asked.queue in (None, name)}

    called = {name for of in found for name in of}
    if asked.by == "queue":
        of_queues = {name: counts.sums({name: own}, rules, levels) for name, own in found[0].items()}
        of_pieces = [*of_queues.values()]
    else:
        of_pieces = [counts.sums(of, rules, levels) for of in found]
    whole = counts.told(queue.Sums.together(of_pieces), called, rules, levels, asked.queue)
    spent = occupancy.Spent(db, zone, now, asked.period)
    busy = spent.by_piece(pieces, asked.queue) if step else [spent.whole(asked.queue)]
    whole.append(occupancy.together(busy).figure)
    lines: list[Line] = []
    people: list[AgentTime] = []
    if step:
        lines = [
            Line(
                period=piece,
                queue=asked.queue,
                figures=[*counts.told(sums, of, rules, levels, asked.queue, LINE_FIGURES), time.figure],
            )
            for piece, of, sums, time in zip(pieces, found, of_pieces, busy, strict=True)
            if piece.start <= now
        ]
    elif asked.by == "queue":
        for name in [*mine, *sorted(called - mine.keys())]:  # those deleted since at the end
            sums = of_queues.get(name) or queue.Sums()
            figures = counts.told(sums, [name], rules, levels, name, LINE_FIGURES)
            figures.append(spent.whole(name).figure)
            lines.append(Line(period=asked.period, queue=name, figures=figures))
    else:
        people = agents.named(db, spent.by_agent, spent.pauses)
    everybody = agents.everybody(people) if people else None
    targets = {own.target_share for own in mine.values()}
    return Report(
        asked=asked,
        figures=whole,
        lines=lines,
        agents=people,
        everybody=everybody,
        target_share=targets.pop() if len(targets) == 1 else None,
        gaps=gaps(db, asked.period, now),
    )


def figure(
    db: Session,
    zone: ZoneInfo,
    now: datetime,
    piece: Period,
    name: str,
    queue_name: str | None,
    levels: ServiceLevels,
) -> Figure:
    """One figure of whole days or of a part of one; NotFound if nobody defined it."""
    if name not in queue.definitions(levels):
        raise NotFound("figure %(name)s", name=name)
    if piece.length >= periods.ONE or piece == periods.today(piece.start, zone):
        (found,) = counts.tallies(db, zone, now, piece, [piece], queue_name)
    else:
        joined = waits.between(db, piece.start, piece.end, now, queue_name)
        found = {name: [tally(wait for wait in joined if wait.queue == name)] for name in {w.queue for w in joined}}
    rules = counts.rules(db, levels)
    return counts.told(counts.sums(found, rules, levels), found, rules, levels, queue_name, [name])[0]


def behind(
    db: Session,
    zone: ZoneInfo,
    now: datetime,
    period: Period,
    name: str,
    queue_name: str | None,
    levels: ServiceLevels,
    limit: int = 500,
) -> list[tuple[Call, Wait, bool]]:
    """The calls a figure was made of, latest first; of a share, True for those that count as met.

    NotFound for a figure nobody defined.
    """
    definition = queue.definitions(levels).get(name)
    if definition is None:
        raise NotFound("figure %(name)s", name=name)
    rules = counts.rules(db, levels)
    found: list[tuple[Wait, bool]] = []
    for piece in _backwards(db, zone, now, period, queue_name):
        for wait in reversed(waits.between(db, piece.start, piece.end, now, queue_name)):
            part = definition.behind(wait, rules.get(wait.queue) or Rules.of(None, levels))
            if part is not None:
                found.append((wait, part))
        if len(found) >= limit:
            break
    del found[limit:]
    by_id = {c.call_id: c for c in db.scalars(select(Call).where(Call.call_id.in_({w.call_id for w, _ in found})))}
    return [(by_id[wait.call_id], wait, part) for wait, part in found if wait.call_id in by_id]


def _backwards(db: Session, zone: ZoneInfo, now: datetime, period: Period, queue_name: str | None) -> Iterator[Period]:
    """The period itself if it is part of a day, else its days that may have calls, the last first."""
    if period.length.days < 1:
        yield period
        return
    days = [day for day in periods.days(period, zone) if day.start <= now]
    if not days:
        return
    reach = Period(days[0].start, days[-1].end)
    of_days = kept.tallies(db, reach.start, reach.end, zone, queue_name)
    busy = {at_us for at_us, _, _ in of_days.tallies}
    for day in reversed(days):
        if day.start not in of_days.days or to_us(day.start) in busy:
            yield day
