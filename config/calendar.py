"""When the house works: the hours of each weekday, public holidays, and the working days moved for them (调休).

What is shipped holds until an administrator writes something over it; every edit is a row that stays, the last one of
its subject counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import holidays
from sqlalchemy import JSON, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, from_us, to_us
from callcenter.errors import BadInput
from callcenter.texts import Titled

DAY_MIN = 24 * 60
_LAST_YEAR = 2200

Span = tuple[int, int]
"""From and until, in minutes of the day."""


class CalendarEdit(Base):
    """One thing an administrator said of the calendars; the last one of a subject counts, none is deleted."""

    __tablename__ = "calendar_edits"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))  # week office; day 2026-02-14
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True)
class DayRule(Titled):
    """A day that differs from its weekday."""

    working: bool
    zh: str = ""
    en: str = ""
    own: bool = False  # said by an administrator, not by the list of public holidays


@dataclass(frozen=True)
class _Year:
    """The working spans of one year, in microseconds, and how much was worked before each."""

    starts: list[int]
    ends: list[int]
    before: list[int]
    total: int


@dataclass(frozen=True, eq=False)
class Calendar:
    """Working time as pure arithmetic: how much of it lies between two moments, and when so much will have passed."""

    zone: tzinfo
    week: tuple[tuple[Span, ...], ...]  # Monday first
    public: bool = False  # public holidays are free, and days moved for them are worked
    days: Mapping[date, DayRule] = field(default_factory=dict)
    country: str = "CN"
    _years: dict[int, _Year] = field(default_factory=dict, repr=False)

    def rule(self, day: date) -> DayRule | None:
        """What is special about a day, if anything."""
        own = self.days.get(day)
        if own is not None or not self.public:
            return own
        return public_days(self.country, day.year).get(day)

    def spans(self, day: date) -> tuple[Span, ...]:
        rule = self.rule(day)
        if rule is None:
            return self.week[day.weekday()]
        if not rule.working:
            return ()
        return self.week[day.weekday()] or next((spans for spans in self.week if spans), ())

    def is_open(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(begins <= minute < ends for begins, ends in self.spans(local.date()))

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from start until end; negative where end is earlier."""
        if end < start:
            return -self.between(end, start)
        base = start.year - 1
        return timedelta(microseconds=self._worked(base, end) - self._worked(base, start))

    def after(self, start: datetime, span: timedelta) -> datetime:
        """The first moment at which so much working time has passed since start.

        With nothing left to pass that is start itself; OverflowError where the calendar never works.
        """
        left = span // timedelta(microseconds=1)
        if left <= 0:
            return start
        at = to_us(start)
        for number in range(start.year - 1, _LAST_YEAR):
            year = self._year(number)
            done = self._worked_in(year, at)
            if year.total - done >= left:
                target = done + left
                index = bisect_left(year.before, target) - 1
                return from_us(year.starts[index] + target - year.before[index])
            left -= year.total - done
        raise OverflowError("this calendar never works so long")

    def _worked(self, base: int, at: datetime) -> int:
        """Since the beginning of the year ``base``; local years begin up to a day beside the UTC one."""
        stamp = to_us(at)
        return sum(self._worked_in(self._year(number), stamp) for number in range(base, at.year + 2))

    @staticmethod
    def _worked_in(year: _Year, at: int) -> int:
        index = bisect_right(year.starts, at) - 1
        if index < 0:
            return 0
        return year.before[index] + min(at, year.ends[index]) - year.starts[index]

    def _year(self, number: int) -> _Year:
        found = self._years.get(number)
        if found is None:
            found = self._years[number] = self._made(number)
        return found

    def _made(self, number: int) -> _Year:
        starts, ends, before, total = [], [], [], 0
        day, last = date(number, 1, 1), date(number, 12, 31)
        latest = 0
        while day <= last:
            midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
            for begins, until in self.spans(day):
                # Wall clock first, then the zone: a span that a change of clocks shortens is worked so much less.
                start = max(to_us(midnight + timedelta(minutes=begins)), latest)
                end = to_us(midnight + timedelta(minutes=until))
                if end > start:
                    starts.append(start)
                    ends.append(end)
                    before.append(total)
                    total += end - start
                    latest = end
            day += timedelta(days=1)
        return _Year(starts, ends, before, total)


@cache
def public_days(country: str, year: int) -> Mapping[date, DayRule]:
    """Public holidays and the days worked in exchange, as published for that year; {} for a country nobody lists."""
    try:
        known = holidays.country_holidays(country, years=year, language="en_US")
        local = holidays.country_holidays(country, years=year)
    except NotImplementedError:
        return {}
    found = {day: DayRule(False, local.get(day) or title, title) for day, title in known.items()}
    moved = {day: DayRule(True) for day in getattr(known, "weekend_workdays", ()) if day.year == year}
    return found | moved


# --- what holds here ---------------------------------------------------------------------------------------------

_OFFICE: tuple[Span, ...] = ((8 * 60 + 30, 12 * 60), (13 * 60 + 30, 17 * 60 + 30))
_SERVICE: tuple[Span, ...] = ((7 * 60, 21 * 60),)
_ALWAYS: tuple[Span, ...] = ((0, DAY_MIN),)

