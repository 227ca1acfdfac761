"""A local day is what people there call one, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import periods


@pytest.mark.parametrize(
    ("zone", "local", "begins", "hours"),
    [
        ("Asia/Shanghai", date(2026, 11, 22), "2026-11-21 16:00", 24),
        ("Asia/Kolkata", date(2026, 11, 22), "2026-11-21 18:30", 24),  # a half-hour zone
        ("Asia/Kathmandu", date(2026, 11, 22), "2026-11-21 18:15", 24),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28 23:00", 23),  # the clocks go forward
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24 22:00", 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03 13:30", 23.5),  # by half an hour
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23 22:00", 23),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), "2026-11-01 04:00", 25),  # midnight comes twice
    ],
)
def test_a_day_begins_and_ends_at_local_midnight(zone, local, begins, hours):
    day = periods.day(local, ZoneInfo(zone))
    assert day.start == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert day.length == timedelta(hours=hours)


@given(
    st.sampled_from(
        ["Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "Africa/Cairo", "Pacific/Apia", "America/Havana"]
    ),
    st.integers(946_684_800, 2_114_380_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
)
def test_every_moment_is_in_its_own_day_and_days_leave_no_gap(name, at):
    zone = ZoneInfo(name)
    day = periods.today(at, zone)
    assert at in day
    local = at.astimezone(zone).date()
    assert periods.day(local + timedelta(days=1), zone).start == day.end


def test_the_slices_of_a_day_are_the_day():
    for local in (date(2026, 10, 4), date(2026, 10, 5)):
        day = periods.day(local, ZoneInfo("Australia/Lord_Howe"))
        slices = list(periods.slices(day))
        assert slices[0].start == day.start
        assert slices[-1].end == day.end
        assert all(one.end == next_.start for one, next_ in pairwise(slices))
        assert len(slices) == day.length / timedelta(minutes=30)
