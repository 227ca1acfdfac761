"""The pages of customers and engines: from the form to the row, faults beside their fields, nothing typed is lost."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from callcenter.database import now
from tests.desktop import Desk
from tests.told import Caller
from ticketing import customers, duties, engines, entries, owners, readings, relations
from ticketing.rows import Customer, Engine

HOSTILE = '<script>alert("李")</script>'


@pytest.fixture
def li(desk) -> Customer:
    with desk.database.write() as db:
        return customers.create(db, "end_user", "李建国", now(), phones=["13800138000"], region="河南 郑州")


@pytest.fixture
def engine(desk, li) -> Engine:
    with desk.database.write() as db:
        sold = date(2025, 4, 1)
        return engines.create(db, "4D8325B102938", "4D83", customer_id=li.id, built_on=date(2025, 2, 1), sold_on=sold)


def reread(desk: Desk, row: Customer | Engine):
    with desk.database.read() as db:
        return db.get(type(row), row.id)


def test_two_who_save_one_customer_are_both_heard(desk, li):
    first, second = desk.client("wangfang"), desk.client("lina")
    form = {"version": "1", "name": "李建国", "kind": "end_user", "region": "河南 郑州", "address": "", "note": ""}
    assert first.post(f"/customers/{li.id}", data=form | {"address": "白沙镇"}).status_code == 303
    assert second.post(f"/customers/{li.id}", data=form | {"note": "方言重"}).status_code == 303
    kept = reread(desk, li)
    assert (kept.address, kept.note) == ("白沙镇", "方言重")
    refused = second.post(f"/customers/{li.id}", data=form | {"address": "雁鸣湖", "note": "方言重"})
    assert refused.status_code == 409
    assert "王芳 made it “白沙镇”" in refused.text
    assert 'value="雁鸣湖"' in refused.text  # what was typed is still there
    version = re.search(r'name="version" value="(\d+)"', refused.text)
    assert version is not None
    again = second.post(f"/customers/{li.id}", data=form | {"address": "雁鸣湖", "version": version[1]})
    assert again.status_code == 303
    assert reread(desk, li).address == "雁鸣湖"
    page = first.get(f"/customers/{li.id}?show=record").text
    assert "<s>白沙镇</s> → 雁鸣湖" in re.sub(r"\s+", " ", page)


def test_what_cannot_be_kept_is_told_beside_its_field_in_the_readers_language(desk, li, engine):
    client = desk.client("wangfang")
    refused = client.post(f"/customers/{li.id}", data={"version": "1", "name": " ", "address": HOSTILE})
    assert refused.status_code == 422
    assert 'aria-describedby="c-name-error"' in refused.text
    assert "&lt;script&gt;" in refused.text
    assert HOSTILE not in refused.text
    refused = client.post(f"/customers/{li.id}/phones", data={"number": "没有", "label": "司机"})
    assert 'id="p-number-error"' in refused.text
    assert 'value="没有"' in refused.text
    client.post("/language", data={"language": "zh"})
    refused = client.post(f"/engines/{engine.id}/readings", data={"hours": "90 000"})
    assert refused.status_code == 422
    assert "走得太快" in refused.text
    refused = client.post(f"/engines/{engine.id}", data={"version": "1", "vin": "LSVHJ133122221761", "model": "4D83"})
    assert "第 9 位应为 0" in refused.text
    assert 'value="LSVHJ133122221761"' in refused.text


def test_an_engine_goes_to_another_owner_and_both_pages_tell_it(desk, li, engine):
    client = desk.client("wangfang")
    made = client.post("/customers", data={"name": HOSTILE, "kind": "fleet"})
    fleet_id = int(made.headers["location"].rsplit("/", 1)[1])
    offered = client.get("/customers/names", params={"q": "ljg"}).json()
    assert offered == [f"李建国 · 河南 郑州 #{li.id}"]
    assert client.get("/customers/names", params={"q": "138 0013 8000"}).json() == offered
    form = {"customer": f"{HOSTILE} #{fleet_id}", "on": "2026-05-01", "note": "二手转让"}
    assert client.post(f"/engines/{engine.id}/owner", data=form).status_code == 303
    related = client.post(f"/customers/{fleet_id}/relations", data={"kind": "drives:back", "other": offered[0]})
    assert related.status_code == 303
    with desk.database.read() as db:
        assert [one.customer_id for one in owners.history(db, engine.id)] == [fleet_id, li.id]
        [side] = relations.of(db, li.id)
        assert (side.relation.kind, side.forward, side.customer.id) == ("drives", True, fleet_id)
    for page in (f"/customers/{li.id}", f"/customers/{fleet_id}", f"/engines/{engine.id}"):
        text = client.get(page).text
        assert "&lt;script&gt;" in text
        assert HOSTILE not in text
        assert "Change of owner" in text
    ended = {"relation": str(side.relation.id), "until_on": "2026-11-01"}
    assert client.post(f"/customers/{li.id}/relations", data=ended).status_code == 303
    assert client.post(f"/customers/{li.id}/relations", data={"kind": "drives"}).status_code == 422


def test_readings_notes_and_tickets_stand_in_one_list_that_can_be_narrowed(desk, li, engine):
    client = desk.client("wangfang")
    assert client.post(f"/engines/{engine.id}/readings", data={"hours": "3,210", "km": ""}).status_code == 303
    assert client.post(f"/engines/{engine.id}/notes", data={"text": HOSTILE}).status_code == 303
    assert client.post(f"/customers/{li.id}/notes", data={"text": "司机电话 13900139000"}).status_code == 303
    page = client.get(f"/engines/{engine.id}").text
    assert "3,210 h" in page
    assert "&lt;script&gt;" in page
    only_notes = client.get(f"/engines/{engine.id}?show=notes").text
    assert "Reading</b>" not in only_notes
    own = client.get(f"/customers/{li.id}").text
    assert "司机电话" in own
    assert "139 0013 9000" in own
    assert "Not confirmed" in own
    with desk.database.read() as db:
        [reading] = readings.history(db, engine.id)
    assert client.post(f"/engines/{engine.id}/readings", data={"remove": str(reading.id)}).status_code == 303
    assert reread(desk, engine).hours is None
    assert client.get(f"/customers/{li.id}?before=2020-01-01T00:00:00Z").status_code == 200


def test_a_supervisor_changes_the_warranty_rules_and_an_agent_may_not(desk, engine):
    lead = desk.client("zhaomin")
    rule = {
        "clause": "5.1",
        "family": "4d",
        "sold_from": "2025-01-01",
        "months": "36",
        "zh": "三年",
        "en": "Three years",
    }
    refused = lead.post("/warranty-rules", data=rule | {"months": "x"})
    assert refused.status_code == 422
    assert 'value="Three years"' in refused.text
    assert lead.post("/warranty-rules", data=rule).status_code == 303
    assert "Three years" in lead.get(f"/engines/{engine.id}").text
    page = lead.get("/warranty-rules").text
    end = re.search(r'name="end" value="(\d+)" aria-label="End rule 5.1"', page)
    assert end is not None
    assert lead.post("/warranty-rules", data={"end": end[1]}).status_code == 303
    assert "Three years" not in lead.get(f"/engines/{engine.id}").text
    assert desk.client("wangfang").post("/warranty-rules", data=rule).status_code == 403


def test_an_engine_is_put_on_file_once(desk, li):
    client = desk.client("wangfang")
    form = {"serial": "4D83 25B-102938", "model": "4D83", "owner": f"李建国 #{li.id}", "sold_on": "2025-04-01"}
    assert client.post("/engines", data=form).status_code == 303
    again = client.post("/engines", data=form)
    assert again.status_code == 422
    assert "is on file already" in again.text
    assert client.post("/engines", data=form | {"serial": "机", "model": ""}).status_code == 422
    assert "4D8325B102938" in client.get("/engines?q=102938").text


def test_two_records_are_compared_merged_and_parted_on_their_pages(desk, li, engine):
    client = desk.client("wangfang")
    with desk.database.write() as db:
        twin = customers.create(db, "dealer", HOSTILE, now(), phones=["13800138000", "13900139000"])
    shown = client.get(f"/customers/{li.id}/merge", params={"other": f"x #{twin.id}"})
    assert shown.status_code == 200
    assert "engines he owns" in shown.text
    assert HOSTILE not in shown.text
    assert client.get(f"/customers/{li.id}/merge", params={"other": f"x #{li.id}"}).status_code == 422
    assert "no such customer" in client.get(f"/customers/{li.id}/merge", params={"other": "x #999"}).text
    form = {"other": f"x #{twin.id}", "keep": "other", "take.name": "merged", "note": "同一号码"}
    refused = client.post(f"/customers/{li.id}/merge", data=form | {"note": "同" * 201})
    assert refused.status_code == 422
    assert "同" * 201 in refused.text
    assert client.post(f"/customers/{li.id}/merge", data=form).headers["location"] == f"/customers/{twin.id}#merged"
    again = client.post(f"/customers/{li.id}/merge", data=form)
    assert again.status_code == 409
    assert "merged already" in again.text
    assert client.get(f"/customers/{li.id}").headers["location"] == f"/customers/{twin.id}"
    late = client.post(f"/customers/{li.id}", data={"note": "他刚说过的话"})
    assert late.status_code == 409
    assert "他刚说过的话" in late.text
    kept = client.get(f"/customers/{twin.id}").text
    assert "<h1>李建国</h1>" in kept
    assert engine.serial in kept
    part = re.search(rf'action="(/customers/{twin.id}/merges/\d+/part)"', kept)
    assert part is not None
    assert client.post(part[1].replace(f"/{twin.id}/", f"/{li.id}/")).status_code == 404
    assert client.post(part[1]).headers["location"] == f"/customers/{li.id}"
    assert engine.serial in client.get(f"/customers/{li.id}").text
    assert client.post(part[1]).status_code == 409
    assert desk.client("chenjing").get(f"/customers/{li.id}/merge").status_code == 403


def test_a_program_merges_and_parts_and_is_led_to_the_one_kept(desk, li):
    program, key = desk.client(), desk.token("wangfang")
    with desk.database.write() as db:
        twin = customers.create(db, "end_user", "李建囯", now())
    made = program.post(f"/api/v1/customers/{li.id}/merge", json={"into_id": twin.id, "take": ["name"]}, headers=key)
    assert (made.status_code, made.json()["changes"]) == (201, {"name": ["李建囯", "李建国"]})
    led = program.get(f"/api/v1/customers/{li.id}", headers=key)
    assert (led.status_code, led.headers["location"]) == (308, f"/api/v1/customers/{twin.id}")
    assert [one["id"] for one in program.get("/api/v1/customers", headers=key).json()["items"]] == [twin.id]
    [row] = program.get(f"/api/v1/customers/{twin.id}/merges", headers=key).json()
    parted = program.post(f"/api/v1/customers/{twin.id}/merges/{row['id']}/part", headers=key)
    assert parted.json()["undone_by"] == "wangfang"
    assert program.get(f"/api/v1/customers/{li.id}", headers=key).json()["name"] == "李建国"
    assert program.post(f"/api/v1/customers/{li.id}/merges/99/part", headers=key).status_code == 404


def test_promises_kept_and_broken_stand_on_the_time_line_and_on_the_card(desk, li, engine):
    at = now()
    with desk.database.write() as db:
        kept = duties.add(
            db,
            "promise",
            "寄三包手册",
            at + timedelta(hours=1),
            owner="wangfang",
            by="wangfang",
            now=at,
            customer_id=li.id,
        )
        duties.done(db, kept, by="wangfang", now=at)
        early = at - timedelta(hours=3)
        duties.add(
            db,
            "promise",
            "十分钟回电",
            at - timedelta(hours=1),
            owner="wangfang",
            by="wangfang",
            now=early,
            customer_id=li.id,
        )
        entries.note(db, li, "方言重，请说慢一点", by="wangfang", now=at)
        readings.add(db, engine, at.date(), hours=3210, by="wangfang", now=at, today=at.date() + timedelta(days=1))
    card = f"/desk/card/{Caller(desk.database, desk.bus).rings().call_id}"
    client = desk.client("wangfang")
    for path in (f"/customers/{li.id}", card):
        text = " ".join(client.get(path).text.split())
        assert re.search(r'data-tone="good">(✓ )?Kept</span>.{0,200}寄三包手册', text), path
        assert re.search(r'data-tone="bad">(✕ )?Broken</span>.{0,200}十分钟回电', text), path
        assert "方言重" in text, path
    assert "3,210 h" in client.get(card).text
    told = desk.client().get(f"/api/v1/customers/{li.id}/timeline", headers=desk.token("wangfang")).json()["items"]
    assert [one["changes"]["duty"][1] for one in told if one["what"] == "promised"] == ["kept", "broken"]
