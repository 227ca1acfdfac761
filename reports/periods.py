"""Stretches of local time as the UTC moments they begin and end at; the only place where reports know a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo


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


def slices(period: Period, minutes: int = 30) -> Iterator[Period]:
    """The period cut into equal pieces of real time from its start; the last may be shorter."""
    step = timedelta(minutes=minutes)
    start = period.start
    while start < period.end:
        yield Period(start, min(start + step, period.end))
        start += step


def _midnight(local: date, zone: tzinfo) -> datetime:
    # fold=0: of two midnights the first; a midnight in a gap is taken with the offset before it, which is the change.
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)
