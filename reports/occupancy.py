"""How busy those are who serve a queue, or all: by piece of time and by queue, from kept days where they are.

Of a queue it is the time of who served it on that day, whatever he was busy with: whoever serves two queues is not
half ready in each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from operator import add
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import from_us, to_us
from cti import kept, spent
from cti.rows import Membership
from reports import periods
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

    def by_piece(self, pieces: Sequence[Period], queue: str | None = None) -> list[Time]:
        """One for each of ``periods.pieces``; ``queue``: of those who served it."""
        found = [Time() for _ in pieces]
        starts = [to_us(piece.start) for piece in pieces]
        of_day: dict[int, list[int]] = {}
        fine = len(pieces) > len(self._days)
        for day_us, agent, times in self._times(fine, queue is not None):
            if times and (queue is None or agent in self._served(queue, day_us)):
                standing = of_day.get(day_us)
                of_day[day_us] = [*map(add, standing, times)] if standing else [*times]
        for day_us, times in of_day.items():
            for number in range(0, len(times), 2):
                at_us = day_us + number // 2 * spent.QUARTER_US
                found[bisect_right(starts, at_us) - 1].add(times[number], times[number + 1])
        return found

    def by_queue(self, queue: str) -> Time:
        return self.by_piece([self.period], queue)[0]

    def _times(self, fine: bool, by_agent: bool) -> Times:
        if fine:
            return self._quarters
        return self._agents_days if by_agent else self._whole_days

    @cached_property
    def _days(self) -> list[Period]:
        return [day for day in periods.days(self.period, self.zone) if day.start <= self.now]

    @cached_property
    def _quarters(self) -> Times:
        days, times = kept.busy_quarters(self.db, self.period.start, self.period.end, self.zone)
        return [*times, *self._read_beside(days)]

    @cached_property
    def _agents_days(self) -> Times:
        return self._of_days(by_agent=True)

    @cached_property
    def _whole_days(self) -> Times:
        return self._of_days(by_agent=False)

    def _of_days(self, *, by_agent: bool) -> Times:
        days, told = kept.busy_days(self.db, self.period.start, self.period.end, self.zone, by_agent=by_agent)
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

    def _served(self, queue: str, day_us: int) -> Collection[str]:
        """Who served the queue in some of the day."""
        if (queue, day_us) not in self._members:
            day = periods.day(from_us(day_us).astimezone(self.zone).date(), self.zone)
            self._members[queue, day_us] = {
                extension
                for extension, begun, ended in self._memberships.get(queue, ())
                if begun < day.end and (ended is None or ended > day.start)
            }
        return self._members[queue, day_us]

    @cached_property
    def _members(self) -> dict[tuple[str, int], Collection[str]]:
        return {}

    @cached_property
    def _memberships(self) -> dict[str, list[tuple[str, datetime, datetime | None]]]:
        found: dict[str, list[tuple[str, datetime, datetime | None]]] = {}
        for row in self.db.scalars(select(Membership).where(Membership.started_at < self.period.end)):
            found.setdefault(row.queue, []).append((row.extension, row.started_at, row.ended_at))
        return found
