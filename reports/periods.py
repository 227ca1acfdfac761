"""Stretches of local time as the UTC moments they begin and end at; the only place where reports know a zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby

from callcenter.errors import CallCenterError

ONE = timedelta(days=1)
LONGEST_DAYS = 3660
MOST_PIECES = 3000


class TooFine(CallCenterError):
    """These are more lines than anybody reads; take longer steps or fewer days."""

    status = 422


class BadPeriod(CallCenterError):
    """A period begins on a day, ends on that day or later, and is ten years long at most."""

    status = 422


@dataclass(frozen=True)
class Period:
    """From ``start``, up to but without ``end``; both UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def day(local: date, zone: tzinfo) -> Period:
    """One local day: 23 or 25 hours long where the clocks change, any length where a government changes its zone.

    Where midnight does not exist, or comes twice, the day begins at the change, or at the first of the two.
    """
    return Period(_midnight(local, zone), _midnight(local + timedelta(days=1), zone))


def today(now: datetime, zone: tzinfo) -> Period:
    return day(now.astimezone(zone).date(), zone)


def span(first: date, last: date, zone: tzinfo) -> Period:
    """From the one day to the other, both included; BadPeriod where there is no such time, or too much."""
    if not (0 <= (last - first).days <= LONGEST_DAYS and date(1970, 1, 2) <= first and last <= date(9999, 1, 1)):
        raise BadPeriod
    return Period(_midnight(first, zone), _midnight(last + ONE, zone))


@lru_cache(maxsize=8)  # a report asks for its own several times
def days(period: Period, zone: tzinfo) -> tuple[Period, ...]:
    """The local days of a period that begins and ends with one; days a zone has skipped are left out."""
    found = []
    local = period.start.astimezone(zone).date()
    start = period.start
    while start < period.end:
        local += ONE
        end = _midnight(local, zone)
        if end > start:
            found.append(Period(start, end))
            start = end
    return tuple(found)


def slices(period: Period, minutes: int = 30) -> Iterator[Period]:
    """The period cut into equal pieces of real time from its start; the last may be shorter."""
    step = timedelta(minutes=minutes)
    start = period.start
    while start < period.end:
        yield Period(start, min(start + step, period.end))
        start += step


STEPS: dict[str, int | Callable[[date], object]] = {  # minutes, or what the days of a piece have in common
    "quarter": 15,
    "half_hour": 30,
    "hour": 60,
    "day": lambda local: local,
    "week": lambda local: local.isocalendar()[:2],
    "month": lambda local: (local.year, local.month),
}


def pieces(period: Period, zone: tzinfo, step: str) -> list[Period]:
    """The period in steps; the pieces of a day begin anew with each day, so none lies in two. TooFine if too many."""
    size = STEPS[step]
    whole = days(period, zone)
    if isinstance(size, int):
        if period.length / timedelta(minutes=size) > MOST_PIECES:
            raise TooFine
        return [piece for one in whole for piece in slices(one, size)]
    alike = (list(group) for _, group in groupby(whole, key=lambda one: size(one.start.astimezone(zone).date())))
    return [Period(group[0].start, group[-1].end) for group in alike]


NAMES = ("today", "yesterday", "this_week", "last_week", "this_month", "last_month")


def named(name: str, today: date) -> tuple[date, date]:
    """First and last day; a week begins on Monday. KeyError for a name nobody gave."""
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    return {
        "today": (today, today),
        "yesterday": (today - ONE, today - ONE),
        "this_week": (monday, monday + 6 * ONE),
        "last_week": (monday - 7 * ONE, monday - ONE),
        "this_month": (month, (month + 31 * ONE).replace(day=1) - ONE),
        "last_month": ((month - ONE).replace(day=1), month - ONE),
    }[name]


def _midnight(local: date, zone: tzinfo) -> datetime:
    # fold=0: of two midnights the first; a midnight in a gap is taken with the offset before it, which is the change.
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)
