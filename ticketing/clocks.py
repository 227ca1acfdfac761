"""How much time a ticket has: always told anew from what was done to it, so no counter can drift.

Time is counted in the working hours of the kind's calendar and rests while the customer is waited for. What a person
has promised by the clock on the wall stands as promised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from config.calendar import Calendar
from ticketing.kinds import ClockRule
from ticketing.rows import TicketEntry, TicketState

_ZERO = timedelta(0)


class Told(Protocol):
    """What a clock needs of an entry."""

    @property
    def at(self) -> datetime: ...
    @property
    def what(self) -> str: ...
    @property
    def changes(self) -> dict[str, object]: ...


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Where the two promises of a ticket stand."""

    opened_at: datetime
    response_due: datetime | None = None
    responded_at: datetime | None = None
    due: datetime | None = None  # None: nothing promised, or the clock rests
    promised: bool = False  # by a person, not by the rule
    solved_at: datetime | None = None
    paused_at: datetime | None = None
    left: timedelta | None = None  # working time still there; of a resting clock; negative: so much too late
    worked: timedelta = _ZERO  # working time used

    def late(self, now: datetime) -> bool:
        if self.paused_at is not None and not self.promised:
            return self.left is not None and self.left < _ZERO
        return self.due is not None and (self.solved_at or now) > self.due


def read(entries: Iterable[TicketEntry | Told], rule: ClockRule, calendar: Calendar, now: datetime) -> Clock:
    """The clock at ``now``, from the entries in their order. Pure: the same history reads alike whenever it is read."""
    run = _Run()
    for entry in entries:
        run.hear(entry)
    return run.clock(rule, calendar, now)


class _Run:
    """What has been heard so far of one run, from opening or reopening to now."""

    def __init__(self) -> None:
        self.opened_at: datetime | None = None
        self.began_at: datetime | None = None  # running since; None: resting or over
        self.spells: list[tuple[datetime, datetime]] = []  # over
        self.paused_at: datetime | None = None
        self.responded_at: datetime | None = None
        self.solved_at: datetime | None = None
        self.promised: datetime | None = None
        self.again = False

    def hear(self, entry: TicketEntry | Told) -> None:
        if entry.what == "opened":
            self.opened_at = self.began_at = entry.at
        elif entry.what == "reopened":  # a new run, with its promise counted from now
            self.opened_at = self.began_at = entry.at
            self.spells, self.paused_at, self.solved_at, self.promised, self.again = [], None, None, None, True
        changes = entry.changes or {}
        if "due_at" in changes:
            said = _after(changes["due_at"])
            self.promised = datetime.fromisoformat(said) if isinstance(said, str) else None
        if "responded_at" in changes and self.responded_at is None:
            self.responded_at = entry.at
        if "solved_at" in changes:
            self._stop(entry.at)
            self.solved_at = entry.at if _after(changes["solved_at"]) is not None else None
            if self.solved_at is None:
                self.began_at = entry.at
        state = TicketState.CLOSED if entry.what == "closed" else _after(changes.get("state"))
        if state == TicketState.CLOSED:
            self._stop(entry.at)
            self.solved_at = self.solved_at or entry.at
            self.responded_at = self.responded_at or entry.at
            self.paused_at = None
        elif state == TicketState.WAITING and self.began_at is not None:
            self._stop(entry.at)
            self.paused_at = entry.at
        elif state == TicketState.OPEN and self.paused_at is not None:
            self.began_at, self.paused_at = entry.at, None

    def _stop(self, at: datetime) -> None:
        if self.began_at is not None:
            self.spells.append((self.began_at, at))
            self.began_at = None

    def clock(self, rule: ClockRule, calendar: Calendar, now: datetime) -> Clock:
        opened = self.opened_at or now
        spells = [*self.spells, (self.began_at, max(now, self.began_at))] if self.began_at else self.spells
        worked = sum((calendar.between(*spell) for spell in spells), _ZERO)
        allowed = None if rule.solution_min is None else timedelta(minutes=rule.solution_min)
        due = self.promised
        if due is None and allowed is not None and self.paused_at is None:
            due = whole_minute(_reached(spells or [(opened, opened)], allowed, calendar))
        response = None
        if rule.response_min is not None and not self.again:
            response = whole_minute(calendar.after(opened, timedelta(minutes=rule.response_min)))
        return Clock(
            opened_at=opened,
            response_due=response,
            responded_at=self.responded_at,
            due=due,
            promised=self.promised is not None,
            solved_at=self.solved_at,
            paused_at=self.paused_at,
            left=None if allowed is None else allowed - worked,
            worked=worked,
        )


def _reached(spells: Sequence[tuple[datetime, datetime]], allowed: timedelta, calendar: Calendar) -> datetime:
    """When the time allowed is used up: in one of the spells, or after the last as if it went on."""
    for began, ended in spells[:-1]:
        spent = calendar.between(began, ended)
        if spent >= allowed:
            return calendar.after(began, allowed)
        allowed -= spent
    return calendar.after(spells[-1][0], allowed)


def _after(change: object) -> object:
    return change[1] if isinstance(change, Sequence) and not isinstance(change, str) and len(change) == 2 else None


def whole_minute(at: datetime) -> datetime:
    """Promises are made by the minute, as forms write them: the next full one."""
    return at + timedelta(microseconds=-(at.second * 1_000_000 + at.microsecond) % 60_000_000)
