"""Working time: weekdays, holidays, the working days moved for them, and the arithmetic between."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.errors import BadInput
from config.calendar import SHIPPED, Calendar, DayRule, hours, spelt

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = Calendar(SHANGHAI, *SHIPPED["office"])
ALWAYS = Calendar(SHANGHAI, *SHIPPED["always"])
SERVICE = Calendar(ZoneInfo("Europe/Berlin"), *SHIPPED["service"])  # its clocks change twice a year
NIGHTS = Calendar(ZoneInfo("Asia/Kolkata"), (((0, 360), (1320, 1440)),) * 7, True, {date(2026, 3, 3): DayRule(False)})
CALENDARS = st.sampled_from([OFFICE, ALWAYS, SERVICE, NIGHTS])
YEARS = timedelta(days=3 * 365)
MOMENTS = st.timedeltas(timedelta(0), YEARS).map(lambda span: datetime(2025, 1, 1, tzinfo=UTC) + span)
SPANS = st.timedeltas(timedelta(0), timedelta(days=40))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_the_night_noon_and_the_week_end_are_not_worked():
    assert OFFICE.between(at("2026-11-20 17:00"), at("2026-11-23 09:00")) == timedelta(hours=1)  # Friday to Monday
    assert OFFICE.between(at("2026-11-20 11:30"), at("2026-11-20 14:00")) == timedelta(hours=1)
    assert not OFFICE.is_open(at("2026-11-20 12:30"))
    assert OFFICE.after(at("2026-11-20 17:00"), timedelta(hours=1)) == at("2026-11-23 09:00")


def test_the_spring_festival_is_free_and_the_saturday_worked_for_it_is_not():
    assert OFFICE.spans(date(2026, 2, 17)) == ()  # 初一, a Tuesday
    assert OFFICE.spans(date(2026, 2, 14)) == OFFICE.spans(date(2026, 2, 13))  # 调休
    assert OFFICE.after(at("2026-02-14 17:00"), timedelta(hours=1)) == at("2026-02-24 09:00")


def test_what_an_administrator_says_of_a_day_goes_before_the_list():
    days = {date(2026, 2, 17): DayRule(True, "值班"), date(2026, 11, 23): DayRule(False, "厂庆")}
    own = Calendar(SHANGHAI, *SHIPPED["office"], days)
    assert own.spans(date(2026, 2, 17)) == own.spans(date(2026, 2, 13))
    assert own.spans(date(2026, 11, 23)) == ()


@given(CALENDARS, MOMENTS, SPANS)
def test_after_and_between_are_each_others_inverse(calendar, start, span):
    end = calendar.after(start, span)
    assert calendar.between(start, end) == span
    assert span == timedelta(0) or calendar.between(start, end - timedelta(microseconds=1)) < span


@given(CALENDARS, MOMENTS, MOMENTS, MOMENTS)
def test_time_adds_up_however_it_is_cut(calendar, one, two, three):
    a, b, c = sorted((one, two, three))
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)
    assert timedelta(0) <= calendar.between(a, b) <= b - a
    assert calendar.between(b, a) == -calendar.between(a, b)


def test_around_the_clock_is_time_itself():
    start = at("2026-03-01 00:00")
    assert ALWAYS.between(start, start + timedelta(days=300, seconds=5)) == timedelta(days=300, seconds=5)


def test_hours_are_read_as_people_write_them():
    assert spelt(hours("08:30-12:00，13:30–17：30")) == "08:30-12:00 13:30-17:30"
    assert hours("") == ()
    assert hours("00:00-24:00") == ((0, 1440),)


@pytest.mark.parametrize(
    "text", ["8", "12:00-08:00", "08:00-12:00 11:00-13:00", "08:61-09:00", "00:00-24:01", "a:b-c:d"]
)
def test_hours_that_cannot_be_are_refused(text):
    with pytest.raises(BadInput):
        hours(text)
