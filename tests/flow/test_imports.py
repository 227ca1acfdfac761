"""Sheets taken over: line by line is told what cannot be, the same twice changes nothing, and all of it is undone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from callcenter.errors import BadInput
from config.people import User
from config.settings import Centre
from tests.desktop import Desk
from ticketing import customers, engines, entries, exports, import_undo, imports, owners, relations, search, sheets
from ticketing.imports import WrongColumns
from ticketing.record_rows import Entry
from ticketing.rows import Customer, Engine, Phone

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AGENT = User(login="wangfang", name="王芳", role="agent")
CENTRE = Centre(area_code="0371")

FLEETS = """客户编号,客户名称,客户类型,联系电话,地区,备注
K001,山西晋北煤业运输车队,车队,0351-6000123 13800138111,山西 太原,
,李建国,,13800138000、0371-67890123转801,河南 郑州,方言重
,=HYPERLINK("http://x"),最终用户,13900139000,,
,王大力,朋友,13700137000,,
,赵铁柱,,1.38001E+10,,
,孙海涛,,没有,,
,,,13600136000,,
"""
ENGINES = """机号,机型,整机,VIN,销售日期,机主,机主电话,小时数,读数日期
4D83-25B-102938,4D83,装载机 龙工 LG855,,2025年4月1日,李建国,13800138000,3210,2026-11-01
6D10722H554021,6D107,重卡,LSVHJ133122221761,2025/4/1,李建国,13800138000,,
6D12524C777938,6D125,挖掘机,LSVHJ133022221761,2024.3.5,新来的,13512345678,"1,500 h",2026-11-01
机,4D83,,,2025-13-01,,,,
"""


def take(database, kind, text, at=NOW, encoding="gbk", by="zhaomin"):
    content = text.encode(encoding)
    sheet = sheets.read(content)
    mapping = imports.mapped(kind, sheet)
    with database.write() as db:
        kept = imports.keep_file(db, kind, content, "档案.csv", sheet, by=by, now=at)
    return imports.take_over(database, kept.id, mapping, centre=CENTRE, by=by, now=at)


def counts(database):
    with database.read() as db:
        return [db.scalar(select(func.count()).select_from(row)) for row in (Customer, Phone, Engine)]


def told(done):
    return done.created, done.changed, done.same, done.refused


def test_what_can_be_is_taken_over_and_every_other_line_is_told_with_its_reason(database):
    with database.write() as db:
        li = customers.create(db, "end_user", "李建国", NOW - timedelta(days=9), phones=["13800138000"])
    done = take(database, "customers", FLEETS)
    assert told(done) == (2, 1, 0, 4)
    assert [(one["line"], one["field"]) for one in done.faults] == [
        (5, "kind"),
        (6, "phones"),
        (7, "phones"),
        (8, "name"),
    ]
    assert "1.38001E+10" in done.faults[1]["zh"]
    with database.read() as db:
        kept = db.get(Customer, li.id)
        assert (kept.region, kept.note) == ("河南 郑州", "方言重")
        assert {one.number for one in kept.phones} == {"+8613800138000", "+8637167890123;ext=801"}
        fleet = db.scalars(select(Customer).where(Customer.code == "K001")).one()
        assert (fleet.kind, len(fleet.phones)) == ("fleet", 2)
        assert search.find(db, "jbmy", AGENT)[0].id == fleet.id  # found at once
    before = counts(database)
    again = take(database, "customers", FLEETS)
    assert told(again) == (0, 0, 3, 4)
    assert counts(database) == before


def test_undone_everything_is_as_it_was_but_for_what_was_worked_with_since(database):
    with database.write() as db:
        li = customers.create(db, "end_user", "李建国", NOW - timedelta(days=9), phones=["13800138000"])
    done = take(database, "customers", FLEETS)
    later = NOW + timedelta(hours=1)
    with database.write() as db:
        fleet = db.scalars(select(Customer).where(Customer.code == "K001")).one()
        entries.note(db, fleet, "来电咨询保养", by="lina", now=later)
        customers.change(db, db.get(Customer, li.id), later, by="lina", note="改成普通话")
    undone = import_undo.undo(database, done.id, by="zhaomin", now=later + timedelta(hours=1))
    assert [one["title"] for one in undone.kept] == ["李建国", "山西晋北煤业运输车队"]
    with database.read() as db:
        kept = db.get(Customer, li.id)
        assert (kept.region, kept.note) == ("", "改成普通话")
        assert [one.number for one in kept.phones] == ["+8613800138000"]
        assert db.scalar(select(func.count()).select_from(Customer)) == 2
        assert search.find(db, "HYPERLINK", AGENT) == []
    with pytest.raises(BadInput):
        import_undo.undo(database, done.id, by="zhaomin", now=later)


def test_engines_come_with_their_owners_and_readings_and_go_again(database):
    done = take(database, "engines", ENGINES, encoding="utf-8-sig")
    assert told(done) == (2, 0, 0, 2)
    assert {one["line"]: one["field"] for one in done.faults} == {3: "vin", 5: "serial"}
    with database.read() as db:
        engine = engines.find(db, "102938")[0]
        assert (engine.hours, engine.hours_on, engine.sold_on) == (3210, date(2026, 11, 1), date(2025, 4, 1))
        assert engine.customer is not None
        assert engine.customer.name == "李建国"
    assert told(take(database, "engines", ENGINES)) == (0, 0, 2, 2)
    moved = "机号,用户,电话\n4D8325B102938,王大力,13700137000\n"
    assert "过户日期" in take(database, "engines", moved).faults[0]["zh"]  # never guessed
    dated = "机号,用户,电话,过户日期\n4D8325B102938,王大力,13700137000,2026-05-01\n"
    sold = take(database, "engines", dated, NOW + timedelta(hours=1))
    assert told(sold) == (0, 1, 0, 0)
    assert import_undo.undo(database, sold.id, by="zhaomin", now=NOW + timedelta(hours=2)).kept == []
    with database.read() as db:
        [owner] = owners.history(db, engine.id)
        assert (owner.customer.name, owner.until_on) == ("李建国", None)
    undone = import_undo.undo(database, done.id, by="zhaomin", now=NOW + timedelta(hours=3))
    assert [one["title"] for one in undone.kept] == ["4D8325B102938", "李建国"]  # he had it, and had had it back
    assert counts(database)[2] == 1


def test_what_goes_out_comes_in_again_and_changes_nothing(database):
    take(database, "customers", FLEETS)
    take(database, "engines", ENGINES)
    for kind in ("customers", "engines"):
        with database.read() as db:
            rows = list(exports.rows(db, kind))
        content = b"".join(sheets.write_csv(exports.headings(kind, "zh"), rows))
        again = take(database, kind, content.decode(), encoding="utf-8")
        assert again.faults == []
        assert told(again) == (0, 0, len(rows), 0)


def test_two_of_one_name_are_not_guessed_and_a_sheet_without_its_columns_is_refused(database):
    with database.write() as db:
        for number in ("13800138000", "13900139000"):
            customers.create(db, "end_user", "张伟", NOW, phones=[number])
    assert "2 位客户都叫" in take(database, "customers", "姓名,备注\n张伟,x\n").faults[0]["zh"]
    assert told(take(database, "customers", "姓名,电话,备注\n张伟,13900139000,x\n")) == (0, 1, 0, 0)
    sheet = sheets.read("地区,备注\nx,y\n".encode())
    for chosen in (None, {}, {"name": 7}, {"name": 0, "note": 0}, {"colour": 1, "name": 0}):
        with pytest.raises(WrongColumns):
            imports.mapped("customers", sheet, chosen)


def test_the_page_shows_what_will_happen_before_it_does(desk: Desk):
    client = desk.client("zhaomin")
    sent = client.post("/imports", data={"kind": "customers"}, files={"file": ("客户.csv", FLEETS.encode("gbk"))})
    assert sent.status_code == 303
    path = sent.headers["location"]
    page = client.get(path).text
    assert "GBK" in page
    assert "山西晋北煤业运输车队" in page
    assert counts(desk.database)[0] == 0  # nothing yet
    form = dict(re.findall(r'<select[^>]* name="(column\.\w+)".*?<option value="(\d*)" selected', page, re.DOTALL))
    assert client.post(path, data=form).status_code == 303
    assert counts(desk.database)[0] == 3
    page = client.get(path).text
    assert "1.38001E+10" in page
    assert "&lt;" not in page.split("<main")[0]
    assert client.post(f"{path}/undo").status_code == 303
    assert counts(desk.database)[0] == 0
    refused = client.post("/imports", data={"kind": "customers"}, files={"file": ("x.pdf", b"%PDF-1.4")})
    assert refused.status_code == 422
    assert "cannot be read as a spreadsheet" in refused.text
    assert desk.client("wangfang").get("/imports").status_code == 403
    for kind, ending in (("customers", "csv"), ("engines", "xlsx")):
        out = client.get(f"/exports/{kind}.{ending}")
        assert out.status_code == 200
        assert "attachment" in out.headers["content-disposition"]


def test_a_file_larger_than_a_form_may_be_is_still_taken_and_one_too_large_is_not(desk: Desk):
    client = desk.client("zhaomin")
    large = "名称,备注\n" + "\n".join(f"客户{no},{'说明' * 200}" for no in range(1200))
    sent = client.post("/imports", data={"kind": "customers"}, files={"file": ("a.csv", large.encode())})
    assert sent.status_code == 303
    giant = b"a" * (sheets.LARGEST + 1024 * 1024)
    assert client.post("/imports", data={"kind": "customers"}, files={"file": ("a.csv", giant)}).status_code == 413
    assert client.post("/language", data={"language": "a" * 1_200_000}).status_code == 413


RELATIONS = """甲方,甲方电话,关系,乙方,开始日期,结束日期,备注
徐工集团,,配套,郑州龙工机械销售有限公司,2020-01-01,,
郑州龙工机械销售有限公司,,销售,山西晋北煤业运输车队,2021/5/1,,首批 12 台
赵铁柱,13800138111,司机,山西晋北煤业运输车队,,,白班
赵铁柱,,司机,山西晋北煤业运输车队,,,
没有的人,,司机,山西晋北煤业运输车队,,,
徐工集团,,朋友,山西晋北煤业运输车队,,,
徐工集团,,供货,徐工集团,,,
"""


def test_a_chain_from_maker_to_driver_comes_in_ends_goes_out_and_is_undone(database):
    with database.write() as db:
        for kind, name, *phones in (
            ("oem", "徐工集团"),
            ("dealer", "郑州龙工机械销售有限公司"),
            ("fleet", "山西晋北煤业运输车队"),
            ("person", "赵铁柱", "13800138111"),
            ("person", "赵铁柱", "13900139000"),
        ):
            customers.create(db, kind, name, NOW - timedelta(days=9), phones=phones)
    done = take(database, "relations", RELATIONS)
    assert told(done) == (3, 0, 0, 4)
    assert [(one["line"], one["field"]) for one in done.faults] == [(5, "one"), (6, "one"), (7, "kind"), (8, "other")]
    assert told(take(database, "relations", RELATIONS)) == (0, 0, 3, 4)
    ended = RELATIONS.replace("2021/5/1,", "2021/5/1,2026-10-31")
    second = take(database, "relations", ended, NOW + timedelta(hours=1))
    assert told(second) == (0, 1, 2, 4)
    with database.read() as db:
        fleet = db.scalars(select(Customer).where(Customer.kind == "fleet")).one()
        sides = [(side.customer.name, side.relation.kind, side.forward) for side in relations.of(db, fleet.id)]
        rows = list(exports.rows(db, "relations"))
    assert sides == [("赵铁柱", "drives", False), ("郑州龙工机械销售有限公司", "sells", False)]
    assert rows[1][3:] == ["销售给", "山西晋北煤业运输车队", "", "", "2021-05-01", "2026-10-31", "首批 12 台"]
    out = ",".join(exports.headings("relations", "zh")) + "\n" + "\n".join(",".join(row) for row in rows) + "\n"
    assert told(take(database, "relations", out)) == (0, 0, 3, 0)
    import_undo.undo(database, second.id, by="zhaomin", now=NOW + timedelta(hours=2))
    import_undo.undo(database, done.id, by="zhaomin", now=NOW + timedelta(hours=3))
    with database.read() as db:
        assert relations.of(db, fleet.id) == []
        what = select(Entry.what).where(Entry.customer_id == fleet.id).order_by(Entry.id)
        assert list(db.scalars(what)) == ["related", "related", "relation_ended", "unrelated", "unrelated"]
