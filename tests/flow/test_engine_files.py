"""The file of an engine: readings that can be right, owners one after another, warranty by rules that are rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from callcenter.errors import NotFound
from ticketing import customers, engines, entries, owners, readings, relations, vin, warranty
from ticketing.entries import StaleRecord
from ticketing.readings import ImplausibleReading
from ticketing.unfit import RecordUnfit

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def db(database):
    with database.write() as db:
        yield db


@pytest.fixture
def li(db):
    return customers.create(db, "end_user", "李建国", NOW, phones=["13800138000"])


@pytest.fixture
def engine(db, li):
    built, sold = date(2025, 2, 1), date(2025, 4, 1)
    return engines.create(db, "4D8325B102938", "4D83", customer_id=li.id, built_on=built, sold_on=sold)


def read(db, engine, on, hours=None, **rest: Any):
    return readings.add(db, engine, on, hours=hours, by="wangfang", now=NOW, today=TODAY, **rest)


# --- readings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "on", "field", "reason"),
    [
        (2999, date(2026, 11, 10), "hours", "3,000 h on 2026-11-01"),  # backwards
        (3400, date(2026, 11, 10), "hours", "400 h more than on 2026-11-01, in 10 days"),
        (3100, date(2026, 10, 1), "hours", "More than the 3,000 h of a later day"),
        (1000, date(2026, 10, 20), "hours", "Too little for the 3,000 h"),
        (-1, date(2026, 11, 10), "hours", "0 to 100,000"),
        (3010, date(2026, 11, 23), "on", "still to come"),
        (3010, date(2025, 1, 31), "on", "Before the engine was built"),
    ],
)
def test_a_reading_that_cannot_be_right_is_refused_with_the_reason(db, engine, hours, on, field, reason):
    read(db, engine, date(2026, 11, 1), 3000)
    with pytest.raises(ImplausibleReading) as refused:
        read(db, engine, on, hours)
    assert reason in refused.value.faults[field].en
    assert refused.value.faults[field].zh
    assert (engine.hours, engine.hours_on) == (3000, date(2026, 11, 1))


def test_the_first_reading_is_held_against_the_day_the_engine_was_built(db, engine):
    with pytest.raises(ImplausibleReading) as refused:
        read(db, engine, date(2025, 2, 10), 2000)
    assert "after 9 days" in refused.value.faults["hours"].en
    assert read(db, engine, date(2025, 2, 10), 20).hours == 20


def test_a_day_long_past_takes_its_place_and_the_latest_stays(db, engine):
    read(db, engine, date(2026, 11, 1), 3000)
    read(db, engine, date(2026, 3, 1), 1400)
    read(db, engine, date(2026, 3, 1), 1400)  # told twice
    assert [one.hours for one in readings.history(db, engine.id)] == [1400, 3000]
    assert engine.hours == 3000


def test_a_new_meter_counts_from_the_start_and_the_engines_life_goes_on(db, engine):
    read(db, engine, date(2026, 9, 1), 3000)
    read(db, engine, date(2026, 10, 1), 12, new_meter=True)
    read(db, engine, date(2026, 11, 1), 200)
    assert engine.hours == 3200
    with pytest.raises(ImplausibleReading):
        read(db, engine, date(2026, 11, 5), 150)
    wrong = readings.history(db, engine.id)[-1]
    readings.take_back(db, engine, wrong.id, by="zhaomin", now=NOW)
    assert (engine.hours, engine.hours_on) == (3012, date(2026, 10, 1))
    with pytest.raises(NotFound):
        readings.take_back(db, engine, wrong.id, by="zhaomin", now=NOW)


def test_kilometres_are_read_beside_the_hours(db, engine):
    read(db, engine, date(2026, 11, 1), km=80_000)
    with pytest.raises(ImplausibleReading) as refused:
        read(db, engine, date(2026, 11, 2), km=90_000)
    assert "km" in refused.value.faults
    read(db, engine, date(2026, 11, 2), 3000, km=81_000)
    assert (engine.hours, engine.km) == (3000, 81_000)
    with pytest.raises(RecordUnfit):
        read(db, engine, date(2026, 11, 2))


# --- owners and relations ----------------------------------------------------------------------------------------


def test_owners_follow_one_another_and_each_keeps_his_days(db, engine, li):
    wang = customers.create(db, "end_user", "王大力", NOW)
    may = date(2026, 5, 1)
    for whose, on in ((li.id, may), (999, may), (wang.id, date(2025, 3, 1)), (wang.id, date(2026, 12, 1))):
        with pytest.raises(RecordUnfit):
            owners.hand_over(db, engine, whose, on, by="lina", now=NOW, today=TODAY)
    owners.hand_over(db, engine, wang.id, date(2026, 5, 1), by="lina", now=NOW, today=TODAY, note="二手转让")
    told = [(one.customer.name, one.from_on, one.until_on) for one in owners.history(db, engine.id)]
    assert told == [("王大力", date(2026, 5, 1), None), ("李建国", date(2025, 4, 1), date(2026, 5, 1))]
    assert engine.customer_id == wang.id
    assert [had.serial for _, had in owners.once_of(db, li.id)] == [engine.serial]
    owners.hand_over(db, engine, None, date(2026, 11, 1), by="lina", now=NOW, today=TODAY)
    assert engine.customer_id is None


def test_a_relation_stands_on_both_sides_with_its_days(db, li):
    fleet = customers.create(db, "fleet", "山西晋北煤业运输车队", NOW)
    tell: dict[str, Any] = {"by": "wangfang", "now": NOW}
    drives = relations.add(db, li, fleet.id, "drives", from_on=date(2025, 1, 1), **tell)
    [of_li], [of_fleet] = relations.of(db, li.id), relations.of(db, fleet.id)
    assert (of_li.customer.name, of_li.forward) == ("山西晋北煤业运输车队", True)
    assert (of_fleet.customer.name, of_fleet.forward) == ("李建国", False)
    wrongs: tuple[dict[str, Any], ...] = (
        {"other_id": li.id},
        {"other_id": 999},
        {"kind": "friend"},
        {"until_on": date(2024, 1, 1)},
        {"from_on": date(2026, 1, 1)},  # he drives for them already
    )
    for wrong in wrongs:
        given: dict[str, Any] = {"other_id": fleet.id, "kind": "drives", "from_on": date(2025, 6, 1)} | wrong
        with pytest.raises(RecordUnfit):
            relations.add(db, li, given.pop("other_id"), given.pop("kind"), **given, **tell)
    relations.end(db, li, drives.id, date(2026, 6, 30), **tell)
    assert not relations.of(db, li.id)[0].holds(TODAY)
    relations.add(db, li, fleet.id, "drives", from_on=date(2026, 7, 1), **tell)  # again, after a while
    assert [side.holds(TODAY) for side in relations.of(db, fleet.id)] == [True, False]


# --- two who save at once ----------------------------------------------------------------------------------------


def test_two_who_change_different_fields_lose_nothing(db, li):
    seen = li.version
    customers.change(db, li, NOW, by="lina", version=seen, name="李建国", region="河南 郑州", note="方言重")
    customers.change(db, li, NOW, by="wangfang", version=seen, name="李建国", region="", note="", address="白沙镇")
    assert (li.region, li.note, li.address) == ("河南 郑州", "方言重", "白沙镇")


def test_who_changes_what_a_colleague_has_just_changed_is_shown_it(db, li):
    seen = li.version
    customers.change(db, li, NOW, by="lina", version=seen, name="李建军", region="河南 郑州")
    with pytest.raises(StaleRecord) as stale:
        customers.change(db, li, NOW, by="wangfang", version=seen, name="李建华", region="")
    assert stale.value.faults.keys() == {"name"}
    assert "lina" in stale.value.faults["name"].zh
    assert (li.name, li.pinyin) == ("李建军", "li jian jun")
    customers.change(db, li, NOW, by="wangfang", version=li.version, name="李建华")  # knowingly
    assert (li.name, li.initials, li.version) == ("李建华", "ljh", 3)


def test_an_engines_file_is_corrected_field_by_field(db, engine):
    wrong: dict[str, Any] = {"vin": "LSGPC52U6AF10I234", "sold_on": date(2024, 1, 1), "model": " ", "run_in_hours": -1}
    with pytest.raises(RecordUnfit) as refused:
        engines.change(db, engine, NOW, by="lina", **wrong)
    assert refused.value.faults.keys() == {"vin", "sold_on", "model", "run_in_hours"}
    engines.change(db, engine, NOW, by="lina", vin="lsgpc52u6af10i234", as_on_plate=True, plant="洛阳一厂")
    assert (engine.vin, engine.plant, engine.version) == ("LSGPC52U6AF10I234", "洛阳一厂", 2)
    engines.change(db, engine, NOW, by="lina", vin="LSGPC52U6AF10I234", run_in_on=date(2025, 5, 20))  # as it stood
    with pytest.raises(RecordUnfit):
        entries.note(db, engine, " \x00", by="lina", now=NOW)


# --- numbers on plates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("LSVHJ133022221761", ""),
        ("1M8GDM9AXKP042788", ""),  # its check digit is X
        ("WVWZZZ1KZ6W000001", ""),  # Europe has no check digit
        ("LG855-00321", ""),  # the frame number of a machine
        ("LSVHJ133122221761", "should be 0"),
        ("LSVHJ1330222O1761", "No VIN has O"),
        ("LSVHJ1330222217611", "18 characters"),
    ],
)
def test_a_vin_read_wrongly_is_told_where(number, reason):
    wrong = vin.fault(vin.spell(number))
    assert reason in (wrong.en if wrong else "")
    assert (wrong is None) == (not reason)


# --- warranty rules are rows -------------------------------------------------------------------------------------


def test_a_rule_entered_for_a_family_goes_before_the_general_one(db, engine):
    assert warranty.rules(db) == warranty.SHIPPED
    truck = warranty.Rule(
        sold_from=date(2025, 1, 1), clause="5.1", family="4d", months=36, km=100_000, zh="三年十万公里", en="3 years"
    )
    row = warranty.enter(db, truck, by="zhaomin", now=NOW)
    told = warranty.warranty(engine, TODAY, warranty.rules(db))
    assert (told.clause, told.until, told.rule_id) == ("5.1", date(2028, 3, 31), row.id)
    read(db, engine, TODAY, km=100_001)
    told = warranty.warranty(engine, TODAY, warranty.rules(db))
    assert (told.state, told.ended_by(TODAY, "en")) == ("out", "100,001 km of 100,000")
    later = datetime(2026, 11, 23, tzinfo=UTC)
    warranty.end(db, row.id, by="zhaomin", now=later)
    assert warranty.warranty(engine, TODAY, warranty.rules(db)).clause == "4.2"  # the shipped ones are rows by now
    assert warranty.warranty(engine, TODAY, warranty.rules(db, at=NOW)).clause == "5.1"  # as it was decided then
    with pytest.raises(NotFound):
        warranty.end(db, row.id, by="zhaomin", now=later)


def test_a_rule_that_says_nothing_is_refused_field_by_field(db):
    empty = warranty.Rule(
        sold_from=date(2025, 1, 1), sold_until=date(2024, 1, 1), clause=" ", months=0, hours=0, zh="", en="x" * 201
    )
    with pytest.raises(RecordUnfit) as refused:
        warranty.enter(db, empty, by="zhaomin", now=NOW)
    assert refused.value.faults.keys() == {"sold_until", "clause", "months", "hours", "zh", "en"}


@pytest.mark.parametrize(
    ("facts", "hours", "state"),
    [
        ({"sold_on": date(2026, 11, 1)}, None, "ahead"),
        ({"sold_on": date(2026, 9, 10)}, None, "due"),  # its three months are nearly over
        ({"sold_on": date(2026, 11, 1)}, 80, "due"),
        ({"sold_on": date(2026, 11, 1)}, 101, "missed"),
        ({"sold_on": date(2026, 8, 1)}, None, "missed"),
        ({"sold_on": date(2026, 8, 1), "run_in_on": date(2026, 9, 1), "run_in_hours": 60}, 900, "done"),
        ({"sold_on": date(2026, 1, 1), "run_in_on": date(2026, 9, 1)}, 900, "late"),
        ({"sold_on": date(2026, 8, 1), "run_in_on": date(2026, 9, 1), "run_in_hours": 150}, 900, "late"),
        ({}, None, "unknown"),
    ],
)
def test_the_run_in_service_is_found_missed_when_they_call(facts, hours, state):
    from ticketing.rows import Engine

    told = warranty.warranty(Engine(serial="4D8325B102938", model="4D83", hours=hours, **facts), TODAY)
    assert told.run_in == state
    assert told.in_doubt == (state in ("missed", "late"))
