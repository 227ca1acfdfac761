"""Whatever happens to the page, the caller stays and no word is lost."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cti.rows import Call, Leg, Offer, Segment
from tests.browser.conftest import CALLER_HZ
from tests.browser.test_first_call import HEARD_HZ, get_ready
from tests.centre import Centre, outcome
from tests.waiting import wait_until


def talks(desk: Page) -> None:
    """The phone of this window is in a talk, and the switch says so as well."""
    expect(desk.locator("#hold")).to_be_enabled(timeout=20_000)
    expect(desk.locator("#state")).to_have_attribute("data-state", "talking", timeout=10_000)


def test_the_page_is_loaded_again_in_the_middle_of_a_call_and_the_caller_is_still_there(
    centre: Centre, people, caller_says: Path
):
    desk = people.log_in("wangfang", "/desk?audio=raw")
    desk.on("dialog", lambda asks: asks.accept())
    get_ready(desk)
    call = centre.call("4008", from_="13800138000", keys="3@1", say=str(caller_says), hold="60")
    expect(desk.locator("#answer")).to_be_enabled(timeout=40_000)

    # Loaded again while it rings, it rings again, and nobody has missed anything.
    desk.reload()
    expect(desk.locator("#answer")).to_be_enabled(timeout=20_000)
    expect(desk.locator("#state")).to_have_attribute("data-status", "available")
    desk.click("#answer")
    talks(desk)

    desk.reload()
    talks(desk)
    heard_hz = desk.evaluate(HEARD_HZ)
    assert math.isclose(heard_hz, CALLER_HZ, abs_tol=12), f"after the reload the agent hears {heard_hz} Hz"

    # The page dies without a word; another window, which had no phone, takes it with the caller by itself.
    other = desk.context.new_page()
    other.goto(f"{centre.url}/desk?audio=raw")
    expect(other.locator("#notice-elsewhere")).to_be_visible()
    with suppress(PlaywrightError):  # it has no time to say so
        desk.goto("chrome://crash", timeout=5_000)
    desk = other
    talks(desk)
    heard_hz = desk.evaluate(HEARD_HZ)
    assert math.isclose(heard_hz, CALLER_HZ, abs_tol=12), f"after the crash the agent hears {heard_hz} Hz"

    # A hang-up that is meant ends the call, which was one call all the time.
    desk.click("#hangup")
    assert outcome(call)["answered"] is True
    database = centre.database()

    def ended() -> str:
        with database.read() as db:  # each look its own: one transaction sees one moment
            row = db.scalars(select(Call).order_by(Call.started_at.desc()).limit(1)).one()
            return row.call_id if row.state == "ended" else ""

    call_id = wait_until(ended, 10, "the call is over")
    with database.read() as db:
        row = db.get_one(Call, call_id)
        assert (row.outcome, row.agent) == ("answered", "1001")
        offers = db.scalars(select(Offer).where(Offer.call_id == call_id).order_by(Offer.rung_at)).all()
        assert [(offer.agent, offer.outcome) for offer in offers] == [("1001", "cancelled"), ("1001", "answered")]
        segments = db.scalars(select(Segment).where(Segment.call_id == row.call_id).order_by(Segment.no)).all()
        assert [(one.kind, one.queue) for one in segments if one.kind in ("talk", "kept")] == [
            *[("talk", "repair"), ("kept", "repair")] * 2,
            ("talk", "repair"),
        ]  # fmt: skip
        assert [
            leg.cause
            for leg in db.scalars(
                select(Leg).where(Leg.call_id == row.call_id, Leg.agent == "1001").order_by(Leg.started_at)
            )
        ] == [27, 27, 27, 16]
    database.close()
