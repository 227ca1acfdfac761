"""The parts catalogue: found as people ask for a part, told what took its place, named in the repair it went into."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from config.settings import Centre
from ticketing import customers, engines, exports, import_undo, imports, parts, sheets, tickets
from ticketing.kinds import TicketIncomplete
from ticketing.parts import PartTaken, StalePart
from ticketing.unfit import RecordUnfit

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
BY: dict[str, Any] = {"by": "zhaomin", "now": NOW}
SHEET = """图号,配件名称,英文名称,适用机型,替代图号,替代日期,停供日期
1000-3812,喷油器总成,Injector,6D107、6D125,1000-3812A,2025-03-01,2025-12-31
1000-3812A,喷油器总成（新）,Injector,6D107,,,
4D83.0102,机油滤清器,Oil filter,4D,,,
1.00E+05,水泵,,,,,
"""


def take(database, text, at=NOW):
    content = text.encode()
    sheet = sheets.read(content)
    with database.write() as db:
        kept = imports.keep_file(db, "parts", content, "配件.csv", sheet, by="zhaomin", now=at)
    mapping = imports.mapped("parts", sheet)
    return imports.take_over(database, kept.id, mapping, centre=Centre(), by="zhaomin", now=at)


@pytest.fixture
def done(database):
    return take(database, SHEET)


@pytest.mark.parametrize(
    ("said", "model", "found"),
    [
        ("1000-3812", "", ["1000-3812", "1000-3812A"]),
        ("10003812a", "", ["1000-3812A"]),
        ("3812", "", ["1000-3812", "1000-3812A"]),
        ("喷油器", "6D107G3", ["1000-3812", "1000-3812A"]),
        ("", "6D125", ["1000-3812"]),
        ("penyouqi", "", ["1000-3812", "1000-3812A"]),
        ("jylqq", "", ["4D83.0102"]),
        ("oil filter", "", ["4D83.0102"]),
        ("%", "", []),
        ("活塞", "", []),
    ],
)
def test_a_part_is_found_as_people_ask_for_it(database, done, said, model, found):
    with database.read() as db:
        assert sorted(part.number for part in parts.find(db, said, model)) == found


def test_a_sheet_of_parts_comes_in_goes_out_and_is_undone(database, done):
    assert (done.created, done.changed, done.refused) == (3, 0, 1)
    assert [one["field"] for one in done.faults] == ["number"]  # digits were lost
    with database.read() as db:
        rows = list(exports.rows(db, "parts"))
    out = "\n".join([",".join(exports.headings("parts", "zh")), *(",".join(row) for row in rows)]) + "\n"
    again = take(database, out, NOW + timedelta(hours=1))
    assert (again.created, again.changed, again.same) == (0, 0, 3)
    named = take(database, "图号,名称,适用机型\n4D83.0102,机油滤芯,4D 6D\n", NOW + timedelta(hours=2))
    assert named.changed == 1
    with database.read() as db:
        part = parts.by_number(db, "4d83 0102")
        assert part is not None
        assert (part.zh, part.families) == ("机油滤芯", ["4D", "6D"])
    import_undo.undo(database, named.id, by="zhaomin", now=NOW + timedelta(hours=3))
    with database.read() as db:
        part = parts.by_number(db, "4D83.0102")
        assert part is not None
        assert (part.zh, part.families) == ("机油滤清器", ["4D"])
    undone = import_undo.undo(database, done.id, by="zhaomin", now=NOW + timedelta(hours=4))
    assert [one["title"] for one in undone.kept] == ["4D83.0102"]  # it was worked with since
    with database.read() as db:
        assert [one.number for one in parts.find(db)] == ["4D83.0102"]


def test_what_took_the_place_of_what_is_followed_and_never_in_a_circle(database, done):
    with database.write() as db:
        old, new = parts.by_number(db, "1000-3812"), parts.by_number(db, "1000-3812A")
        assert old is not None
        assert new is not None
        third = parts.create(db, "1000-3812B", zh="喷油器总成", **BY)
        parts.change(db, new, superseded_by="1000 3812 b", **BY)
        assert parts.newest(db, old).id == third.id
        assert [one.id for one in parts.before(db, third)] == [new.id]
        assert not old.holds(date(2026, 1, 1))
        with pytest.raises(RecordUnfit, match="lead back"):
            parts.change(db, third, superseded_by="1000-3812", **BY)
        with pytest.raises(RecordUnfit, match="first day"):
            parts.change(db, third, from_on=date(2026, 2, 1), until_on=date(2026, 1, 1), **BY)
        with pytest.raises(PartTaken):
            parts.create(db, "10003812", zh="喷油器", **BY)
        with pytest.raises(StalePart):
            parts.change(db, third, version=9, zh="喷油嘴", **BY)


def test_a_repair_names_the_parts_that_went_into_it(database, done):
    with database.write() as db:
        li = customers.create(db, "end_user", "李建国", NOW)
        engine = engines.create(db, "6D10725A777938", "6D107", customer_id=li.id)
        asked = {"fault": "black_smoke", "place": "郑州", "parts": "10003812a x2\n4D83.0102"}
        ticket = tickets.open_ticket(
            db, "repair", subject="冒黑烟", by="wangfang", now=NOW, customer_id=li.id, engine_id=engine.id, fields=asked
        )
        kept = "1000-3812A · 喷油器总成（新） ×2\n4D83.0102 · 机油滤清器 ×1"
        assert ticket.fields["parts"] == kept
        tickets.change(db, ticket, version=1, by="wangfang", now=NOW, fields={"parts": kept + "\n1000-3812×3"})
        assert ticket.fields["parts"] == kept + "\n1000-3812 · 喷油器总成 ×3"
        with pytest.raises(TicketIncomplete, match="Not in the catalogue: 9999"):
            tickets.change(db, ticket, version=2, by="wangfang", now=NOW, fields={"parts": "9999\n4D83.0102"})


def test_the_catalogue_is_read_by_all_and_kept_by_those_who_lead(desk):
    lead, agent = desk.client("zhaomin"), desk.client("wangfang")
    form = {"number": "1000-3812", "zh": "<b>喷油器</b>", "fits": "6D107 4D", "from_on": "2024-01-01"}
    refused = lead.post("/parts", data=form | {"from_on": "gestern", "note": "新" * 201})
    assert refused.status_code == 422
    assert "1000-3812" in refused.text
    made = lead.post("/parts", data=form)
    assert made.status_code == 303
    page = agent.get(made.headers["location"])
    assert page.status_code == 200
    assert "<b>喷油器" not in page.text
    listed = agent.get("/parts", params={"q": "pyq", "model": "6D107G3"}).text
    assert "1000-3812" in listed
    assert "Enter part" not in listed
    offered = {"number": "1000-3812", "name": "<b>喷油器</b>", "fits": "4D、6D107", "note": ""}
    assert agent.get("/parts/offered", params={"q": "10003812", "model": "4D83"}).json() == [offered]
    assert agent.get("/parts/offered", params={"q": " "}).json() == []
    assert agent.post("/parts", data=form).status_code == 403
    stale = lead.post(made.headers["location"], data={"version": "7", "zh": "喷油嘴"})
    assert stale.status_code == 409
    assert "喷油嘴" in stale.text
    assert lead.post(made.headers["location"], data={"version": "1", "zh": "喷油嘴"}).status_code == 303


def test_a_program_reads_and_keeps_the_catalogue(desk):
    program, lead, agent = desk.client(), desk.token("zhaomin"), desk.token("wangfang")
    made = program.post(
        "/api/v1/parts", json={"number": "1000-3812", "zh": "喷油器", "families": ["6D107"]}, headers=lead
    )
    assert made.status_code == 201
    part_id = made.json()["id"]
    changed = program.patch(
        f"/api/v1/parts/{part_id}", json={"until_on": "2026-12-31"}, headers=lead | {"If-Match": '"1"'}
    )
    assert (changed.json()["until_on"], changed.headers["etag"]) == ("2026-12-31", '"2"')
    assert (
        program.patch(f"/api/v1/parts/{part_id}", json={"zh": "x"}, headers=lead | {"If-Match": '"1"'}).status_code
        == 409
    )
    [found] = program.get("/api/v1/parts", params={"q": "pyq", "model": "6D107G"}, headers=agent).json()["items"]
    assert found["families"] == ["6D107"]
    assert program.get("/api/v1/parts?model=4D", headers=agent).json()["items"] == []
    assert program.get(f"/api/v1/parts/{part_id}", headers=agent).json()["version"] == 2
    assert program.post("/api/v1/parts", json={"number": "1", "zh": "x"}, headers=lead).status_code == 422
    assert program.post("/api/v1/parts", json={"number": "77777", "zh": "x"}, headers=agent).status_code == 403
