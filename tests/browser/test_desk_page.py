"""The desk in a real browser, with calls told as the switch tells them: what pops, what is kept, what never moves."""

from __future__ import annotations

import math
import re
import struct
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route, WebSocketRoute, expect
from sqlalchemy import select

from callcenter.database import now
from callcenter.facts import StatusChosen
from config import people
from recordings.rows import Recording
from tests.desktop import PASSWORD, Desk, make_desk, served
from tests.fresh import fresh
from tests.told import Caller, tell
from tests.waiting import wait_until
from ticketing import catalogue, customers, drafts, engines
from ticketing.rows import Customer, Ticket

CONTROLS = ("#state", "#answer", "#hangup", "#hold", "#mute", "#keypad", "#line-state")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desktop behind a real server, with 李建国, his engine, and three people on one number."""
    database = fresh(tmp_path / "desk.db")
    desk = make_desk(tmp_path, database)
    with database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=[("13800138000", "手机")], region="河南 郑州")
        engines.create(db, "4D83ZT240102938", "4D83", customer_id=li.id, vehicle="装载机 龙工 LG855")
        for kind, name in (("end_user", "王秀英"), ("station", "开封市祥符区顺达农机维修服务站"), ("dealer", "王大力")):
            customers.create(db, kind, name, now(), phones=["0371-22334455"], region="河南 开封")
    with served(desk):
        yield desk
    database.close()


class Seat:
    """An agent at his desk in a browser of his own, and what the browser complained about."""

    def __init__(self, desk: Desk, browser: Browser) -> None:
        self.desk, self._open = desk, ExitStack()
        self.complaints: list[str] = []
        self.context = browser.new_context(viewport={"width": 1280, "height": 720}, permissions=["microphone"])
        self._open.callback(self.context.close)
        token, _csrf = desk.session("wangfang")
        self.context.add_cookies([{"name": "callcenter", "value": token, "url": desk.origin}])
        self.context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        page.on("dialog", self._refuse)
        page.on("request", lambda asked: self._only_home(asked.url))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    def _refuse(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.accept()

    def _only_home(self, url: str) -> None:
        if not url.startswith((self.desk.origin, self.desk.origin.replace("http", "ws"), "data:", "blob:")):
            self.complaints.append(f"asked another origin: {url}")

    def open(self, path: str = "/desk", page: Page | None = None) -> Page:
        page = page or self.context.new_page()
        page.goto(self.desk.origin + path)
        if path.startswith("/desk"):
            expect(page.locator("body")).to_have_attribute("data-live", "up")
        return page

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def seat(desk: Desk, agents_browser: Browser) -> Iterator[Seat]:
    seat = Seat(desk, agents_browser)
    yield seat
    seat.close()
    assert seat.complaints == []


def rings(desk: Desk, page: Page, number: str = "13800138000", **more: Any) -> Caller:
    caller = Caller(desk.database, desk.bus, number, **more).rings()
    expect(page.locator("body")).to_have_attribute("data-card-call", caller.call_id)
    return caller


def test_the_card_is_on_screen_while_it_rings(desk, seat):
    page = seat.open()
    caller = rings(desk, page, serial="102938", wants="repair")
    expect(page.locator("#card .who")).to_have_text("李建国")
    expect(page.locator("#card")).to_contain_text("102938")
    expect(page.locator("#why")).to_contain_text("Repair")
    expect(page.locator("#state")).to_have_attribute("data-state", "ringing")
    expect(page.locator("#line-note")).to_contain_text("138 0013 8000")
    assert float(page.locator("body").get_attribute("data-card-at") or 0) / 1000 > caller.came.timestamp()
    assert page.locator("#ticket-form input[name=kind]:checked").input_value() == "repair"


def test_a_question_asked_since_the_desk_was_opened_is_on_the_next_card(desk, seat):
    page = seat.open()
    with desk.database.write() as db:
        text = catalogue.text_of(db, "complaint").replace(
            "fields:\n", "fields:\n  - {name: witness, zh: 见证人, en: Witness, shape: text}\n"
        )
        catalogue.set_form(db, "complaint", text, by="admin", now=now())
    rings(desk, page, wants="complaint")
    expect(page.locator("#ticket-form").get_by_label("Witness")).to_be_visible()


def test_the_call_controls_never_move(desk, seat):
    page = seat.open()
    tell(desk.database, desk.bus, [StatusChosen(at=now(), agent="1001", status="available", by="wangfang")], "desk")
    expect(page.locator("#state")).to_have_attribute("data-status", "available")

    def places() -> list[tuple[float, float]]:
        boxes = [page.locator(one).bounding_box() for one in CONTROLS]
        return [(box["x"], box["y"]) for box in boxes if box]

    idle = places()
    caller = rings(desk, page)
    ringing = places()
    caller.is_answered()
    expect(page.locator("#state")).to_have_attribute("data-state", "talking")
    talking = places()
    caller.hangs_up()
    expect(page.locator("#state")).to_have_attribute("data-state", "wrap_up")
    assert idle == ringing == talking == places()
    assert page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight"
    )


def test_a_break_asked_for_while_one_writes_begins_when_that_is_done_and_can_be_taken_back(desk, seat):
    page = seat.open()
    tell(desk.database, desk.bus, [StatusChosen(at=now(), agent="1001", status="available", by="wangfang")], "desk")
    rings(desk, page).is_answered().hangs_up()
    state, says = page.locator("#state"), page.locator("#notice-after")
    expect(state).to_have_attribute("data-state", "wrap_up")
    page.keyboard.press("F3")
    expect(says).to_have_text("After this wrap-up: Short break.")
    expect(page.locator("#break")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("F3")
    expect(says).to_have_count(0)
    expect(state).to_have_attribute("data-status", "available")
    page.keyboard.press("F3")
    expect(says).to_be_visible()
    page.keyboard.press("F10")
    expect(state).to_have_attribute("data-state", "idle")
    expect(state).to_have_attribute("data-status", "on_break")
    expect(says).to_have_count(0)


def test_a_ticket_is_typed_saved_by_key_and_bound(desk, seat):
    page = seat.open()
    caller = rings(desk, page, wants="repair", serial="102938").is_answered()
    expect(page.locator("#f-subject")).to_be_focused()
    page.keyboard.type("冒黑烟，动力不足")
    page.select_option("#f-repair-fault", "black_smoke")
    page.fill("#f-repair-place", "郑州 中牟")
    page.fill("#f-notes", "爬坡时 <b>无力</b>")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#saved")).to_contain_text("saved")
    expect(page.locator("#why")).to_contain_text("R2")
    expect(page.locator("#card .timeline")).to_contain_text("冒黑烟，动力不足")
    with desk.database.read() as db:
        ticket = db.scalars(select(Ticket)).one()
        assert (ticket.call_id, ticket.customer.name, ticket.engine.serial_end) == (caller.call_id, "李建国", "102938")
    page.fill("#f-notes", "换过柴滤")
    page.click("#save")
    expect(page.locator("#saved-notes")).to_contain_text("换过柴滤")
    assert page.input_value("#f-notes") == ""
    with desk.database.read() as db:
        assert [entry.text for entry in db.scalars(select(Ticket)).one().entries][-1] == "换过柴滤"


def test_what_is_missing_is_said_beside_its_field_and_the_words_stay(desk, seat):
    page = seat.open()
    rings(desk, page, wants="repair")
    page.fill("#f-notes", "很多话")
    page.click("#save")
    expect(page.locator("[data-field=subject] .error")).to_have_text("Please fill this in")
    expect(page.locator("#f-subject")).to_be_focused()
    expect(page.locator("#f-subject")).to_have_attribute("aria-invalid", "true")
    assert page.input_value("#f-notes") == "很多话"
    page.keyboard.type("冒黑烟")
    expect(page.locator("[data-field=subject] .error")).to_be_hidden()
    seat.complaints[:] = [one for one in seat.complaints if "422" not in one]  # browsers write down every refusal


def test_a_new_call_never_takes_the_place_of_words_that_are_not_saved(desk, seat):
    page = seat.open()
    first = rings(desk, page).is_answered()
    page.fill("#f-subject", "还没有保存的话")
    first.hangs_up()
    page.locator("#finish").click()
    expect(page.locator("#state")).to_have_attribute("data-state", "idle")
    second = rings(desk, page, "037122334455")
    assert page.input_value("#f-subject") == "还没有保存的话"
    expect(page.locator("#why .brief")).to_be_visible()
    expect(page.locator("#why")).to_contain_text("3 customers have this number")
    second.is_answered()
    expect(page.locator("#card [data-choice]")).to_be_visible()
    page.locator("#strip [role=tab]", has_text="李建国").click()
    assert page.input_value("#f-subject") == "还没有保存的话"


def test_a_draft_outlives_a_reload(desk, seat):
    page = seat.open()
    caller = rings(desk, page, wants="complaint").is_answered()
    page.fill("#f-subject", "服务站两天没有来人")
    page.fill("#f-complaint-wish", "今天派人")
    page.reload()
    expect(page.locator("#f-subject")).to_have_value("服务站两天没有来人")
    expect(page.locator("#f-complaint-wish")).to_have_value("今天派人")
    expect(page.locator("#saved")).to_contain_text("not saved yet")

    # With the next call in front, its tab says that words wait in it, also after a reload.
    caller.hangs_up()
    rings(desk, page, "15912345678").is_answered()
    page.reload()
    expect(page.locator("#card .who")).to_contain_text("159 1234 5678")
    expect(page.locator("#strip [role=tab]", has_text="李建国")).to_contain_text("draft")


def drafted(desk: Desk) -> list[str]:
    with desk.database.read() as db:
        return [one.values["subject"] for one in drafts.open_drafts(db, "wangfang")]


def test_words_typed_at_one_computer_are_at_hand_at_another_and_neither_writes_over_the_other(
    desk, seat, agents_browser
):
    office = seat.open()
    rings(desk, office, wants="complaint").is_answered()
    office.fill("#f-subject", "服务站两天没有来人")
    expect(office.locator("#saved")).to_contain_text(re.compile(r"Draft saved \d\d:\d\d:\d\d"))
    at_home = Seat(desk, agents_browser)
    try:
        home = at_home.open()
        expect(home.locator("#f-subject")).to_have_value("服务站两天没有来人")
        home.fill("#f-subject", "服务站今天上午到")
        wait_until(lambda: "服务站今天上午到" in drafted(desk), what="what was typed at home is kept")
        office.fill("#f-subject", "服务站两天没有来人，要求今天派人")
        wait_until(
            lambda: "服务站两天没有来人，要求今天派人" in drafted(desk), what="what was typed in the office is kept"
        )
        home.reload()  # what was typed last is shown, the other is a button away
        expect(home.locator("#f-subject")).to_have_value("服务站两天没有来人，要求今天派人")
        home.locator(".other-drafts button").click()
        expect(home.locator("#f-subject")).to_have_value("服务站今天上午到")
        expect(home.locator(".other-drafts button")).to_have_attribute("title", re.compile("要求今天派人"))
    finally:
        at_home.close()
    assert at_home.complaints == []


def test_three_people_on_one_number_are_one_key_away(desk, seat):
    page = seat.open()
    rings(desk, page, "037122334455")
    page.keyboard.press("2")
    expect(page.locator("#card .who")).to_have_text("开封市祥符区顺达农机维修服务站")
    assert page.input_value("input[name=customer_id]") != ""


def test_an_unknown_caller_is_put_on_file_in_place(desk, seat):
    page = seat.open()
    rings(desk, page, "15912345678").is_answered()
    expect(page.locator("#card")).to_contain_text("Unknown number")
    page.fill("#f-subject", "询问网点")
    page.fill("#new-name", "赵铁柱")
    page.keyboard.press("Enter")
    expect(page.locator("#card .who")).to_have_text("赵铁柱")
    assert page.input_value("#f-subject") == "询问网点"
    expect(page.locator("#f-subject")).to_be_focused()  # what was typed into is gone; one goes on where one writes
    with desk.database.read() as db:
        assert db.scalars(select(Customer).where(Customer.name == "赵铁柱")).one().phones[0].number == "+8615912345678"


def test_the_search_box_finds_while_one_types_and_binds_the_caller(desk, seat):
    page = seat.open()
    rings(desk, page, "15912345678")
    page.keyboard.press("/")
    page.keyboard.type("jianguo")
    page.locator("#found [data-bind]").click()
    expect(page.locator("#card .who")).to_have_text("李建国")
    expect(page.locator("#card")).to_contain_text("new number")


def test_keys_are_shown_on_demand_and_kinds_are_chosen_by_key(desk, seat):
    page = seat.open()
    rings(desk, page)
    page.keyboard.press("?")
    expect(page.locator("#keys-map")).to_be_visible()
    expect(page.locator("#keys-list")).to_contain_text("Save the ticket")
    page.keyboard.press("Escape")
    expect(page.locator("#keys-map")).to_be_hidden()
    page.keyboard.press("Alt+5")
    expect(page.locator("fieldset[data-kind=rescue]")).to_be_visible()
    expect(page.locator("fieldset[data-kind=repair]")).to_be_hidden()


def test_a_number_clicked_on_another_page_stands_ready_at_the_desk_and_is_called_by_key(desk, seat):
    page = seat.open("/customers/1")
    page.get_by_role("link", name="138 0013 8000").click()
    expect(page.locator("#planning-number")).to_have_value("+8613800138000")
    expect(page.locator("#planning-now")).to_be_focused()
    assert page.url.endswith("/desk")
    with page.expect_request(lambda asked: asked.url.endswith("/desk/dial")) as asked:
        page.keyboard.press("Enter")
    assert asked.value.post_data == "number=%2B8613800138000"
    expect(page.locator("#refused-why")).to_contain_text("Your own phone is busy or not registered")
    seat.complaints.clear()  # the browser writes down that it was refused: no phone is there


def test_a_second_window_says_that_the_phone_is_in_the_first(desk, seat):
    first = seat.open()
    first.click("#ready")
    expect(first.locator("#state")).to_have_attribute("data-status", "available")
    second = seat.open()
    expect(second.locator("#notice-elsewhere")).to_be_visible()
    caller = rings(desk, second)
    expect(first.locator("body")).to_have_attribute("data-card-call", caller.call_id)


def test_without_a_microphone_the_agent_is_told_what_to_do_and_stays_away(desk, seat):
    seat.context.clear_permissions()
    page = seat.open()
    page.evaluate(
        """() => {
            navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
        }"""
    )
    page.click("#ready")
    expect(page.locator("#notice-phone-fault")).to_contain_text("There is no microphone")
    expect(page.locator("#state")).to_have_attribute("data-status", "offline")


def test_a_missed_call_is_told_with_the_way_on(desk, seat):
    page = seat.open()
    rings(desk, page).is_missed()
    missed = StatusChosen(at=now(), agent="1001", status="on_break", reason="missed", by="policy")
    tell(desk.database, desk.bus, [missed], "policy")
    expect(page.locator("#notice-missed")).to_contain_text("was not answered")
    page.locator("#notice-missed button").click()
    expect(page.locator("#state")).to_have_attribute("data-status", "available")
    expect(page.locator("#notice-missed")).to_have_count(0)


def test_what_was_missed_while_the_connection_was_lost_is_read_when_it_stands_again(desk, seat):
    lines: list[WebSocketRoute] = []
    cut: list[bool] = []

    def carry(line: WebSocketRoute) -> None:
        lines.append(line)
        if cut:
            line.close()
        else:
            line.connect_to_server()

    page = seat.context.new_page()
    page.route_web_socket("**/live?*", carry)
    seat.open(page=page)
    cut.append(True)
    lines[-1].close()
    expect(page.locator("#notice-link")).to_contain_text("Connection lost")
    caller = Caller(desk.database, desk.bus).rings()  # nobody is told
    cut.clear()
    expect(page.locator("#notice-link")).to_have_count(0)
    expect(page.locator("body")).to_have_attribute("data-card-call", caller.call_id)


def test_a_name_full_of_markup_is_text(desk, seat):
    hostile = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
    with desk.database.write() as db:
        customers.create(db, "end_user", hostile, now(), phones=["13700137000"], region=hostile[:80])
    page = seat.open()
    rings(desk, page, "13700137000", name=hostile)
    expect(page.locator("#card .who")).to_have_text(hostile)
    assert page.locator("#card img, #card script, #why img").count() == 0


def test_a_recording_is_played_in_the_page_side_by_side(desk, seat):
    caller = Caller(desk.database, desk.bus).rings().is_answered().hangs_up()
    folder = desk.settings.recordings
    folder.mkdir(parents=True)
    with wave.open(str(folder / f"{caller.call_id}.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        tones = (round(9000 * math.sin(n / 8000 * math.tau * hz)) for n in range(24_000) for hz in (440, 1000))
        out.writeframes(struct.pack("<48000h", *tones))
    with desk.database.write() as db:
        db.add(
            Recording(
                call_id=caller.call_id,
                file=f"{caller.call_id}.wav",
                state="complete",
                started_at=now(),
                expected_ms=3000,
                length_ms=3000,
                registered_at=now(),
            )
        )
    page = seat.open(f"/calls/{caller.call_id}")
    expect(page.locator("#position")).to_contain_text("00:00 /")
    page.wait_for_function(
        "() => document.querySelector('#wave > div')?.shadowRoot?.querySelectorAll('canvas').length >= 2"
    )
    page.click("#play")
    page.wait_for_function("() => document.querySelector('#sound').currentTime > 0.3")
    expect(page.locator("#player-error")).to_be_hidden()


def test_a_ticket_is_sent_behind_its_draft_which_else_would_open_a_second_one(desk, seat):
    page = seat.open()
    caller = rings(desk, page, serial="102938", wants="repair")
    caller.is_answered()
    page.locator("#f-repair-fault").select_option("black_smoke")
    page.locator("#f-repair-place").fill("郑州北")
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    told: list[str] = []
    held: list[Route] = []
    page.on("request", lambda request: told.append(f"{request.method} {urlsplit(request.url).path}"))
    page.on("requestfinished", lambda request: told.append(f"done {urlsplit(request.url).path}"))
    page.route("**/desk/drafts", lambda route: held.append(route))
    with page.expect_request("**/desk/drafts"):
        page.locator("#f-subject").fill("冒黑烟")
    with page.expect_response("**/desk/tickets"):
        page.keyboard.press("Control+Enter")
        held.pop().continue_()
    expect(page.locator("#another")).to_be_visible()
    assert told.index("POST /desk/tickets") > told.index("done /desk/drafts")
    assert drafted(desk) == []


def test_a_saved_ticket_stands_in_its_form_after_a_reload_and_is_gone_on_with(desk, seat):
    page = seat.open()
    caller = rings(desk, page, serial="102938", wants="repair")
    caller.is_answered()
    page.locator("#f-subject").fill("冒黑烟")
    page.locator("#f-repair-fault").select_option("black_smoke")
    page.locator("#f-repair-place").fill("郑州北")
    page.locator("#f-notes").fill("车停在服务区")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#another")).to_be_visible()
    page.reload()
    expect(page.locator("#f-subject")).to_have_value("冒黑烟")
    expect(page.locator("#saved-notes")).to_have_text("车停在服务区")
    expect(page.locator("#saved")).to_have_text(re.compile(r"^\S+-\d{4} saved"))
    page.locator("#f-notes").fill("客户又说：还漏油")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#saved-notes")).to_contain_text("还漏油")
    with desk.database.read() as db:
        assert [ticket.subject for ticket in db.scalars(select(Ticket))] == ["冒黑烟"]
    page.click("#another")
    page.reload()
    expect(page.locator("#ticket-form")).to_be_visible()
    expect(page.locator("#f-subject")).to_have_value("")


def test_what_was_sent_after_the_session_had_ended_stands_in_its_form_after_the_sign_in(desk, seat):
    with desk.database.read() as db:
        li = db.scalars(select(Customer.id).where(Customer.name == "李建国")).one()
    page = seat.open(f"/customers/{li}")
    page.locator("#record [name=note]").fill("车主兼司机，方言重，请说慢一点")
    with desk.database.write() as db:
        people.end_all_sessions(db, desk.users["wangfang"], now())
    page.click("#record button.primary")
    page.get_by_role("link", name="Sign in").click()
    seat.complaints.clear()  # the browser's own word for 401
    page.fill("[name=login]", "wangfang")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#record .banner")).to_contain_text("has not been saved yet")
    expect(page.locator("#record [name=note]")).to_have_value("车主兼司机，方言重，请说慢一点")
    page.keyboard.press("Enter")
    expect(page.locator("#record .banner")).to_have_count(0)
    with desk.database.read() as db:
        assert db.get_one(Customer, li).note == "车主兼司机，方言重，请说慢一点"
    page.reload()
    expect(page.locator("#record .banner")).to_have_count(0)  # what was taken is not offered again


def test_the_idle_page_counts_who_waits_as_the_top_bar_does(desk, seat):
    page = seat.open()
    own = page.locator("#own-queues [data-queue=repair]")
    expect(own).to_contain_text("nobody waits")
    caller = Caller(desk.database, desk.bus, "13800138000", agent="1002").rings()
    expect(page.locator("#queues b")).to_have_text("1")
    expect(own.locator("b")).to_have_text("1")
    caller.is_answered()
    expect(page.locator("#queues")).to_have_text("nobody waits")
    expect(own).to_contain_text("nobody waits")