SHIPPED: dict[str, tuple[tuple[tuple[Span, ...], ...], bool]] = {
    "office": ((_OFFICE,) * 5 + ((),) * 2, True),
    "service": ((_SERVICE,) * 7, False),
    "always": ((_ALWAYS,) * 7, False),
}
"""The calendars by name, with whether public holidays are free; ``always`` cannot be changed."""

_newest = select(func.max(CalendarEdit.id))
_kept: WeakKeyDictionary[Any, tuple[int, dict[str, dict[str, Any]]]] = WeakKeyDictionary()
_made: WeakKeyDictionary[Any, tuple[int, dict[tuple[str, str, str], Calendar]]] = WeakKeyDictionary()


def version(db: Session) -> int:
    """Changes whenever the calendars do."""
    return db.scalar(_newest) or 0


def load(db: Session, name: str, zone: tzinfo, country: str = "CN") -> Calendar:
    """The calendar of this name as it is now; read once, then only asked whether it changed."""
    at, bind = version(db), db.get_bind()
    made = _made.get(bind)
    if made is None or made[0] != at:
        made = _made[bind] = (at, {})
    key = (name, str(zone), country)
    if key not in made[1]:
        edits = _edits(db, at)
        week, public = weeks(edits).get(name) or SHIPPED["always"]
        days = {} if name == "always" else own_days(edits)
        made[1][key] = Calendar(zone, week, public, days if public else {}, country)
    return made[1][key]


def _edits(db: Session, at: int) -> dict[str, dict[str, Any]]:
    """The last edit of every subject."""
    bind = db.get_bind()
    kept = _kept.get(bind)
    if kept is None or kept[0] != at:
        rows = db.execute(select(CalendarEdit.subject, CalendarEdit.value).order_by(CalendarEdit.id))
        kept = _kept[bind] = (at, {row[0]: row[1] for row in rows})
    return kept[1]


def weeks(edits: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[tuple[tuple[Span, ...], ...], bool]]:
    said = dict(SHIPPED)
    for subject, value in edits.items():
        kind, _, name = subject.partition(" ")
        if kind == "week":
            spans = tuple(tuple((int(a), int(b)) for a, b in day) for day in value["week"])
            said[name] = (spans, bool(value["public"]))
    return said


def own_days(edits: Mapping[str, Mapping[str, Any]]) -> dict[date, DayRule]:
    found = {}
    for subject, value in edits.items():
        kind, _, name = subject.partition(" ")
        if kind == "day" and value.get("working") is not None:
            found[date.fromisoformat(name)] = DayRule(
                bool(value["working"]), title := str(value.get("title", "")), title, own=True
            )
    return found


def all_weeks(db: Session) -> dict[str, tuple[tuple[tuple[Span, ...], ...], bool]]:
    return weeks(_edits(db, version(db)))


def set_week(db: Session, name: str, week: Sequence[str], public: bool, *, by: str, now: datetime) -> None:
    """Seven lines such as ``08:30-12:00 13:30-17:30``, Monday first; an empty one is a day off."""
    if name == "always" or name not in SHIPPED:
        raise BadInput("no calendar %(name)s can be changed", name=name[:20])
    spans = [list(hours(text)) for text in week]
    if len(spans) != 7 or not any(spans):
        raise BadInput("a week has seven days, and works on one of them at least")
    value = {"week": spans, "public": public}
    db.add(CalendarEdit(at=now, by=by, subject=f"week {name}", value=value))
    db.flush()


def set_day(db: Session, day: date, working: bool | None, title: str, *, by: str, now: datetime) -> None:
    """Make a day free or worked, whatever its weekday; None: as the list of public holidays has it."""
    value = {"working": working, "title": "".join(filter(str.isprintable, title)).strip()[:80]}
    db.add(CalendarEdit(at=now, by=by, subject=f"day {day.isoformat()}", value=value))
    db.flush()


def hours(text: str) -> tuple[Span, ...]:
    """``08:30-12:00 13:30-17:30`` in minutes of the day; BadInput where it is no such thing."""
    found: list[Span] = []
    for part in text.replace("，", " ").replace(",", " ").replace("–", "-").replace("：", ":").split():
        begins, dash, ends = part.partition("-")
        span = (_minute(begins), _minute(ends))
        if not dash or span[0] >= span[1] or (found and span[0] < found[-1][1]):
            raise BadInput("hours are written like 08:30-12:00 13:30-17:30, not %(text)s", text=text[:40])
        found.append(span)
    return tuple(found)


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit() and len(text) <= 5):
        raise BadInput("hours are written like 08:30-12:00 13:30-17:30, not %(text)s", text=text[:40])
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > DAY_MIN:
        raise BadInput("hours are written like 08:30-12:00 13:30-17:30, not %(text)s", text=text[:40])
    return found


def spelt(spans: Sequence[Span]) -> str:
    """The same, written as people write it."""
    return " ".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in spans)
