"""What the checker says of flows before callers meet them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.settings import Settings
from ivr.check import Finding, check, draw, stories
from ivr.flow import SHIPPED, Flow, load, usable
from ticketing.rows import TicketKind

QUEUES = {kind.value for kind in TicketKind}

FLOW = """
name: hotline
title: {zh: 热线, en: Hotline}
start: menu
steps:
  menu:
    say: {zh: 报修请按3, en: For repair press 3}
    keys: {"3": repair, "9": {go: menu, language: en}}
    otherwise: agent
  repair: {queue: repair, kind: repair}
  agent: {queue: ""}
stories:
  - {caller: 报修, presses: ["3"], queue: repair, kind: repair}
"""


def findings(folder: Path, text: str) -> list[str]:
    path = folder / "hotline.yaml"
    path.write_text(text, encoding="utf-8")
    return [f"{found.step}: {found.what}" for found in check(load(path), QUEUES)]


@pytest.mark.parametrize("flow", usable(Settings())[0].values(), ids=lambda flow: flow.name)
def test_no_shipped_flow_has_a_finding(flow):
    assert check(flow, QUEUES) == []
    assert len(flow.stories) >= 5


def test_a_right_flow_has_no_finding(tmp_path):
    assert findings(tmp_path, FLOW) == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('"3": repair, ', "", "repair: no caller can get here"),
        ("zh: 报修请按3, ", "", "menu: nothing in zh"),
        ("otherwise: agent", "again: {zh: 没听清}\n    otherwise: agent", "menu: nothing to say when it repeats in en"),
        (
            "queue: repair, kind: repair}\n  a",
            "queue: repairs, kind: repair}\n  a",
            "repair: there is no queue repairs",
        ),
        ("{queue: repair,", "{say: {en: Wait}, queue: repair,", "repair: nothing in zh"),
        ('"3": repair', '"#": repair', "menu: a telephone menu cannot hear the key #"),
        ('"3": repair', '"33": repair', "menu: a telephone menu cannot hear the key 33"),
        ("zh: 热线, ", "", "menu: the flow has no title in zh"),
        ("otherwise: agent", "otherwise: menu", "menu: a caller who presses nothing comes back here for ever"),
        ("start: menu", "start: menu\nlanguages: [zh]", "menu: key 9 chooses en, which the flow does not speak"),
        ('["3"], queue: repair', '["3"], queue: inquiry', "menu: story '报修': ends with queue repair"),
        ('presses: ["3"]', 'presses: ["9"]', "menu: story '报修': is still at menu"),
        ('presses: ["3"]', 'presses: ["3", "1"]', "menu: story '报修': is over after 1 of 2"),
    ],
)
def test_a_fault_is_found_and_named(tmp_path, old, new, finding):
    assert old in FLOW
    found = findings(tmp_path, FLOW.replace(old, new))
    assert any(line.startswith(finding) for line in found), found


def test_steps_that_only_lead_to_each_other_have_no_way_out(tmp_path):
    text = FLOW.replace('{"3": repair,', '{"3": repair, "5": a,').replace(
        "  repair:", "  a: {say: {zh: 甲, en: A}, next: b}\n  b: {say: {zh: 乙, en: B}, next: a}\n  repair:"
    )
    found = findings(tmp_path, text)
    assert "a: no way leads from here to a queue" in found
    assert "b: a caller who presses nothing comes back here for ever" in found
    assert not any(line.startswith("menu") for line in found)


def test_a_number_needs_a_possible_length(tmp_path):
    text = FLOW.replace('"3": repair', '"3": serial').replace(
        "  repair:",
        "  serial: {say: {zh: 机号, en: Number}, digits: {least: 9, most: 6}, next: repair, skip: repair}\n  repair:",
    )
    assert "serial: a number cannot have at least 9 and at most 6 digits" in findings(tmp_path, text)


def test_without_a_database_queues_are_not_compared():
    assert check(load(SHIPPED / "service.yaml")) == []


def test_a_story_that_ends_elsewhere_says_both_ends(tmp_path):
    path = tmp_path / "hotline.yaml"
    path.write_text(FLOW.replace('kind: repair}\n"', "").replace('["3"]', '["", "", ""]'), encoding="utf-8")
    assert stories(load(path)) == [Finding("menu", "story '报修': is over after 2 of 3 presses")]


def shipped() -> Flow:
    return load(SHIPPED / "service.yaml")


def test_the_drawing_has_every_step_and_every_way():
    picture = draw(shipped(), "zh")
    assert picture.startswith("flowchart TD\n")
    for step in shipped().steps:
        assert re.search(rf"^    {step}\W", picture, re.M)
    assert "menu -->|3| repair_serial" in picture
    assert "报修" in picture


def test_texts_cannot_break_the_drawing(tmp_path):
    path = tmp_path / "hotline.yaml"
    path.write_text(FLOW.replace("报修请按3", "'\"]<script>x'"), encoding="utf-8")
    picture = draw(load(path), "zh")
    assert "<script" not in picture
    assert picture.count('"') % 2 == 0
