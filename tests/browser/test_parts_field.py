"""The parts of a repair are named from the catalogue, by keys alone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect
from sqlalchemy import select

from callcenter.database import now
from tests.browser.test_desk_page import desk, seat  # noqa: F401 - fixtures
from tests.waiting import wait_until
from ticketing import customers, parts, tickets
from ticketing.rows import Ticket


def test_parts_are_found_by_initials_and_number_and_stand_in_their_line(desk, seat):  # noqa: F811
    with desk.database.write() as db:
        made: dict[str, Any] = {"by": "zhaomin", "now": now()}
        parts.create(db, "1000-3812", zh="喷油器总成", fits=["6D107"], superseded_by="1000-3812A", **made)
        parts.create(db, "1000-3812A", zh="喷油器总成（新）", fits=["6D107"], **made)
        parts.create(db, "4D83.0102", zh="机油滤清器", fits=["4D"], **made)
        li = customers.create(db, "end_user", "李建国", now(), phones=["13900139000"])
        asked = {"fault": "black_smoke", "place": "郑州", "serial": "102938"}
        ticket = tickets.open_ticket(
            db, "repair", subject="冒黑烟", by="wangfang", now=now(), customer_id=li.id, fields=asked
        )
    page = seat.open(f"/tickets/{ticket.id}")
    field, options = page.locator("#t-parts"), page.locator(".part-list:not([hidden]) > [role=option]")
    field.focus()
    page.keyboard.type("jylqq x2")
    expect(options).to_have_count(1)
    expect(page.get_by_role("status")).to_contain_text("Parts found: 1.")
    expect(field).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(field).to_have_value("4D83.0102 · 机油滤清器 ×2")
    expect(options).to_have_count(0)
    page.keyboard.press("Enter")
    page.keyboard.type("10003812")
    expect(options).to_have_count(2)
    expect(options.first).to_contain_text("Superseded by 1000-3812A")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("pyq")
    expect(options).to_have_count(2)
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_value("4D83.0102 · 机油滤清器 ×2\n1000-3812A · 喷油器总成（新）\npyq")
    for _ in "pyq":
        page.keyboard.press("Backspace")
    page.keyboard.press("Control+Enter")

    def kept() -> object:
        with desk.database.read() as db:
            return db.scalars(select(Ticket).where(Ticket.id == ticket.id)).one().fields.get("parts")

    words = "4D83.0102 · 机油滤清器 ×2\n1000-3812A · 喷油器总成（新） ×1"
    assert wait_until(kept, what="the ticket is saved") == words
