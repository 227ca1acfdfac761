"""The soak in short: calls with every ending while things break, and every one of them counted once."""

from __future__ import annotations

from tests import soak


def test_whatever_breaks_every_call_is_counted_once():
    outcome = soak.soak(60, seed=5, per_s=6, switch_deaths=1, fault_every_s=(0.8, 2.0), short=True)
    assert outcome.whole, outcome.told()
    assert outcome.account.calls > 50
    assert {"answered", "abandoned_menu", "lost"} <= outcome.outcomes.keys(), outcome.told()
    assert outcome.faults["switch_killed"] == 1
