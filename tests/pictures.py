"""The pictures of the manual, taken from a real centre with a real call: ``python -m tests.pictures [FOLDER]``.

The two that the README shows, desk-en and desk-zh, are copied to docs/images by hand, once they have been looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.centre import ROOT, Centre


def sign_in(browser: Browser, centre: Centre, login: str, path: str, dark: bool = False) -> Page:
    page = browser.new_page(
        viewport={"width": 1280, "height": 720},
        color_scheme="dark" if dark else "light",
        device_scale_factor=1.5,
        permissions=["microphone", "notifications"],
    )
    page.goto(f"{centre.url}/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", centre.passwords[login])
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{centre.url}{path}")
    return page


def take(centre: Centre, browser: Browser, folder: Path) -> None:
    for login, language, did in (("ann", "en", "4009"), ("wangfang", "zh", "4008")):
        desk = sign_in(browser, centre, login, "/desk")
        desk.wait_for_selector("body[data-live=up]")
        desk.screenshot(path=folder / f"desk-idle-{language}.png")
        desk.click("#ready")
        desk.wait_for_selector("#state[data-status=available]")
        call = centre.call(did, from_="13800138000", keys="3@4,102938", hold="60")
        desk.wait_for_selector("#answer:not([disabled])", timeout=60_000)
        desk.wait_for_selector("body[data-card-call]")
        desk.screenshot(path=folder / f"desk-{language}.png")
        desk.click("#answer")
        desk.wait_for_selector("#state[data-state=talking]")
        desk.fill("#ticket-form [name=subject]", "冒黑烟，动力不足" if language == "zh" else "Black smoke, low power")
        desk.screenshot(path=folder / f"desk-talking-{language}.png")
        desk.click("#hangup")
        desk.wait_for_selector("#state[data-state=wrap_up]")
        desk.screenshot(path=folder / f"desk-wrap-up-{language}.png")
        call_id = desk.locator("body").get_attribute("data-card-call")
        desk.click("#finish")
        call.communicate(timeout=30)
        desk.goto(f"{centre.url}/calls/{call_id}")
        desk.wait_for_timeout(2500)  # the wave is drawn
        desk.screenshot(path=folder / f"call-{language}.png")
        desk.goto(f"{centre.url}/desk")
        desk.wait_for_selector("body[data-live=up]")
        desk.click("#state")
        desk.click("#status button[data-status=offline]")
        desk.wait_for_selector("#state[data-status=offline]")
        desk.close()
    for language, dark in (("zh", False), ("en", True)):
        board = sign_in(browser, centre, "zhaomin", "/board", dark)
        if language == "en":
            board.click("header summary:has-text('赵敏')")
            board.click("header button[name=language][value=en]")
            board.wait_for_selector("html[lang=en]")
        for name, path in (
            ("board", "/board"),
            ("today", "/reports/today"),
            ("calls", "/calls"),
            ("tickets", "/tickets"),
        ):
            board.goto(f"{centre.url}{path}")
            board.wait_for_timeout(500)
            board.screenshot(path=folder / f"{name}-{language}.png")
        board.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    centre = Centre()
    try:
        centre.start()
        microphone = chromium.tone(centre.home / "mic.wav", 1000, rate_hz=48_000)
        with sync_playwright() as playwright, chromium.browser(playwright, microphone) as browser:
            take(centre, browser, folder)
        centre.stop()
    finally:
        centre.clear()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "pictures")
