"""How busy those are who serve a queue, or all: by piece of time and by queue, from kept days where they are.

Of a queue it is the time of who served it on that day, whatever he was busy with: whoever serves two queues is not
half ready in each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby
from operator import add
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import to_us
from cti import kept, spent
from cti.rows import Membership
from cti.tallies import AgentTally
from reports import periods
from reports.agents import Pauses, busy, tallies
from reports.figures import Figure
from reports.periods import Period


@dataclass(slots=True)
class Time:
    """Of agents, in µs: ready for calls, and busy with them."""

    ready_us: int = 0
    busy_us: int = 0

    def add(self, ready_us: int, busy_us: int) -> None:
        self.ready_us += ready_us
        self.busy_us += busy_us

    @property
    def figure(self) -> Figure:
        whole = self.ready_us + self.busy_us
        return Figure(
            name="occupancy",
            value=self.busy_us / whole if whole else None,
            unit="share",
            zh="占用率",
            en="Occupancy",
            formula_zh="（通话 + 保持 + 话后）/（通话 + 保持 + 话后 + 空闲）；当日服务该队列的座席，不论忙于何事",
            formula_en="(talk + hold + wrap-up) / (talk + hold + wrap-up + ready), of who served the queue that day, "
            "whatever he was busy with",
            definition_version=1,
            of_calls=False,
        )


def together(times: Iterable[Time]) -> Time:
    whole = Time()
    for one in times:
        whole.add(one.ready_us, one.busy_us)
    return whole


Times = list[tuple[int, str, Sequence[int]]]
"""Day (its start in µs), agent, and ready and busy in turn: of the day, or of its quarter hours."""


@dataclass
class Spent:
    """What agents did on the days of a period, read once, whatever is asked of it."""

    db: Session
    zone: ZoneInfo
    now: datetime
    period: Period
    pauses: Pauses = field(default_factory=dict)  # known when ``by_agent`` is

    def by_piece(self, pieces: Sequence[Period], queue: str | None = None) -> list[Time]:
        """One for each of ``periods.pieces``; ``queue``: of those who served it."""
        found = [Time() for _ in pieces]
        starts = [to_us(piece.start) for piece in pieces]
        of_day: dict[int, list[int]] = {}
        fine = len(pieces) > len(self._days)
        those = None if queue is None else self._runs(queue)
        for day_us, agent, times in self._of_quarters(those) if fine else self._of_days(those):
            if times and (queue is None or self._served(queue, agent, day_us)):
                standing = of_day.get(day_us)
                of_day[day_us] = [*map(add, standing, times)] if standing else [*times]
        for day_us, times in of_day.items():
            for number in range(0, len(times), 2):
                at_us = day_us + number // 2 * spent.QUARTER_US
                found[bisect_right(starts, at_us) - 1].add(times[number], times[number + 1])
        return found

    def whole(self, queue: str | None = None) -> Time:
        """Of all the period; who served the queue on every day of it is told by his sum, others day by day."""
        found = Time()
        sometimes = {} if queue is None else self._sometimes(queue)
        for agent in self.by_agent if queue is None else self._runs(queue).keys() - sometimes.keys():
            tally = self.by_agent.get(agent, AgentTally())
            found.add(tally.ready_us, busy(tally))
        for agent, served in sometimes.items():
            for day_us, (ready_us, busy_us) in self._of_movers.get(agent, ()):
                if self._numbers.get(day_us) in served:
                    found.add(ready_us, busy_us)
        return found

    @cached_property
    def by_agent(self) -> dict[str, AgentTally]:
        return tallies(self.db, self.period, self.now, self.zone, self.pauses)

    @cached_property
    def _days(self) -> list[Period]:
        return [day for day in periods.days(self.period, self.zone) if day.start <= self.now]

    def _of_quarters(self, those: Collection[str] | None) -> Times:
        """By quarter hour, of everybody together or of each of those."""
        days, times = kept.busy_quarters(self.db, self.period.start, self.period.end, self.zone, those)
        return [*times, *self._read_beside(days)]

    @cached_property
    def _of_movers(self) -> dict[str, list[tuple[int, Sequence[int]]]]:
        found: dict[str, list[tuple[int, Sequence[int]]]] = {}
        movers = {agent for queue in self._memberships for agent in self._sometimes(queue)}
        for day_us, agent, times in self._of_days(movers):
            found.setdefault(agent, []).append((day_us, times))
        return found

    def _of_days(self, those: Collection[str] | None) -> Times:
        """The same by day."""
        days, told = kept.busy_days(self.db, self.period.start, self.period.end, self.zone, those)
        times: Times = [(day_us, agent, (ready, busy)) for day_us, agent, ready, busy in told]
        for day_us, agent, quarters in self._read_beside(days):
            times.append((day_us, agent, (sum(quarters[0::2]), sum(quarters[1::2]))))
        return times

    def _read_beside(self, kept_days: Collection[datetime]) -> Times:
        """Of the days that are not kept, by quarter hour; those that follow one another are read at once."""
        missing = [day for day in self._days if day.start not in kept_days and day.start not in self._spells]
        for _, run in groupby(enumerate(missing), key=lambda one: self._days.index(one[1]) - one[0]):
            days = [day for _, day in run]
            told = spent.by_quarter(self.db, [(day.start, day.end) for day in days], self.now)
            self._spells |= {day.start: own for day, own in zip(days, told, strict=True)}
        return [
            (to_us(day.start), agent, own)
            for day in self._days
            if day.start not in kept_days
            for agent, own in self._spells[day.start].items()
        ]

    @cached_property
    def _spells(self) -> dict[datetime, dict[str, list[int]]]:
        return {}

    # --- who served which queue ---------------------------------------------------------------------------------

    def _served(self, queue: str, agent: str, day_us: int) -> bool:
        """Whether he served the queue in some of the day."""
        number = self._numbers.get(day_us)
        return any(number in run for run in self._runs(queue).get(agent, ()))

    def _sometimes(self, queue: str) -> dict[str, set[int]]:
        """Who served the queue on some of the days only, and on which."""
        if queue not in self._known:
            whole = range(len(self._days))
            some = {agent: set().union(*runs) for agent, runs in self._runs(queue).items() if whole not in runs}
            self._known[queue] = {agent: served for agent, served in some.items() if len(served) < len(whole)}
        return self._known[queue]

    @cached_property
    def _known(self) -> dict[str, dict[str, set[int]]]:
        return {}

    def _runs(self, queue: str) -> dict[str, list[range]]:
        """By agent the days on which he served the queue, by their number."""
        return self._memberships.get(queue, {})

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {to_us(day.start): number for number, day in enumerate(self._days)}

    @cached_property
    def _memberships(self) -> dict[str, dict[str, list[range]]]:
        starts, ends = [day.start for day in self._days], [day.end for day in self._days]
        rows = select(Membership.queue, Membership.extension, Membership.started_at, Membership.ended_at)
        found: dict[str, dict[str, list[range]]] = {}
        for queue, extension, begun, ended in self.db.execute(rows.where(Membership.started_at < self.period.end)):
            run = range(bisect_right(ends, begun), len(starts) if ended is None else bisect_left(starts, ended))
            if run:
                found.setdefault(queue, {}).setdefault(extension, []).append(run)
        return found
