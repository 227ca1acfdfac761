"""What an agent sees while it rings: who calls, about which engine, what was promised, what he has to know."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from agent_desktop import card as cards
from agent_desktop.card_lines import Card
from callcenter.database import now
from config.settings import Settings
from tests.told import Caller
from ticketing import customers, demo, engines, tickets

CARD_SELECTS = 16  # who asks and what call it is included; benchmarks/card.py measures the time
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def li(desk):
    """李建国: two numbers, two engines, one promise broken and one that holds."""
    at = now()
    with desk.database.write() as db:
        customer = customers.create(
            db, "end_user", "李建国", at, phones=[("13800138000", "手机"), ("0371-67890123", "家")], region="河南 郑州"
        )
        dealer = customers.create(db, "dealer", "郑州恒源工程机械有限公司", at)
        engine = engines.create(
            db, "4D83ZT240102938", "4D83", customer_id=customer.id, dealer_id=dealer.id, vehicle="装载机 龙工 LG855",
            sold_on=at.date() - timedelta(days=200), hours=1210, hours_on=at.date() - timedelta(days=9),
        )  # fmt: skip
        other = engines.create(db, "6A12BT190077120", "6A12", customer_id=customer.id, sold_on=date(2019, 5, 1))
        about: dict[str, Any] = {"customer_id": customer.id, "by": "lina"}
        late = tickets.open_ticket(
            db, "repair", subject="服务站回电", now=at - timedelta(hours=26), engine_id=engine.id, **about,
            fields={"fault": "hard_start", "place": "中牟"}, due_at=at - timedelta(minutes=12),
        )  # fmt: skip
        done = tickets.open_ticket(
            db, "inquiry", subject="三包政策", now=at - timedelta(days=90), **about, fields={"topic": "warranty"}
        )
        tickets.close(db, done, by="lina", now=at - timedelta(days=90))
        return {
            "customer": customer.id,
            "engine": engine.id,
            "other": other.id,
            "late": late.number,
            "done": done.number,
        }


def composed(desk, caller) -> Card:
    at = now()
    with desk.database.read() as db:
        return cards.compose(db, caller.call_id, language="zh", now=at, today=at.date())


def test_a_known_caller_is_named_with_kind_region_and_numbers(desk, li):
    card = composed(desk, Caller(desk.database, desk.bus).rings())
    assert card.person
    assert (card.person.name, card.person.kind, card.person.region) == ("李建国", "end_user", "河南 郑州")
    assert [(line.label, line.calling) for line in card.person.phones] == [("手机", True), ("家", False)]
    assert not card.others
    assert not card.unknown


def test_the_engine_whose_number_he_keyed_is_meant_and_stands_first(desk, li):
    card = composed(desk, Caller(desk.database, desk.bus, serial="077120").rings())
    assert card.engine
    assert card.engine.id == li["other"]
    assert card.engines[0] is card.engine
    assert card.engine.end == "077120"
    assert card.engine.warranty == "out"


def test_without_a_number_the_engine_of_his_open_ticket_is_meant(desk, li):
    card = composed(desk, Caller(desk.database, desk.bus).rings())
    assert card.engine
    assert card.engine.id == li["engine"]
    assert (card.engine.warranty, card.engine.dealer) == ("in", "郑州恒源工程机械有限公司")
    assert card.engine.clause
    assert card.engine.open_tickets == 1


def test_a_broken_promise_says_by_how_much(desk, li):
    card = composed(desk, Caller(desk.database, desk.bus).rings())
    assert [line.number for line in card.promises] == [li["late"]]
    assert 12 * 60 <= (card.promises[0].late_s or 0) < 13 * 60


def test_a_ticket_of_this_very_call_is_no_earlier_promise(desk, li):
    caller = Caller(desk.database, desk.bus).rings().is_answered()
    with desk.database.write() as db:
        tickets.open_ticket(
            db, "inquiry", subject="网点", by="wangfang", now=now(), customer_id=li["customer"], call_id=caller.call_id,
            fields={"topic": "station"},
        )  # fmt: skip
    card = composed(desk, caller)
    assert [line.number for line in card.promises] == [li["late"]]
    assert [line.subject for line in card.mine] == ["网点"]


def test_what_he_chose_and_how_long_he_has_waited_is_told(desk, li):
    caller = Caller(desk.database, desk.bus, wants="rescue", serial="102938").rings()
    card = composed(desk, caller)
    assert card.call.menu == (("主菜单", "3"), ("机号", "102938"))
    assert (card.call.wished_kind, card.call.wished_serial, card.kind) == ("rescue", "102938", "rescue")
    assert card.call.waiting_since == caller.came + timedelta(seconds=4)
    assert card.call.queue == "报修"


def test_the_time_line_tells_calls_and_tickets_newest_first(desk, li):
    earlier = Caller(desk.database, desk.bus, came=now() - timedelta(days=3)).rings().is_answered().hangs_up()
    card = composed(desk, Caller(desk.database, desk.bus).rings())
    told = [one.ticket.number if one.ticket else one.call and one.call.call_id for one in card.timeline]
    assert told == [li["late"], earlier.call_id, li["done"]]
    assert [moment.at for moment in card.timeline] == sorted((m.at for m in card.timeline), reverse=True)


def test_three_people_on_one_number_are_offered_and_nobody_is_guessed(desk):
    with desk.database.write() as db:
        for kind, name in (("end_user", "王秀英"), ("station", "开封顺达农机维修站"), ("dealer", "王大力")):
            customers.create(db, kind, name, now(), phones=["0371-22334455"], region="河南 开封")
    card = composed(desk, Caller(desk.database, desk.bus, "037122334455").rings())
    assert card.person is None
    assert [one.name for one in card.others] == ["王秀英", "开封顺达农机维修站", "王大力"]


def test_a_number_read_in_a_text_is_only_a_maybe(desk):
    with desk.database.write() as db:
        customer = customers.create(db, "end_user", "张伟", now())
        customers.add_phone(db, customer, "15912345678", now(), level="maybe")
    card = composed(desk, Caller(desk.database, desk.bus, "15912345678").rings())
    assert card.person is None
    assert [(one.name, one.maybe) for one in card.others] == [("张伟", True)]


def test_a_stranger_who_keys_a_serial_number_shows_the_engine_and_whose_it_is(desk, li):
    card = composed(desk, Caller(desk.database, desk.bus, "15900000001", serial="102938").rings())
    assert card.unknown
    assert card.engine
    assert (card.engine.id, card.engine.owner) == (li["engine"], "李建国")


def test_an_unknown_number_says_so_and_offers_to_put_the_caller_on_file(desk):
    caller = Caller(desk.database, desk.bus, "15900000001").rings()
    page = desk.client("wangfang").get(f"/desk/card/{caller.call_id}")
    assert "Unknown number" in page.text
    assert 'id="new-customer"' in page.text
    assert "159 0000 0001" in page.text


def test_a_withheld_number_is_said_in_words(desk):
    caller = Caller(desk.database, desk.bus, "anonymous").rings()
    assert "Number withheld" in desk.client("wangfang").get(f"/desk/card/{caller.call_id}").text


def test_names_and_caller_ids_full_of_markup_are_shown_and_never_run(desk):
    at = now()
    with desk.database.write() as db:
        customer = customers.create(
            db, "end_user", HOSTILE, at, phones=["13700137000"], region=HOSTILE[:80], note=HOSTILE
        )
        engine = engines.create(db, "4D83ZT240555555", "4D83", customer_id=customer.id, vehicle=HOSTILE)
        tickets.open_ticket(
            db, "repair", subject=HOSTILE, by="lina", now=at, customer_id=customer.id, engine_id=engine.id,
            fields={"fault": "noise", "place": HOSTILE},
        )  # fmt: skip
    caller = Caller(desk.database, desk.bus, "13700137000", HOSTILE, serial="<b>1").rings()
    client = desk.client("wangfang")
    for path in (f"/desk/card/{caller.call_id}", f"/calls/{caller.call_id}", "/desk/search?q=%3Cscript%3E", "/desk"):
        page = client.get(path)
        assert page.status_code == 200, path
        for live in ("<script>alert", "<img src=x", "<b>1"):
            assert live not in page.text, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in client.get(f"/desk/card/{caller.call_id}").text


def test_a_colleagues_call_is_not_shown(desk, li):
    caller = Caller(desk.database, desk.bus).rings()
    assert desk.client("lina").get(f"/desk/card/{caller.call_id}").status_code == 404
    assert desk.client("wangfang").get("/desk/card/tel-1.999").status_code == 404


def test_a_card_in_a_year_of_calls_asks_the_database_no_more_than_it_must(desk, tmp_path):
    with desk.database.write() as db:
        demo.fill(db, Settings(home=tmp_path), now())
    caller = Caller(desk.database, desk.bus, "13800138000", serial="102938").rings()
    client = desk.client("wangfang")
    asked: list[str] = []
    event.listen(desk.database.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    assert client.get(f"/desk/card/{caller.call_id}").status_code == 200
    selects = [statement for statement in asked if statement.startswith("SELECT")]
    assert len(selects) <= CARD_SELECTS, "\n\n".join(selects)
