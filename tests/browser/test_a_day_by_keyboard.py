"""A rescue and a repair by keyboard alone; the page loaded again meanwhile, the customer handed on, both found."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_first_call import get_ready
from tests.centre import Centre, outcome

WORDS = {
    "zh": ("龙门隧道口，右侧应急车道", "柴油机突然熄火", "冒黑烟，爬坡无力", "客户急，请先查三包"),
    "en": ("Longmen tunnel, hard shoulder", "Engine stopped on the road", "Black smoke uphill", "Check warranty first"),
}


def state(page: Page, state: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", state, timeout=20_000)


def go_to(page: Page, field: str) -> None:
    """By Tab, as a person without a mouse gets there."""
    for _ in range(60):
        if page.evaluate("document.activeElement?.name") == field:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to the field {field!r} by Tab")


def take(page: Page, kind: int) -> None:
    """Answer, and have the form of this kind at hand."""
    expect(page.locator("#answer")).to_be_enabled(timeout=60_000)
    page.keyboard.press("F2")
    state(page, "talking")
    page.keyboard.press(f"Alt+{kind}")


def save(page: Page, letter: str) -> str:
    page.keyboard.press("Control+Enter")
    saved = page.locator("#saved")
    expect(saved).to_contain_text(re.compile(rf"{letter}\d{{6}}-\d{{4}}"), timeout=10_000)
    return str(re.findall(r"[A-Z]\d{6}-\d{4}", saved.inner_text())[0])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("language", "login", "did"), [("zh", "wangfang", "4008"), ("en", "ann", "4009")])
def test_a_rescue_and_a_repair_by_keyboard_alone(centre: Centre, people, language, login, did):
    place, stopped, smoke, note = WORDS[language]
    desk = people.log_in(login, "/desk?audio=raw")
    desk.on("dialog", lambda asks: asks.accept())
    expect(desk.locator("html")).to_have_attribute("lang", {"zh": "zh-Hans", "en": "en"}[language])
    get_ready(desk)

    # Somebody stands in a tunnel.
    rescue_call = centre.call(did, from_="13800138000", keys="5@1,102938@3", hold="120")
    take(desk, 5)
    go_to(desk, "subject")
    desk.keyboard.type(stopped)
    go_to(desk, "field.place")
    desk.keyboard.type(place)
    go_to(desk, "field.road")
    desk.keyboard.type("G4 K123+400")
    go_to(desk, "field.contact")
    desk.keyboard.press("Control+a")
    desk.keyboard.type("13800138000")
    go_to(desk, "field.fault")
    desk.keyboard.press("ArrowDown")
    rescue = save(desk, "S")
    desk.keyboard.press("F9")
    state(desk, "wrap_up")
    desk.keyboard.press("F10")
    state(desk, "idle")
    assert outcome(rescue_call)["answered"] is True

    # The same customer, later: a repair. The page is loaded again in the middle of the call, with words unsaved.
    repair_call = centre.call(did, from_="13800138000", keys="3@1,102938@3", hold="180")
    take(desk, 3)
    go_to(desk, "subject")
    desk.keyboard.type(smoke)
    expect(desk.locator("#saved")).not_to_be_empty()
    desk.keyboard.press("F5")
    state(desk, "talking")
    expect(desk.locator("#hold")).to_be_enabled(timeout=20_000)
    expect(desk.locator("#ticket-form [name=subject]")).to_have_value(smoke)
    go_to(desk, "field.fault")
    desk.keyboard.press("ArrowDown")
    go_to(desk, "field.place")
    desk.keyboard.press("Control+a")
    desk.keyboard.type(place)
    repair = save(desk, "R")

    # Li Na is asked, sees why and what, and takes the customer.
    li = people.log_in("lina", "/desk?audio=raw")
    get_ready(li)
    expect(desk.locator("#handing")).to_be_enabled(timeout=10_000)
    desk.keyboard.press("F8")
    desk.keyboard.type("ln")
    expect(desk.locator("#transfer-list [aria-selected=true]")).to_contain_text("李娜", timeout=15_000)
    desk.keyboard.press("Tab")
    desk.keyboard.type(note)
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(li.locator("#answer")).to_be_enabled(timeout=15_000)
    expect(li.locator("#why .said")).to_contain_text(note)
    expect(li.locator("#why")).to_contain_text(repair)
    expect(li.locator("#card")).to_contain_text("李建国")
    li.keyboard.press("F2")
    state(li, "talking")
    expect(desk.locator("#asking-over")).to_be_enabled(timeout=10_000)
    desk.keyboard.press("F8")
    state(desk, "wrap_up")
    desk.keyboard.press("F10")
    state(desk, "idle")
    li.keyboard.press("F9")
    state(li, "wrap_up")
    li.keyboard.press("F10")
    state(li, "idle")
    assert outcome(repair_call)["answered"] is True

    # Both are found again: the customer by initials, the engine by a part of its number.
    for text, words in (("ljg", "李建国"), ("02938", "102938")):
        desk.goto(f"{centre.url}/desk")
        expect(desk.locator("body")).to_have_attribute("data-live", "up")
        desk.keyboard.press("/")
        desk.keyboard.type(text)
        line = desk.locator("#found .found-line", has_text=words).first
        expect(line).to_be_visible()
        for _ in range(10):
            desk.keyboard.press("ArrowDown")
            if line.locator("a").first.evaluate("link => link === document.activeElement"):
                break
        desk.goto(f"{centre.url}{line.locator('a').first.get_attribute('href')}")
        expect(desk.locator("main")).to_contain_text(rescue)
        expect(desk.locator("main")).to_contain_text(repair)
    desk.goto(f"{centre.url}/desk")
    for page in (desk, li):
        page.bring_to_front()
        expect(page.locator("body")).to_have_attribute("data-live", "up")
        page.keyboard.press("F3")
        expect(page.locator("#state")).to_have_attribute("data-status", "on_break", timeout=10_000)
