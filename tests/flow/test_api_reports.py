"""Reports as another program reads them: the page's choices, each figure with its formula, and its calls."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callcenter.database import now
from callcenter.facts import SwitchFound, SwitchLost
from reports import report
from tests.desktop import answer, arrival, hang_up, ringing, tell


@pytest.fixture
def told(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1"))
    client, headers = desk.client(), desk.token("zhaomin")
    today = now().astimezone(desk.settings.centre.zone).date()

    def ask(path: str = "/api/v1/reports", **choices: object):
        return client.get(path, params={"from": today.isoformat()} | choices, headers=headers)

    return ask


@pytest.mark.parametrize("by", report.BY)
def test_a_report_has_the_choices_of_the_page(told, by):
    answered = told(by=by, queue="repair")
    assert answered.status_code == 200, answered.text
    made = answered.json()
    figures = {one["name"]: one for one in made["figures"]}
    assert {name: figures[name]["value"] for name in ("offered", "answered", "waiting")} == {
        "offered": 2,
        "answered": 1,
        "waiting": 1,
    }
    level = figures["service_level"]
    assert (level["formula"].partition(":")[0], level["thresholds"]["T"], level["queue_version"]) == (
        "A_T / (O − B_s − W_T)",
        20,
        1,
    )
    lines = [line["figures"]["offered"] for line in made["lines"]]
    assert sum(lines) == (0 if by == "agent" else 2)
    if by == "agent":
        assert {one["extension"] for one in made["agents"]} >= {"1001"}
        assert {one["name"] for one in made["agent_figures"]} == made["agents"][0]["figures"].keys()


def test_a_figure_is_told_with_its_calls_and_in_chinese(told):
    made = told("/api/v1/reports/calls", figure="answered", language="zh").json()
    assert made["figure"]["title"] == "接听量"
    assert [(one["call_id"], one["outcome"], one["met"]) for one in made["calls"]] == [("tel-1.1", "answered", True)]


def test_when_the_switch_was_not_heard_is_told_with_the_report(told, desk):
    lost = now() - timedelta(seconds=40)
    tell(desk, SwitchLost(at=lost, switch="tel"), SwitchFound(at=lost + timedelta(seconds=30), switch="tel"))
    assert len(told().json()["gaps"]) == 1
    page = desk.client("zhaomin").get("/reports", params={"when": "today", "by": "day"}).text
    assert 'id="gaps"' in page
    assert "†</abbr>" in page


@pytest.mark.parametrize(
    ("choices", "status"),
    [
        ({"by": "moon"}, 422),
        ({"queue": "nowhere"}, 404),
        ({"to": "1999-01-01"}, 422),
        ({"from": "2026-13-01"}, 422),
        ({"from": "1990-01-01", "to": "2026-01-01"}, 422),
    ],
)
def test_nonsense_is_refused(told, choices, status):
    assert told(**choices).status_code == status
    assert told("/api/v1/reports/calls", figure="__class__").status_code == 404
