"""A customer is handed to a colleague with everything that is known, by keys alone, in two real browsers."""

from __future__ import annotations

import math
import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import AGENT_HZ, REPAIR_KEYS
from tests.browser.test_first_call import HEARD_HZ, get_ready
from tests.centre import Centre, outcome

NOTE = "客户在高速上，冒黑烟，先查三包"


def state(page: Page, state: str | re.Pattern[str]) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", state, timeout=15_000)


def ask_li(page: Page, note: str = "") -> None:
    """By keys: whom, what must be known, and asked first."""
    expect(page.locator("#handing")).to_be_enabled(timeout=10_000)
    page.keyboard.press("F8")
    page.keyboard.type("ln")
    expect(page.locator("#transfer-list [aria-selected=true]")).to_contain_text("李娜")
    page.keyboard.press("Tab")
    page.keyboard.type(note)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#asking")).to_be_visible(timeout=10_000)


def together(page: Page, name: str) -> None:
    expect(page.locator("#asking-state")).to_have_text(re.compile("三方通话|All together"), timeout=20_000)
    expect(page.locator("#asking")).to_be_visible()
    expect(page.locator("#asking-who")).to_have_text(name)


def test_a_customer_is_asked_about_handed_over_parked_and_fetched_by_keys_alone(centre: Centre, people):
    wang = people.log_in("wangfang", "/desk?audio=raw")
    get_ready(wang)
    li = people.log_in("lina", "/desk?audio=raw")
    get_ready(li)
    li.keyboard.press("F3")  # on a short break: the queue leaves him alone, a colleague may still ask him
    expect(li.locator("#state")).to_have_attribute("data-status", "on_break")
    call = centre.call("4008", from_="13800138000", keys=REPAIR_KEYS, hold="150")
    expect(wang.locator("#answer")).to_be_enabled(timeout=40_000)
    wang.keyboard.press("F2")
    state(wang, "talking")
    wang.locator("#f-subject").focus()
    wang.keyboard.type("冒黑烟，动力不足")

    # He asks his colleague, and says why.
    ask_li(wang, NOTE)
    expect(wang.locator("#asking-who")).to_have_text("李娜")

    # The colleague sees customer and note while it rings.
    expect(li.locator("#answer")).to_be_enabled(timeout=10_000)
    expect(li.locator("#why .said")).to_contain_text(NOTE)
    expect(li.locator("#why .said")).to_contain_text("王芳")
    expect(li.locator("#card")).to_contain_text("李建国")
    li.keyboard.press("F2")
    state(li, "talking")
    expect(wang.locator("#asking-over")).to_be_enabled(timeout=10_000)
    wang.keyboard.press("F8")
    state(wang, "wrap_up")
    expect(wang.locator("#f-subject")).to_have_value("冒黑烟，动力不足")
    li.keyboard.press("Alt+o")
    expect(li.locator("#f-subject")).to_have_value("冒黑烟，动力不足")

    # The customer is parked; the first agent sees him wait, and fetches him.
    expect(li.locator("#park")).to_be_enabled(timeout=10_000)
    li.keyboard.press("Alt+p")
    state(li, "wrap_up")
    expect(wang.locator("#parked-list")).to_contain_text("李建国", timeout=10_000)
    wang.keyboard.press("Alt+p")
    state(wang, "talking")
    expect(wang.locator("#parked")).to_be_hidden()
    expect(wang.locator("#f-subject")).to_have_value("冒黑烟，动力不足")

    # All three together: each sees whom he is with, holding is no going back, and a page loaded again is in the room.
    li.keyboard.press("F10")
    state(li, "idle")
    ask_li(wang)
    expect(li.locator("#answer")).to_be_enabled(timeout=10_000)
    li.keyboard.press("F2")
    expect(wang.locator("#asking-meet")).to_be_enabled(timeout=10_000)
    wang.keyboard.press("Alt+c")
    together(wang, "李娜")
    together(li, "王芳")
    wang.keyboard.press("F6")
    expect(wang.locator("#hold")).to_have_attribute("aria-pressed", "true")
    wang.keyboard.press("F6")
    expect(wang.locator("#hold")).to_have_attribute("aria-pressed", "false")
    wang.on("dialog", lambda asks: asks.accept())
    wang.reload()
    together(wang, "李娜")
    together(li, "王芳")
    expect(wang.locator("#hold")).to_be_enabled(timeout=20_000)
    assert math.isclose(wang.evaluate(HEARD_HZ), AGENT_HZ, abs_tol=12)  # the colleague's microphone
    expect(wang.locator("#f-subject")).to_have_value("冒黑烟，动力不足")
    li.keyboard.press("F9")
    expect(wang.locator("#asking")).to_be_hidden(timeout=10_000)
    wang.keyboard.press("F9")
    state(wang, re.compile("idle|wrap_up"))
    assert outcome(call)["answered"] is True
