"""Callers walking through flows, without a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from ivr import flow as flows
from ivr.flow import BadFlow, Flow, Walk, load, luhn

SERVICE = load(flows.SHIPPED / "service.yaml")

HOTLINE = """
name: hotline
title: {zh: 热线, en: Hotline}
start: hello
steps:
  hello: {say: {zh: 您好, en: Hello}, next: menu}
  menu:
    say: {zh: 报修请按3，英语请按9, en: For repair press 3}
    again: {zh: 没听清, en: Pardon}
    keys: {"3": serial, "9": {go: menu, language: en}, "0": agent}
    tries: 2
    otherwise: agent
  serial:
    say: {zh: 请输入机号, en: Enter the engine number}
    again: {zh: 不对, en: Wrong}
    digits: {least: 6, most: 8}
    tries: 2
    next: repair
    skip: repair
  repair: {queue: repair, kind: repair, priority: 2}
  agent: {queue: ""}
"""


@pytest.fixture
def hotline(tmp_path: Path) -> Flow:
    return written(tmp_path, HOTLINE)


def written(folder: Path, text: str, name: str = "hotline") -> Flow:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def walked(flow: Flow, *presses: str, language: flows.Language = "zh") -> Walk:
    """A walk with these presses; empty is silence."""
    walk = Walk(flow, language)
    for keys in presses:
        walk.press(keys) if keys else walk.silence()
    return walk


def test_key_3_leads_to_the_repair_queue(hotline):
    walk = walked(hotline, "", "3", "123456#")
    assert walk.out is not None
    assert (walk.out.queue, walk.out.kind, walk.out.priority, walk.serial) == ("repair", "repair", 2, "123456")


def test_a_caller_who_knows_the_menu_presses_during_the_greeting(hotline):
    walk = walked(hotline, "3")
    assert (walk.name, walk.last) == ("serial", "menu")


def test_the_pound_key_skips_the_greeting_and_is_no_miss(hotline):
    walk = walked(hotline, "#")
    assert (walk.name, walk.misses) == ("menu", 0)


def test_a_wrong_key_is_told_so_and_the_menu_repeats(hotline):
    walk = walked(hotline, "", "7")
    assert (walk.name, walk.sound) == ("menu", "hotline-menu-again")


def test_two_misses_lead_to_a_person_whether_wrong_or_silent(hotline):
    for first in ("7", "", "#", "*", "12"):
        for second in ("8", ""):
            assert walked(hotline, "", first, second).name == "agent"


def test_a_right_key_after_a_miss_counts(hotline):
    assert walked(hotline, "", "7", "3").name == "serial"


def test_english_is_a_key_away_and_stays(hotline):
    walk = walked(hotline, "", "9")
    assert (walk.language, walk.here.say["en"], walk.misses) == ("en", "For repair press 3", 0)
    walk.press("3")
    assert walk.language == "en"


@pytest.mark.parametrize(
    ("keys", "serial"),
    [("", ""), ("#", ""), ("123456", "123456"), ("123456#", "123456"), ("12345678", "12345678")],
)
def test_an_engine_number_may_be_given_or_left_out(hotline, keys, serial):
    walk = walked(hotline, "3", keys)
    assert (walk.name, walk.serial) == ("repair", serial)


def test_a_number_of_wrong_length_is_asked_for_again_then_the_caller_goes_on_without(hotline):
    walk = walked(hotline, "3", "12#")
    assert (walk.name, walk.sound) == ("serial", "hotline-serial-again")
    walk.press("123456789")
    assert (walk.name, walk.serial) == ("repair", "")


def test_stars_are_no_number(hotline):
    assert walked(hotline, "3", "12*456").name == "serial"


def test_a_check_digit_can_be_asked_for(tmp_path):
    flow = written(tmp_path, HOTLINE.replace("{least: 6, most: 8}", "{least: 6, most: 12, check: luhn}"))
    assert walked(flow, "3", "79927398713").serial == "79927398713"
    assert walked(flow, "3", "79927398714").name == "serial"


@pytest.mark.parametrize(
    ("number", "right"), [("79927398713", True), ("79927398710", False), ("0", True), ("18", True)]
)
def test_luhn_by_its_own_example(number, right):
    assert luhn(number) is right


def test_a_caller_in_a_language_the_flow_does_not_speak_gets_its_first(tmp_path):
    flow = written(tmp_path, HOTLINE.replace("start: hello", "start: hello\nlanguages: [en]"))
    assert Walk(flow, "zh").language == "en"


def test_a_caller_who_goes_round_and_round_gets_a_person(tmp_path):
    walk = walked(written(tmp_path, HOTLINE), "", *["9"] * 100)
    assert walk.out is not None
    assert walk.out.queue == ""
    assert walk.sound == ""


@given(st.lists(st.text(alphabet="0123456789*#ABCD", max_size=30), max_size=90))
def test_whatever_is_pressed_the_walk_stands_at_a_step_and_comes_to_an_end(presses):
    walk = Walk(SERVICE, "zh")
    for keys in presses:
        if walk.out is not None:
            break
        walk.press(keys) if keys else walk.silence()
        assert walk.name in SERVICE.steps
    for _ in range(flows.MOST_STEPS + 1):
        if walk.out is None:
            walk.silence()
    assert walk.out is not None
    assert walk.serial == "" or walk.serial.isdecimal()


def test_in_the_shipped_flow_rescue_is_one_key_and_silence_away_and_goes_first():
    walk = walked(SERVICE, "", "5", "")
    assert walk.out is not None
    assert (walk.out.queue, walk.out.kind) == ("rescue", "rescue")
    assert walk.out.priority > 0


@pytest.mark.parametrize(
    ("key", "kind"), [("1", "inquiry"), ("2", "complaint"), ("3", "repair"), ("4", "follow_up"), ("5", "rescue")]
)
def test_the_shipped_menu_offers_the_five_kinds(key, kind):
    walk = walked(SERVICE, "", key, *([""] if key in "35" else []))
    assert walk.out is not None
    assert walk.out.kind == kind


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("next: menu", "next: nowhere"), "there is no step nowhere"),
        (("start: hello", "start: nowhere"), "there is no step nowhere"),
        (("next: menu", "next: menu, colour: red"), "colour"),
        (("priority: 2", "priority: -1"), "priority"),
        (("name: hotline", "name: other"), "file and name must agree"),
        (("kind: repair", "kind: poetry"), "kind"),
        (("tries: 2", "tries: 0"), "tries"),
        (("queue: repair", "queue: 'a,b'"), "queue"),
        (("name: hotline", "name: [hotline"), "hotline.yaml"),
        (("language: en", "language: fr"), "language"),
    ],
)
def test_a_flow_that_cannot_be_used_says_where(tmp_path, change, complaint):
    with pytest.raises(BadFlow, match=complaint):
        written(tmp_path, HOTLINE.replace(change[0], change[1], 1))


@pytest.mark.parametrize("text", ["", "- a", "42", "steps: {a: 1}", "!!python/object/apply:os.system [true]", "\x00"])
def test_a_file_that_is_no_flow_is_refused(tmp_path, text):
    with pytest.raises(BadFlow):
        written(tmp_path, text)


def test_an_operators_flow_wins_over_the_shipped_one_and_a_broken_one_hurts_no_other(tmp_path):
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "broken.yaml").write_text("name: broken", encoding="utf-8")
    written(folder, HOTLINE.replace("hotline", "service"), "service")
    found, faults = flows.usable(Settings(home=tmp_path))
    assert found["service"].steps.keys() == {"hello", "menu", "serial", "repair", "agent"}
    assert "broken" not in found
    assert "broken.yaml" in str(faults[0])
    with pytest.raises(BadFlow, match="there is no flow 'other'; there is broken, service"):
        flows.named(Settings(home=tmp_path), "other")
