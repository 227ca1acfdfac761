"""The main job, whole: a real call rings in a real browser, becomes a ticket, is recorded and found again."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from recordings import catalogue
from tests import chromium
from tests.browser.conftest import AGENT_HZ, CALLER_HZ, REPAIR_KEYS
from tests.centre import Centre, outcome
from tests.waiting import wait_until

LOUD_DB, QUIET_DB = -35, -55
HEARD_HZ = """async () => {
    const audio = new AudioContext();
    const from = audio.createMediaStreamSource(document.querySelector('audio').srcObject);
    const ear = audio.createAnalyser();
    ear.fftSize = 8192;
    from.connect(ear);
    const bins = new Float32Array(ear.frequencyBinCount);
    for (let tries = 0; tries < 40; tries++) {
        await new Promise(done => setTimeout(done, 100));
        ear.getFloatFrequencyData(bins);
        const loudest = bins.indexOf(Math.max(...bins));
        if (bins[loudest] > -60) { audio.close(); return loudest * audio.sampleRate / ear.fftSize; }
    }
    return 0;
}"""


def get_ready(page: Page) -> None:
    """Choose to be available, whatever he was before, and wait until the phone is there and wrap-up is over."""
    expect(page.locator("body")).to_have_attribute("data-live", "up")
    page.click("#state")
    page.click("#status button[data-status=available]")
    expect(page.locator("#state")).to_have_attribute("data-status", "available", timeout=20_000)
    expect(page.locator("#ready")).to_have_attribute("aria-pressed", "true", timeout=20_000)
    if page.locator("#state").get_attribute("data-state") == "wrap_up":
        page.keyboard.press("F10")
    expect(page.locator("#state")).to_have_attribute("data-state", "idle")


def test_a_call_rings_in_the_browser_becomes_a_ticket_and_is_recorded(
    centre: Centre, people, caller_says: Path, tmp_path: Path
):
    desk = people.log_in("wangfang", "/desk?audio=raw")
    get_ready(desk)
    heard_file = tmp_path / "heard.wav"
    call = centre.call("4008", from_="13800138000", keys="3", say=str(caller_says), listen=str(heard_file), hold="60")

    # It rings, and the card is there.
    expect(desk.locator("#answer")).to_be_enabled(timeout=40_000)
    expect(desk.locator("#card")).to_contain_text("李建国")
    expect(desk.locator("#card")).to_contain_text(re.compile("报修|Repair"))
    expect(desk.locator("body")).to_have_attribute("data-card-call", re.compile(".+"))  # painted
    call_id = desk.locator("body").get_attribute("data-card-call")

    # Both hear each other.
    desk.click("#answer")
    expect(desk.locator("#state")).to_have_attribute("data-state", "talking", timeout=10_000)
    heard_hz = desk.evaluate(HEARD_HZ)
    assert math.isclose(heard_hz, CALLER_HZ, abs_tol=12), f"the agent hears {heard_hz} Hz"

    talking_since = time.monotonic()

    # A repair ticket, bound to call, customer and engine.
    desk.fill("#ticket-form [name=subject]", "冒黑烟，动力不足")
    desk.fill("#ticket-form [name=notes]", "爬坡时冒黑烟，<b>上周</b>换过柴滤")
    for required in desk.locator("#ticket-form fieldset:not([hidden]) .field:has([title])").all():
        box = required.locator("input, select, textarea").first
        if box.evaluate("element => element.tagName") == "SELECT":
            box.select_option(index=1)
        elif not box.input_value():
            box.fill("郑州市中原区科学大道 100 号")
    desk.click("#save")
    expect(desk.locator("#saved")).to_contain_text(re.compile(r"R\d{6}-\d{4}"), timeout=10_000)
    (number,) = re.findall(r"R\d{6}-\d{4}", desk.locator("#saved").inner_text())

    # He hangs up, wraps up, is available again.
    wait_until(lambda: time.monotonic() - talking_since > 5, 10, "enough talk to measure")
    desk.click("#hangup")
    expect(desk.locator("#state")).to_have_attribute("data-state", "wrap_up", timeout=10_000)
    desk.click("#finish")
    expect(desk.locator("#state")).to_have_attribute("data-state", "idle", timeout=10_000)
    told = outcome(call)
    assert told["answered"] is True

    # The caller heard the agent.
    (heard,) = chromium.channels(heard_file)
    assert chromium.loudness_db(heard[-24_000:-8_000], AGENT_HZ) > LOUD_DB

    # The recording: caller left, agent right, and each side alone.
    database = centre.database()

    def registered():
        with database.read() as db:
            return catalogue.of_call(db, call_id)

    recording = wait_until(registered, 20, "the recording is on record")
    assert recording.state == "complete"
    left, right = chromium.channels(centre.home / "switch/spool/monitor" / recording.file)
    end = len(left) - 8_000  # the last second is the hang-up
    talk = slice(end - 16_000, end)
    assert chromium.loudness_db(left[talk], CALLER_HZ) > LOUD_DB
    assert chromium.loudness_db(right[talk], AGENT_HZ) > LOUD_DB
    assert chromium.loudness_db(left[talk], AGENT_HZ) < QUIET_DB
    assert chromium.loudness_db(right[talk], CALLER_HZ) < QUIET_DB
    database.close()

    # Call, recording and ticket are found from each other.
    desk.goto(f"{centre.url}/calls/{call_id}")
    expect(desk.get_by_text(number).first).to_be_visible()
    expect(desk.get_by_text("李建国").first).to_be_visible()
    sound = desk.evaluate(
        "async id => { const r = await fetch(`/calls/${id}/recording.wav`); return [r.status, (await r.blob()).size] }",
        call_id,
    )
    assert sound == [200, recording.bytes]
    desk.get_by_text(number).first.click()
    expect(desk.get_by_text("冒黑烟，动力不足").first).to_be_visible()
    expect(desk.get_by_text("<b>上周</b>").first).to_be_visible()
    expect(desk.locator(f"a[href*='{call_id}']").first).to_be_visible()


def test_a_caller_who_gives_up_while_it_rings_is_abandoned_and_the_agent_stays_free(centre: Centre, people):
    desk = people.log_in("wangfang", "/desk?audio=raw")
    get_ready(desk)
    call = centre.call("4008", from_="037112345678", keys=REPAIR_KEYS, hold="60")
    expect(desk.locator("#answer")).to_be_enabled(timeout=40_000)
    call.terminate()
    expect(desk.locator("#answer")).to_be_disabled(timeout=15_000)
    expect(desk.locator("#state")).to_have_attribute("data-state", "idle", timeout=10_000)
    expect(desk.locator("#state")).to_have_attribute("data-status", "available")


def test_an_agent_who_does_not_answer_is_paused_and_told_so(centre: Centre, people):
    desk = people.log_in("wangfang", "/desk?audio=raw")
    get_ready(desk)
    centre.call("4008", from_="13800138000", keys=REPAIR_KEYS, hold="60")
    expect(desk.locator("#answer")).to_be_enabled(timeout=40_000)
    expect(desk.locator("#state")).to_have_attribute("data-status", "on_break", timeout=40_000)
    expect(desk.locator("#notices")).not_to_be_empty()


def test_a_supervisor_sees_the_call_and_the_figures_of_today(centre: Centre, people):
    board = people.log_in("zhaomin", "/board")
    expect(board.get_by_text("王芳").first).to_be_visible()
    board.goto(f"{centre.url}/reports/today")
    expect(board.locator("body")).to_contain_text(re.compile("服务水平|Service level"))


def test_every_part_says_that_it_is_well(centre: Centre):
    answer = httpx.get(f"{centre.url}/healthz")
    assert answer.status_code == 200, answer.text
    assert {"switch", "ivr", "cti", "worker", "desktop"} <= set(answer.json()["parts"])
    assert "callcenter_" in httpx.get(f"{centre.url}/metrics").text
