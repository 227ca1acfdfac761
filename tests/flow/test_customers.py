"""Who calls: customers, their numbers, their engines, and one box that finds all of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from callcenter.errors import BadInput, NotFound
from config.people import Role, User
from ticketing import customers, engines, entries, findable, pinyin, readings, search, stations, tickets
from ticketing.customers import NameMissing
from ticketing.engines import SerialTaken
from ticketing.readings import ImplausibleReading
from ticketing.rows import Ticket

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AGENT = User(login="wangfang", name="王芳", role=Role.AGENT.value)
CAMPAIGN = User(login="huifang", name="赵敏", role=Role.CAMPAIGN.value)


@pytest.fixture
def db(database):
    with database.write() as db:
        yield db


def customer(db, name, *phones: str, kind="end_user", **rest: str):
    return customers.create(db, kind, name, NOW, phones=phones, area_code="0371", **rest)


def names(found):
    return [(one.name, level) for one, level in found]


def test_a_caller_is_found_however_his_number_was_written(db):
    customer(db, "李建国", "138 0013 8000")
    assert names(customers.by_number(db, "+8613800138000")) == [("李建国", "known")]
    assert customers.by_number(db, "+8613800138001") == []
    assert customers.by_number(db, "") == []


def test_three_people_on_one_number_are_three_answers(db):
    for name in ("张伟", "张磊", "郑州鸿运土方工程有限公司"):
        customer(db, name, "0371-67890123")
    assert len(customers.by_number(db, "+8637167890123")) == 3


def test_a_number_read_in_a_note_or_behind_an_extension_is_a_maybe_and_comes_last(db):
    li = customer(db, "李建国")
    customers.numbers_in(db, li, "司机电话 13900139000，老板 0371-67890123转801", NOW)
    customers.numbers_in(db, li, "13900139000/13700137000", NOW)
    wang = customer(db, "王大力", "13900139000")
    assert names(customers.by_number(db, "+8613900139000")) == [("王大力", "known"), ("李建国", "maybe")]
    assert names(customers.by_number(db, "+8613700137000")) == [("李建国", "maybe")]
    office = customer(db, "徐州重工", "0371-67890123转802", kind="oem")
    assert names(customers.by_number(db, "+8637167890123")) == [("李建国", "maybe"), ("徐州重工", "maybe")]
    assert names(customers.by_number(db, "+8637167890123;ext=802")) == [("徐州重工", "known"), ("李建国", "maybe")]
    assert {wang.id, office.id}.isdisjoint({li.id})


def test_asking_makes_a_maybe_known_and_known_never_becomes_maybe(db):
    li = customer(db, "李建国")
    own = customers.add_phone(db, li, "13800138000", NOW, level="maybe")
    customers.add_phone(db, li, "+86 138 0013 8000", NOW, label="本人")
    customers.add_phone(db, li, "13800138000", NOW, level="maybe")
    assert [(phone.id, phone.level, phone.label) for phone in li.phones] == [(own.id, "known", "本人")]
    customers.remove_phone(db, li, own.id, NOW)
    assert li.phones == []


@pytest.mark.parametrize("number", ["", "anonymous", "=cmd|' /C calc'!A0", "没有"])
def test_what_cannot_be_called_is_no_number(db, number):
    with pytest.raises(BadInput):
        customer(db, "李建国", number)


def test_a_customer_needs_a_name_and_a_kind_we_have(db):
    with pytest.raises(NameMissing):
        customer(db, " \x00 ")
    with pytest.raises(BadInput):
        customer(db, "李建国", kind="friend")
    with pytest.raises(BadInput):
        customer(db, "李" * 121)
    li = customer(db, "李建国")
    customers.change(db, li, NOW, name="李建军", kind="key_account", note="车队负责人")
    assert (li.name, li.pinyin, li.initials, li.kind) == ("李建军", "li jian jun", "ljj", "key_account")
    wrongs: tuple[dict[str, Any], ...] = (
        {"colour": "red"},
        {"language": "xx"},
        {"region": "x" * 81},
        {"kind": "friend"},
    )
    for wrong in wrongs:
        with pytest.raises(BadInput):
            customers.change(db, li, NOW, **wrong)


@pytest.mark.parametrize(
    ("name", "sounds", "begins"),
    [
        ("李建国", "li jian guo", "ljg"),
        ("徐工集团（徐州）", "xu gong ji tuan xu zhou", "xgjtxz"),
        ("重庆长安3号店", "zhong qing chang an 3 hao dian", "zqca3hd"),
        ("Müller Bau GmbH", "muller bau gmbh", "mbg"),
        ("吕梁运输", "lv liang yun shu", "llys"),
        ("", "", ""),
    ],
)
def test_a_name_is_kept_as_it_sounds(name, sounds, begins):
    if "重庆" in name:  # the phrase tells chong from zhong
        sounds, begins = sounds.replace("zhong", "chong"), "c" + begins[1:]
    assert (pinyin.full(name), pinyin.initials(name)) == (sounds, begins)


@pytest.fixture
def filled(db):
    li = customer(db, "李建国", "13800138000", region="河南 郑州")
    customer(db, "李建华", "13800138111")
    customer(db, "龙工（郑州）机械销售有限公司", "0371-60001234", kind="dealer")
    customer(db, "100%真诚汽修_郑州", "0371-60005678", kind="station")
    engine = engines.create(
        db, "4D83-24K102938", "4D83", customer_id=li.id, vehicle="装载机 龙工 LG855", vin="LGAX2B123"
    )
    engines.create(db, "6D10725A777938", "6D107", customer_id=li.id, vehicle="挖掘机 徐工 XE215")
    asked = {"fault": "black_smoke", "place": "郑州"}
    tickets.open_ticket(
        db, "repair", subject="冒黑烟", by="wangfang", now=NOW, customer_id=li.id, engine_id=engine.id, fields=asked
    )
    customers.change(db, li, NOW, address="中牟县白沙镇")
    entries.note(db, li, "方言重，请说慢一点", by="wangfang", now=NOW)
    repair = db.scalars(select(Ticket)).one()
    tickets.note(db, repair, "故障码 P0087，已更换节温器", by="lina", now=NOW)
    asked = {"about": "保养回访"}
    tickets.open_ticket(db, "follow_up", subject="走保回访", by="huifang", now=NOW, customer_id=li.id, fields=asked)
    return db


@pytest.mark.parametrize(
    ("typed", "first", "matched"),
    [
        ("13800138000", "李建国", "number"),
        ("+86 138-0013-8000", "李建国", "number"),
        ("8000", "李建国", "number"),
        ("李建国", "李建国", "name"),
        ("建国", "李建国", "name"),
        ("ljg", "李建国", "initials"),
        ("lijianguo", "李建国", "pinyin"),
        ("Li Jian Guo", "李建国", "pinyin"),
        ("jianhua", "李建华", "pinyin"),
        ("longgong", "龙工（郑州）机械销售有限公司", "pinyin"),
        ("102938", "4D83 4D8324K102938", "serial"),
        ("4d83-24k102938", "4D83 4D8324K102938", "serial"),
        ("LGAX2B123", "4D83 4D8324K102938", "vin"),
        ("LG855", "4D83 4D8324K102938", "vehicle"),
        ("R261122-0001", "R261122-0001 冒黑烟", "ticket"),
        ("冒黑烟", "R261122-0001 冒黑烟", "subject"),
        ("节温器", "R261122-0001 冒黑烟", "note"),  # a word in a note of the ticket
        ("p0087", "R261122-0001 冒黑烟", "note"),
        ("0293", "4D83 4D8324K102938", "serial"),  # a part of it
        ("龙工 装载机", "4D83 4D8324K102938", "vehicle"),
        ("方言重", "李建国", "note"),
        ("白沙镇", "李建国", "note"),
        ("真诚 郑州", "100%真诚汽修_郑州", "name"),
        ("jiangu", "李建国", "pinyin"),  # while one still types
        ("100%", "100%真诚汽修_郑州", "name"),  # no wildcard of SQL
        ("_郑州", "100%真诚汽修_郑州", "name"),
    ],
)
def test_one_box_finds(filled, typed, first, matched):
    hit = search.find(filled, typed, AGENT)[0]
    assert (hit.title, hit.matched) == (first, matched)


def test_what_was_written_past_the_index_is_completed_once(filled):
    filled.execute(text("DELETE FROM find_tickets"))
    assert search.find(filled, "节温器", AGENT) == []
    assert findable.complete(filled) == 2
    assert findable.complete(filled) == 0
    assert [hit.matched for hit in search.find(filled, "节温器", AGENT)] == ["note"]
    assert search.find(filled, "节温器", CAMPAIGN) == []  # a repair is not his to see


def test_the_box_is_ranked_limited_and_shows_each_record_once(filled):
    hits = search.find(filled, "lijian", AGENT)
    assert [hit.title for hit in hits] == ["李建国", "李建华"]
    assert len(search.find(filled, "郑州", AGENT, limit=1)) == 1
    ends = [hit.title for hit in search.find(filled, "7938", AGENT)]
    assert ends == ["6D107 6D10725A777938"]


@pytest.mark.parametrize("typed", ["", " ", "%", "'; DROP TABLE customers; --", "\\", "x" * 10_000, "\x00", "🚜"])
def test_the_box_survives_whatever_is_typed(filled, typed):
    search.find(filled, typed, AGENT)


def test_the_box_shows_nobody_what_he_may_not_see(filled):
    assert [hit.title.split()[1] for hit in search.find(filled, "R261122", CAMPAIGN)] == []
    assert [hit.title.split()[1] for hit in search.find(filled, "F261122", CAMPAIGN)] == ["走保回访"]
    nobody = User(login="x", name="x", role="guest")
    assert search.find(filled, "李建国", nobody) == []
    with pytest.raises(NotFound):
        customers.load_customer(filled, 1, nobody)
    with pytest.raises(NotFound):
        engines.load_engine(filled, 1, nobody)
    assert customers.load_customer(filled, 1, CAMPAIGN).name == "李建国"
    assert engines.load_engine(filled, 1, AGENT).serial == "4D8324K102938"


def test_an_engine_is_found_by_its_last_digits_if_enough_are_said(filled):
    assert [found.serial for found in engines.find(filled, "102938")] == ["4D8324K102938"]
    assert [found.serial for found in engines.find(filled, "K 102938")] == ["4D8324K102938"]
    assert [found.serial for found in engines.find(filled, "7938")] == ["6D10725A777938"]
    assert len(engines.find(filled, "938")) == 0  # too little to say
    assert engines.find(filled, "999999") == []


def test_an_engine_is_on_file_once_and_its_hours_never_run_backwards(filled):
    with pytest.raises(SerialTaken):
        engines.create(filled, "4D83 24K-102938", "4D83")
    with pytest.raises(BadInput):
        engines.create(filled, "机号", "4D83")
    engine = engines.find(filled, "102938")[0]
    readings.add(filled, engine, date(2026, 11, 1), hours=3210, by="wangfang", now=NOW, today=NOW.date())
    readings.add(filled, engine, date(2026, 11, 20), hours=3300, by="wangfang", now=NOW, today=NOW.date())
    for hours, on in (
        (3299, date(2026, 11, 21)),
        (9000, date(2026, 11, 21)),
        (3310, date(2026, 10, 1)),
        (-1, NOW.date()),
    ):
        with pytest.raises(ImplausibleReading):
            readings.add(filled, engine, on, hours=hours, by="wangfang", now=NOW, today=NOW.date())
    assert engine.hours == 3300


def test_stations_near_the_machine_come_first(db):
    for name, area, skills in (
        ("洛阳宏达特约维修站", "河南 洛阳 三门峡", ["4D", "6D"]),
        ("郑州诚信特约维修站", "河南 郑州 开封", ["4D"]),
        ("济南泉城特约维修站", "山东 济南", ["4D", "6D"]),
    ):
        stations.create(db, customer(db, name, kind="station"), area, skills)
    assert [one.customer.name for one in stations.near(db, "河南 郑州")] == ["郑州诚信特约维修站", "洛阳宏达特约维修站"]
    assert [one.customer.name for one in stations.near(db, "河南 郑州", "6D")] == ["洛阳宏达特约维修站"]
    assert stations.near(db, "") == []
    with pytest.raises(BadInput):
        stations.create(db, customer(db, "李建国"), "河南")
