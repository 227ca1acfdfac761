"""The clock of a ticket, told from its history: running, resting, reopened; never a counter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from config.calendar import SHIPPED, Calendar
from ticketing import clocks
from ticketing.kinds import ClockRule

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = Calendar(SHANGHAI, *SHIPPED["office"])
ALWAYS = Calendar(SHANGHAI, *SHIPPED["always"])
RULE = ClockRule(response_min=120, solution_min=480, calendar="office")
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI)


@dataclass
class Entry:
    at: datetime
    what: str
    changes: dict[str, Any] = field(default_factory=dict)


def state(at: datetime, before: str, after: str) -> Entry:
    return Entry(at, "changed", {"state": [before, after]})


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_a_complaint_of_monday_morning_is_due_by_tuesday_morning():
    clock = clocks.read([Entry(MONDAY, "opened")], RULE, OFFICE, MONDAY + hours(1))
    assert clock.response_due == MONDAY + hours(2)
    assert clock.due == datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
    assert clock.left == hours(7)
    assert not clock.late(MONDAY + hours(24))
    assert clock.late(MONDAY + hours(25))


def test_while_the_customer_is_waited_for_nothing_is_due_and_nothing_runs():
    told = [Entry(MONDAY, "opened"), state(MONDAY + hours(1), "open", "waiting")]
    a_week_later = MONDAY + timedelta(days=7)
    resting = clocks.read(told, RULE, OFFICE, a_week_later)
    assert (resting.due, resting.left, resting.worked) == (None, hours(7), hours(1))
    assert not resting.late(a_week_later)
    again = clocks.read([*told, state(a_week_later, "waiting", "open")], RULE, OFFICE, a_week_later)
    assert again.due == OFFICE.after(a_week_later, hours(7))


def test_one_that_was_late_before_it_rested_stays_late():
    told = [Entry(MONDAY, "opened"), state(MONDAY + hours(48), "open", "waiting")]
    assert clocks.read(told, RULE, OFFICE, MONDAY + hours(72)).late(MONDAY + hours(72))
    again = clocks.read([*told, state(MONDAY + hours(72), "waiting", "open")], RULE, OFFICE, MONDAY + hours(72))
    assert again.due == datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)  # where its time ran out, not later


def test_what_a_person_promised_stands_as_promised():
    promised = MONDAY + hours(3)
    told = [
        Entry(MONDAY, "opened", {"due_at": [None, promised.isoformat()]}),
        state(MONDAY + hours(1), "open", "waiting"),
    ]
    clock = clocks.read(told, RULE, OFFICE, MONDAY + hours(4))
    assert (clock.due, clock.promised, clock.late(MONDAY + hours(4))) == (promised, True, True)


def test_help_that_has_arrived_stops_the_clock_of_a_rescue_though_it_is_not_closed():
    rule = ClockRule(response_min=10, solution_min=30)
    arrived = MONDAY + timedelta(minutes=25)
    told = [Entry(MONDAY, "opened"), Entry(arrived, "moved", {"solved_at": [None, arrived.isoformat()]})]
    clock = clocks.read(told, rule, ALWAYS, MONDAY + hours(9))
    assert (clock.solved_at, clock.left) == (arrived, timedelta(minutes=5))
    assert not clock.late(MONDAY + hours(9))


def test_a_ticket_opened_again_has_its_whole_time_again():
    told = [Entry(MONDAY, "opened"), Entry(MONDAY + hours(30), "closed"), Entry(MONDAY + hours(48), "reopened")]
    closed = clocks.read(told[:2], RULE, OFFICE, MONDAY + hours(40))
    assert closed.late(MONDAY + hours(40))
    clock = clocks.read(told, RULE, OFFICE, MONDAY + hours(48))
    assert (clock.left, clock.solved_at, clock.response_due) == (hours(8), None, None)


_STEPS = st.lists(
    st.tuples(st.timedeltas(timedelta(0), timedelta(days=3)), st.sampled_from(["open", "waiting", "note"])), max_size=12
)


@given(_STEPS, st.timedeltas(timedelta(0), timedelta(days=20)), st.sampled_from([OFFICE, ALWAYS]))
def test_time_used_and_time_left_are_the_promise_and_looking_changes_nothing(steps, later, calendar):
    told, at, running, used = [Entry(MONDAY, "opened")], MONDAY, True, timedelta(0)
    for pause, kind in steps:
        if running:
            used += calendar.between(at, at + pause)
        at += pause
        told.append(Entry(at, "noted") if kind == "note" else state(at, "", kind))
        running = kind == "open" if kind != "note" else running
    now = at + later
    used += calendar.between(at, now) if running else timedelta(0)
    clock = clocks.read(told, RULE, calendar, now)
    assert clock.worked == used
    assert clock.left == timedelta(minutes=480) - used
    assert clock == clocks.read(told, RULE, calendar, now)
    assert (clock.due is None) == (not running)
    if clock.due is not None:
        assert clock.late(now.astimezone(UTC)) == (clock.due < now)
        assert (clock.left < -timedelta(minutes=1)) <= clock.late(now)
