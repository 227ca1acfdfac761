"""The replay of a call in a real browser: its steps, its lanes and its sound are at one moment, whoever moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from callcenter.database import now
from config import queues
from tests import recorded
from tests.desktop import Desk, make_desk, served
from tests.fresh import fresh
from ticketing import customers


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = fresh(tmp_path / "desk.db")
    desk = make_desk(tmp_path, database)
    with database.write() as db:
        queues.set_member(db, "repair", "1002")
        customers.create(db, "end_user", "李建国", now(), phones=["13800138000"], region="河南 郑州")
    with served(desk):
        yield desk
    database.close()


@pytest.fixture
def call_id(desk: Desk) -> str:
    said = recorded.handled("tel-1795395600.1", now() - timedelta(minutes=2))
    return recorded.record(desk.database, desk.bus, desk.settings, said)


@pytest.fixture
def page(desk: Desk, agents_browser: Browser) -> Iterator[Page]:
    """The supervisor's browser; it has nothing to complain about."""
    context = agents_browser.new_context(viewport={"width": 1280, "height": 720})
    token, _csrf = desk.session("zhaomin")
    context.add_cookies([{"name": "callcenter", "value": token, "url": desk.origin}])
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    yield page
    context.close()
    assert complaints == []


def step(page: Page, words: str) -> Locator:
    return page.locator("#steps .step", has_text=words).first


def shown(page: Page) -> Page:
    """The page with its sound at hand."""
    page.wait_for_function("() => document.querySelector('#sound')?.readyState >= 2")
    return page


def sound_s(page: Page) -> float:
    return float(page.evaluate("document.querySelector('#sound').currentTime"))


def cursor_percent(page: Page) -> float:
    return float(page.evaluate("parseFloat(document.querySelector('#cursor').style.left)"))


def into_sound_ms(page: Page, of: Locator) -> float:
    return float(of.get_attribute("data-at") or 0) - float(
        page.locator("#replay").get_attribute("data-sound-from") or 0
    )


def test_a_step_that_is_clicked_is_heard_and_the_cursor_stands_there(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    answered = step(shown(page), "李娜 answered")
    answered.click()
    expect(answered).to_have_attribute("aria-current", "step")
    assert abs(1000 * sound_s(page) - into_sound_ms(page, answered)) < 30
    at_ms = float(answered.get_attribute("data-at") or 0)
    whole_ms = float(page.locator("#replay").get_attribute("data-shown") or 0)
    assert abs(cursor_percent(page) - 100 * at_ms / whole_ms) < 0.5


def test_playing_moves_the_cursor_through_the_steps(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    step(shown(page), "李娜 put the other side on hold").click()
    page.select_option("#speed", "2")
    page.click("#play")
    expect(step(page, "李娜 took the other side off hold")).to_have_attribute("aria-current", "step", timeout=15_000)
    expect(page.locator("#steps [aria-current]")).to_have_count(1)
    before = cursor_percent(page)
    page.wait_for_function("before => parseFloat(document.querySelector('#cursor').style.left) > before", arg=before)
    page.keyboard.press("Escape")
    page.locator("#play").click()
    assert page.evaluate("document.querySelector('#sound').paused")


def test_before_the_recording_the_cursor_stands_alone_and_play_begins_with_the_sound(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    arrived = step(shown(page), "Call to 4008")
    arrived.click()
    expect(page.locator("#position")).to_contain_text("00:00 /")
    assert page.evaluate("document.querySelector('#sound').paused")
    page.click("#play")
    page.wait_for_function("() => document.querySelector('#sound').currentTime > 0.1")
    from_ms = float(page.locator("#replay").get_attribute("data-sound-from") or 0)
    whole_ms = float(page.locator("#replay").get_attribute("data-shown") or 0)
    assert cursor_percent(page) >= 100 * from_ms / whole_ms


def test_the_lanes_are_clicked_like_the_wave(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    box = shown(page).locator("#tracks").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20)
    assert abs(cursor_percent(page) - 50) < 0.5
    from_ms = float(page.locator("#replay").get_attribute("data-sound-from") or 0)
    whole_ms = float(page.locator("#replay").get_attribute("data-shown") or 0)
    assert abs(1000 * sound_s(page) - (whole_ms / 2 - from_ms)) < 100


def test_everything_is_reached_by_keyboard(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    shown(page).locator("#scrubber").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#position")).to_contain_text("00:03 /")
    expect(page.locator("#scrubber")).to_have_attribute("aria-valuetext", "00:03 Joined Repair at place 1")
    page.keyboard.press("Tab")  # to "every fact"
    page.keyboard.press("Tab")  # the list is one stop: where the call stands
    expect(page.locator("#steps .step:focus")).to_contain_text("Joined Repair")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#steps .step:focus")).to_contain_text("Rang 王芳")
    page.keyboard.press("Enter")
    expect(step(page, "Rang 王芳")).to_have_attribute("aria-current", "step")


def test_without_a_recording_the_scrubber_walks_through_the_steps(desk, page):
    said = recorded.handled("tel-1795395600.7", now() - timedelta(minutes=2))
    silent = recorded.record(desk.database, desk.bus, desk.settings, said, sound=False)
    page.goto(f"{desk.origin}/calls/{silent}")
    expect(page.locator("#play")).to_have_count(0)
    page.locator("#scrubber").fill("9500")
    expect(step(page, "李娜 answered")).to_have_attribute("aria-current", "step")


def test_minor_facts_are_shown_when_asked_for(desk, page, call_id):
    page.goto(f"{desk.origin}/calls/{call_id}")
    expect(step(page, "Line open")).to_be_hidden()
    page.check("#every")
    expect(step(page, "Line open")).to_be_visible()


def test_from_a_figure_to_its_calls_to_the_replay(desk, page, call_id):
    page.goto(f"{desk.origin}/reports/today")
    page.locator("[data-figure=answered] a").click()
    page.locator(f"a[href='/calls/{call_id}']").click()
    expect(step(page, "李娜 answered")).to_be_visible()
    page.go_back()
    page.goto(f"{desk.origin}/calls")
    page.locator(f"a[href='/calls/{call_id}']").click()
    expect(page.locator("#steps details").first).to_contain_text("agents of the queue are free")
