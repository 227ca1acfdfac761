"""The warranty decision: dated rules, months or hours, whichever is over first, and its ground."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing.rows import Engine
from ticketing.warranty import Cover, warranty

TODAY = date(2026, 11, 22)


def engine(**facts: Any):
    return Engine(serial="4D8324K102938", model="4D83", **facts)


@pytest.mark.parametrize(
    ("facts", "state", "until", "clause"),
    [
        ({"sold_on": date(2025, 4, 1), "hours": 1200}, Cover.IN, date(2027, 3, 31), "4.2"),
        ({"sold_on": date(2025, 4, 1)}, Cover.IN, date(2027, 3, 31), "4.2"),  # nobody has read the hours
        ({"sold_on": date(2025, 4, 1), "hours": 4001}, Cover.OUT, date(2027, 3, 31), "4.2"),  # hours are over first
        ({"sold_on": date(2025, 4, 1), "hours": 3950}, Cover.ENDS_SOON, date(2027, 3, 31), "4.2"),
        ({"sold_on": date(2024, 12, 10), "hours": 100}, Cover.ENDS_SOON, date(2026, 12, 9), "4.2"),
        ({"sold_on": date(2024, 11, 23)}, Cover.ENDS_SOON, TODAY, "4.2"),  # its last day counts
        ({"sold_on": date(2024, 11, 22)}, Cover.OUT, date(2026, 11, 21), "4.2"),
        ({"sold_on": date(2023, 12, 31)}, Cover.OUT, date(2024, 12, 30), "4.1"),  # the promise of its own day
        ({"sold_on": date(2024, 2, 29)}, Cover.OUT, date(2026, 2, 27), "4.2"),
        ({"built_on": date(2026, 1, 31)}, Cover.IN, date(2028, 4, 29), "4.5"),  # no proof of sale
        ({"built_on": date(2026, 1, 31), "sold_on": date(2026, 9, 1)}, Cover.IN, date(2028, 8, 31), "4.2"),
        ({"sold_on": date(2020, 1, 1), "warranty_until": date(2027, 1, 31)}, Cover.IN, date(2027, 1, 31), "4.9"),
        (
            {"warranty_until": date(2027, 1, 31), "warranty_hours": 5000, "hours": 5001},
            Cover.OUT,
            date(2027, 1, 31),
            "4.9",
        ),
        ({"sold_on": date(2025, 4, 1), "warranty_hours": 6000, "hours": 5000}, Cover.IN, date(2027, 3, 31), "4.2"),
        ({}, Cover.UNKNOWN, None, ""),
        ({"sold_on": date(1999, 12, 31)}, Cover.UNKNOWN, None, ""),  # before any rule we know
    ],
)
def test_a_decision_names_its_state_its_last_day_and_its_clause(facts, state, until, clause):
    decision = warranty(engine(**facts), TODAY)
    assert (decision.state, decision.until, decision.clause) == (state, until, clause)
    assert decision.why("zh")
    assert decision.why("en")


def test_the_ground_says_months_hours_and_what_was_assumed():
    sold = warranty(engine(sold_on=date(2025, 4, 1)), TODAY)
    assert (sold.why("zh"), sold.hours_limit) == ("三包期 24 个月或 4000 小时，以先到为准", 4000)
    assert "出厂后三个月" in warranty(engine(built_on=date(2026, 1, 1)), TODAY).why("zh")
    agreed = warranty(engine(warranty_until=date(2027, 1, 31), warranty_hours=5000), TODAY)
    assert agreed.why("en") == "agreed for this engine until 2027-01-31 or 5,000 hours"


@given(
    st.dates(date(2000, 1, 1), date(2026, 11, 22)),
    st.integers(0, 20_000) | st.none(),
    st.integers(0, 400),
)
def test_cover_never_comes_back_as_days_go_by(sold_on, hours, days):
    order = [Cover.IN, Cover.ENDS_SOON, Cover.OUT]
    now = warranty(engine(sold_on=sold_on, hours=hours), TODAY)
    later = warranty(engine(sold_on=sold_on, hours=hours), date.fromordinal(TODAY.toordinal() + days))
    assert order.index(later.state) >= order.index(now.state)
    assert now.until == later.until
