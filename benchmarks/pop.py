"""Screen pop: from the switch's own stamp on ringing an agent to the caller's card painted in his browser.

The card says who calls, his engines, what was promised and what was before; the form to write in follows it, and its
time stands in a row of its own. Real calls, a real Chromium, one after the other on an idle machine. No vendor
publishes such figures; the peer is one frame of a 60 Hz screen, the least anything that is painted can take.
"""

from __future__ import annotations

import statistics

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import select

from benchmarks.frame import Goal, Row
from callcenter.database import to_us
from cti.rows import Offer
from tests import chromium
from tests.centre import Centre
from tests.sipp import Caller

CALLS = 40
FRAME_MS = 1000 / 60
# Straight to the queue behind short prompts: what comes before the ringing is not measured.
FLOW = """\
name: service
title: {zh: 直接排队, en: straight to the queue}
languages: [zh]
start: go
steps:
  go:
    say: {zh: 请稍候。}
    queue: repair
    kind: repair
"""


def measure() -> list[Row]:
    centre = Centre()
    try:
        (centre.home / "flows").mkdir()
        (centre.home / "flows" / "service.yaml").write_text(FLOW, encoding="utf-8")
        spoken = centre.home / "sounds" / "custom" / "zh"
        spoken.mkdir(parents=True)
        for name in ("greeting", "service-greeting", "service-go"):
            chromium.tone(spoken / f"{name}.wav", 600, seconds=0.1)
        centre.start()
        with sync_playwright() as playwright, chromium.browser(playwright) as browser:
            pops, forms = _pops(centre, browser.new_page(viewport={"width": 1280, "height": 720}))
        centre.stop()
    finally:
        centre.clear()
    cuts = statistics.quantiles(pops, n=100, method="inclusive")
    return [
        Row("screen pop p50", statistics.median(pops), "ms", Goal("ours", "<=", 60), FRAME_MS, "one frame"),
        Row("screen pop p99", cuts[98], "ms", Goal("ours", "<=", 200), FRAME_MS, "one frame"),
        Row("form to write in p50", statistics.median(forms), "ms", None, FRAME_MS, "one frame"),
    ]


def _pops(centre: Centre, page: Page) -> tuple[list[float], list[float]]:
    """Milliseconds from the ringing to the card, and to its form, call by call."""
    page.goto(f"{centre.url}/login")
    page.fill("input[name=login]", "wangfang")
    page.fill("input[name=password]", centre.passwords["wangfang"])
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{centre.url}/desk")
    page.click("#ready")
    page.wait_for_selector("#state[data-status=available][data-state=idle]", timeout=20_000)
    database = centre.database()
    to = f"127.0.0.1:{centre.ports['CALLCENTER_SWITCH__SIP_PORT']}"
    pops, forms = [], []
    for number in range(CALLS):
        page.evaluate("document.body.dataset.cardAt = document.body.dataset.formAt = ''")
        with Caller(centre.home / "people" / str(number), to, "4008", hold_s=2.5) as call:
            page.wait_for_selector('body[data-form-at]:not([data-form-at=""])', timeout=20_000)
            said = page.evaluate("({...document.body.dataset})")
            call.wait_over(20)
        with database.read() as db:
            rung_at = db.scalars(select(Offer.rung_at).where(Offer.call_id == said["cardCall"])).one()
        pops.append(float(said["cardAt"]) - to_us(rung_at) / 1000)
        forms.append(float(said["formAt"]) - to_us(rung_at) / 1000)
        page.wait_for_selector("#state[data-state=idle]", timeout=20_000)
    database.close()
    return pops, forms
