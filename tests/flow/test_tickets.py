"""Tickets from opening to closing, and two people at one ticket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.errors import BadInput, NotFound
from config.people import Role, User
from ticketing import customers, engines, tickets
from ticketing.catalogue import FORMS
from ticketing.kinds import TicketIncomplete
from ticketing.rows import TicketKind
from ticketing.tickets import WrongTicketState
from ticketing.versions import StaleTicket

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def a_user(role: Role) -> User:
    return User(login=role.value, name=role.value, role=role.value)


@pytest.fixture
def db(database):
    with database.write() as db:
        for login in ("wangfang", "lina", "liuyang"):
            db.add(User(login=login, name=login, password_hash="", role="agent", created_at=NOW))
        yield db


@pytest.fixture
def li(db):
    return customers.create(db, "end_user", "李建国", NOW, phones=["13800138000"], region="河南 郑州")


@pytest.fixture
def engine(db, li):
    return engines.create(db, "4D83-24K102938", "4D83", customer_id=li.id)


@pytest.fixture
def ticket(db, li, engine):
    return tickets.open_ticket(
        db,
        "repair",
        subject="冒黑烟",
        by="wangfang",
        now=NOW,
        customer_id=li.id,
        engine_id=engine.id,
        call_id="tel-1763780400.1",
        fields={"fault": "black_smoke", "place": "郑州市中牟县工地"},
        notes="加速时冒黑烟，动力不足",
    )


def test_a_repair_is_numbered_by_the_day_where_the_centre_stands(db, li, engine):
    asked = {"fault": "no_start", "place": "郑州"}
    evening = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)  # 01:30 on the 23rd in Shanghai
    numbers = [
        tickets.open_ticket(
            db,
            "repair",
            subject="x",
            by="wangfang",
            now=now,
            customer_id=li.id,
            engine_id=engine.id,
            fields=asked,
            zone=SHANGHAI,
        ).number
        for now in (NOW, NOW, evening)
    ]
    assert numbers == ["R261122-0001", "R261122-0002", "R261123-0001"]


@pytest.mark.parametrize("kind", list(TicketKind))
def test_every_kind_says_all_that_is_missing_at_once_and_by_field(db, kind):
    with pytest.raises(TicketIncomplete) as fault:
        tickets.open_ticket(db, kind, subject=" ", by="wangfang", now=NOW)
    form = FORMS[kind]
    expected = {"subject"} | {field.name for field in form.fields if field.required}
    expected |= {"customer"} if form.needs_customer else set()
    expected |= {"engine"} if form.needs_engine else set()
    assert set(fault.value.faults) == expected
    assert fault.value.faults["subject"].text("zh") == "必填"


def test_a_rescue_is_urgent_due_in_half_an_hour_and_needs_no_engine(db):
    rescue = tickets.open_ticket(
        db,
        "rescue",
        subject="隧道内熄火",
        by="wangfang",
        now=NOW,
        fields={"place": "连霍高速 K580", "contact": "13800138000", "fault": "stalls", "danger": "on"},
    )
    assert (rescue.urgent, rescue.due_at, rescue.fields["danger"]) == (True, NOW + timedelta(minutes=30), True)


def test_a_serial_as_the_caller_said_it_finds_the_one_engine_it_can_mean(db, li, engine):
    asked = {"fault": "no_start", "place": "郑州", "serial": "102938"}
    ticket = tickets.open_ticket(
        db, "repair", subject="启动困难", by="wangfang", now=NOW, customer_id=li.id, fields=asked
    )
    assert ticket.engine_id == engine.id


@pytest.mark.parametrize(
    ("field", "value"),
    [("fault", "<script>"), ("hours", "viele"), ("hours", "-3"), ("place", "x" * 201), ("colour", "red")],
)
def test_an_answer_that_cannot_be_is_told_by_its_field(db, li, engine, field, value):
    asked = {"fault": "no_start", "place": "郑州", field: value}
    with pytest.raises(TicketIncomplete) as fault:
        tickets.open_ticket(
            db, "repair", subject="x", by="wangfang", now=NOW, customer_id=li.id, engine_id=engine.id, fields=asked
        )
    assert list(fault.value.faults) == [field]


def test_a_kind_nobody_knows_and_a_customer_nobody_knows(db):
    with pytest.raises(BadInput):
        tickets.open_ticket(db, "party", subject="x", by="wangfang", now=NOW)
    with pytest.raises(TicketIncomplete) as fault:
        tickets.open_ticket(
            db, "complaint", subject="x", by="wangfang", now=NOW, customer_id=999, fields={"about": "parts"}
        )
    assert list(fault.value.faults) == ["customer"]


def test_what_is_done_to_a_ticket_stays_as_its_entries(db, ticket):
    tickets.note(db, ticket, "客户已发照片", by="lina", now=NOW)
    tickets.change(db, ticket, version=ticket.version, by="lina", now=NOW, owner="lina", urgent=True)
    tickets.close(db, ticket, by="lina", now=NOW, text="更换喷油器后正常")
    assert [(entry.what, entry.by, entry.version) for entry in ticket.entries] == [
        ("opened", "wangfang", 1),
        ("noted", "lina", 2),
        ("changed", "lina", 3),
        ("closed", "lina", 4),
    ]
    assert ticket.entries[2].changes == {"owner": ["wangfang", "lina"], "urgent": [False, True]}
    assert (ticket.state, ticket.closed_at) == ("closed", NOW)


def test_the_second_saver_is_told_what_the_first_changed_and_overwrites_nothing(db, ticket):
    seen = ticket.version  # both have the page open
    tickets.change(db, ticket, version=seen, by="wangfang", now=NOW, subject="冒黑烟，动力不足")
    with pytest.raises(StaleTicket) as fault:
        tickets.change(db, ticket, version=seen, by="lina", now=NOW, subject="黑烟", urgent=True)
    assert fault.value.theirs == {"subject": "冒黑烟，动力不足"}
    assert fault.value.by == ["wangfang"]
    assert ticket.subject == "冒黑烟，动力不足"
    assert not ticket.urgent


def test_a_note_made_meanwhile_is_no_reason_to_refuse_a_change(db, ticket):
    seen = ticket.version
    tickets.note(db, ticket, "客户催问", by="lina", now=NOW)
    tickets.change(db, ticket, version=seen, by="wangfang", now=NOW, owner="liuyang")
    assert (ticket.owner, ticket.version) == ("liuyang", seen + 2)


def test_a_change_that_changes_nothing_leaves_no_entry(db, ticket):
    tickets.change(db, ticket, version=ticket.version, by="wangfang", now=NOW, subject="冒黑烟")
    assert len(ticket.entries) == 1


def test_only_one_of_two_closes_the_ticket(db, ticket):
    tickets.close(db, ticket, by="wangfang", now=NOW)
    with pytest.raises(WrongTicketState):
        tickets.close(db, ticket, by="lina", now=NOW)
    with pytest.raises(WrongTicketState):
        tickets.change(db, ticket, version=ticket.version, by="lina", now=NOW, subject="x")
    tickets.reopen(db, ticket, by="lina", now=NOW + timedelta(days=2), text="又冒黑烟")
    # 24 hours of work at the stations' hours (07:00 to 21:00) from Tuesday 03:00 on
    wednesday = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
    assert (ticket.state, ticket.closed_at, ticket.due_at) == ("open", None, wednesday)
    with pytest.raises(WrongTicketState):
        tickets.reopen(db, ticket, by="wangfang", now=NOW)


def test_fields_can_be_corrected_one_by_one(db, ticket):
    tickets.change(db, ticket, version=1, by="lina", now=NOW, fields={"hours": "3210"})
    assert ticket.fields == {"fault": "black_smoke", "place": "郑州市中牟县工地", "hours": 3210}
    with pytest.raises(TicketIncomplete):
        tickets.change(db, ticket, version=ticket.version, by="lina", now=NOW, fields={"place": ""})


def test_a_ticket_is_loaded_for_those_who_may_see_it_only(db, ticket):
    assert tickets.load_ticket(db, ticket.id, a_user(Role.AGENT)).subject == "冒黑烟"
    with pytest.raises(NotFound):
        tickets.load_ticket(db, ticket.id, a_user(Role.CAMPAIGN))
    with pytest.raises(NotFound):
        tickets.load_ticket(db, 999, a_user(Role.ADMIN))
    assert tickets.listed(db, a_user(Role.CAMPAIGN)) == []
    assert [row.id for row in tickets.listed(db, a_user(Role.QA), states=["open"])] == [ticket.id]


def test_history_of_a_customer_and_of_an_engine_whoever_owned_it(db, li, engine, ticket):
    other = customers.create(db, "end_user", "王大力", NOW)
    later = tickets.open_ticket(
        db,
        "repair",
        subject="漏油",
        by="lina",
        now=NOW + timedelta(days=1),
        customer_id=other.id,
        engine_id=engine.id,
        fields={"fault": "leak_oil", "place": "洛阳"},
    )
    assert [row.id for row in tickets.history(db, customer_id=li.id)] == [ticket.id]
    assert [row.id for row in tickets.history(db, engine_id=engine.id)] == [later.id, ticket.id]


def test_twenty_at_once_get_twenty_numbers_and_one_of_them_closes(database):
    def open_one(_no):
        with database.write() as db:
            return tickets.open_ticket(
                db, "inquiry", subject="配件价格", by="wangfang", now=NOW, fields={"topic": "price"}
            ).number

    def close_it(_no):
        with database.write() as db:
            ticket = tickets.load_ticket(db, 1, a_user(Role.AGENT))
            try:
                tickets.close(db, ticket, by="wangfang", now=NOW)
            except WrongTicketState:
                return False
            return True

    with ThreadPoolExecutor(8) as many:
        assert len(set(many.map(open_one, range(20)))) == 20
        assert sorted(many.map(close_it, range(8))) == [False] * 7 + [True]


def test_hostile_words_are_kept_as_words(db, li):
    words = "<img src=x onerror=alert(1)> =cmd|'/C calc'!A0 \x00\x1b[31m\u202e'\"; DROP TABLE tickets"
    ticket = tickets.open_ticket(
        db, "inquiry", subject=words, by="wangfang", now=NOW, customer_id=li.id, fields={"topic": "other"}, notes=words
    )
    assert ticket.subject == "<img src=x onerror=alert(1)> =cmd|'/C calc'!A0 [31m'\"; DROP TABLE tickets"


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"customer_id": 999}, "customer"),
        ({"engine_id": 2**70}, "engine"),
        ({"station_id": -1}, "station"),
        ({"owner": "nobody"}, "owner"),
        ({"owner": "x" * 300}, "owner"),
        ({"owner": "\x00"}, "owner"),
        ({"call_id": "x" * 151}, "call_id"),
        ({"call_id": "a\nb"}, "call_id"),
        ({"subject": " \u200b "}, "subject"),
        ({"subject": "x" * 201}, "subject"),
    ],
)
def test_what_a_ticket_points_to_must_be_there_from_the_start_and_after_a_change(db, ticket, named, field):
    with pytest.raises(TicketIncomplete) as fault:
        tickets.change(db, ticket, version=1, by="lina", now=NOW, **named)
    assert list(fault.value.faults) == [field]
    asked = {"topic": "other"}
    with pytest.raises(TicketIncomplete) as fault:
        tickets.open_ticket(db, "inquiry", **{"subject": "x", "by": "lina", "now": NOW, "fields": asked} | named)
    assert list(fault.value.faults) == [field]
    assert (ticket.version, len(ticket.entries)) == (1, 1)


def test_spaces_of_every_kind_are_spaces_and_line_breaks_stay_in_notes(db):
    asked = {"topic": "other"}
    ticket = tickets.open_ticket(
        db, "inquiry", subject="冒\u3000黑\n烟", by="lina", now=NOW, fields=asked, notes="一\r\n二\u00a0三\x07"
    )
    assert (ticket.subject, ticket.notes) == ("冒 黑 烟", "一\n二 三")


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**80])
def test_an_id_no_row_can_have_is_not_found(db, number):
    with pytest.raises(NotFound):
        tickets.load_ticket(db, number, a_user(Role.ADMIN))


def test_what_a_colleague_changed_is_told_beside_the_fields_it_changed(db, ticket):
    seen = ticket.version
    tickets.change(
        db, ticket, version=seen, by="lina", now=NOW, fields={"fault": "blue_smoke", "hours": "3210"}, urgent=True
    )
    tickets.change(db, ticket, version=ticket.version, by="liuyang", now=NOW, subject="冒蓝烟")
    with pytest.raises(StaleTicket) as fault:
        tickets.change(db, ticket, version=seen, by="wangfang", now=NOW, subject="漏油")
    assert fault.value.theirs == {"fields": {"fault": "blue_smoke", "hours": 3210}, "subject": "冒蓝烟", "urgent": True}
    beside = {name: wrong.text("zh") for name, wrong in fault.value.faults.items()}
    assert beside == {
        "subject": "lina, liuyang 已改为“冒蓝烟”",
        "urgent": "lina, liuyang 已改动",
        "fault": "lina, liuyang 已改为“冒蓝烟”",
        "hours": "lina, liuyang 已改为“3210”",
    }


def test_a_promise_is_made_to_the_full_minute(db):
    monday = datetime(2026, 11, 23, 9, 0, 1, 5, tzinfo=UTC)
    ticket = tickets.open_ticket(db, "inquiry", subject="x", by="lina", now=monday, fields={"topic": "other"})
    assert ticket.response_due_at == datetime(2026, 11, 23, 11, 1, tzinfo=UTC)
    assert ticket.due_at == datetime(2026, 11, 24, 9, 31, tzinfo=UTC)  # eight hours of 08:30-12:00 13:30-17:30
