"""The installation file: which machine, by whom, checked how; what was wrong is withdrawn, not erased."""

from __future__ import annotations

from datetime import date

import pytest

from callcenter.database import now
from ticketing import customers, engines, installations, merges, readings
from ticketing.rows import Engine

PDF = b"%PDF-1.4 acceptance"


@pytest.fixture
def engine(desk) -> Engine:
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now())
        return engines.create(
            db, "4D8325B102938", "4D83", customer_id=li.id, built_on=date(2025, 2, 1), vehicle="装载机 龙工 LG855"
        )


FORM = {
    "kind": "commissioned",
    "on": "2025-04-02",
    "machine": "装载机 龙工 LG855",
    "place": "郑州 <b>工地</b>",
    "technician": "赵师傅",
    "hours": "12",
    "check.oil": "ok",
    "check.belt": "not_ok",
    "note": "皮带偏紧，已调",
}


def test_an_entry_stands_with_its_papers_on_the_engines_page_and_time_line(desk, engine):
    client, path = desk.client("wangfang"), f"/engines/{engine.id}"
    with desk.database.write() as db:
        station = customers.create(db, "station", "郑州诚信特约维修站", now())
    sent = FORM | {"customer": f"郑州诚信特约维修站 #{station.id}"}
    written = client.post(f"{path}/installations", data=sent, files={"file": ("../验收单.pdf", PDF)})
    assert written.status_code == 303
    page = client.get(path).text
    assert "郑州 &lt;b&gt;工地" in page
    assert page.count("✕ Belts") == 2  # in the file and on the time line
    assert "验收单.pdf" in page
    with desk.database.read() as db:
        [row] = installations.of(db, engine.id)
        assert (row.right, row.wrong, row.customer_id) == (["oil"], ["belt"], station.id)
        assert [one.hours for one in readings.history(db, engine.id)] == [12]
        paper = client.get(f"/attachments/{page.split('/attachments/')[1].split(chr(34))[0]}")
    assert (paper.status_code, paper.content) == (200, PDF)
    with desk.database.write() as db:  # the station's two records become one
        twin = customers.create(db, "station", "郑州诚信维修站", now())
        merges.merge(db, station.id, twin.id, by="wangfang", now=now())
    assert "郑州诚信维修站" in client.get(path).text
    assert client.post(f"{path}/installations", data={"withdraw": str(row.id)}).status_code == 303
    assert "withdrawn" in client.get(path).text
    assert client.post(f"{path}/installations", data={"withdraw": str(row.id)}).status_code == 409
    assert desk.client("chenjing").post(f"{path}/installations", data=FORM).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"on": "2025-01-01"}, "Before the engine was built"),
        ({"on": "2099-01-01"}, "still to come"),
        ({"on": "gestern"}, "Write the day as"),
        ({"kind": "blown_up"}, "Please fill this in"),
        ({"hours": "900000"}, "Installation file"),
        ({"technician": "赵" * 41}, "40 characters"),
        ({"customer": "谁 #999"}, "no such customer"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_nothing_typed_is_lost(desk, engine, wrong, said):
    refused = desk.client("wangfang").post(f"/engines/{engine.id}/installations", data=FORM | wrong)
    assert refused.status_code == 422
    assert said in refused.text
    assert "皮带偏紧" in refused.text
    with desk.database.read() as db:
        assert installations.of(db, engine.id) == []


def test_a_paper_that_is_none_keeps_nothing_and_says_so(desk, engine):
    client = desk.client("wangfang")
    refused = client.post(f"/engines/{engine.id}/installations", data=FORM, files={"file": ("x.pdf", b"MZ\x90")})
    assert refused.status_code == 422
    assert "Only photos" in refused.text
    assert "皮带偏紧" in refused.text
    with desk.database.read() as db:
        assert installations.of(db, engine.id) == []


def test_a_program_writes_reads_and_withdraws(desk, engine):
    program, key, path = desk.client(), desk.token("wangfang"), f"/api/v1/engines/{engine.id}/installations"
    made = program.post(path, json={"kind": "installed", "on": "2025-03-20", "checks": {"mounting": "ok"}}, headers=key)
    assert made.status_code == 201
    entry = f"{path}/{made.json()['id']}"
    paper = program.post(f"{entry}/attachments", files={"file": ("验收单.pdf", PDF)}, headers=key)
    assert paper.json()["name"] == "验收单.pdf"
    assert (
        program.post(
            path, json={"kind": "installed", "on": "2025-03-20", "checks": {"x": "ok"}}, headers=key
        ).status_code
        == 422
    )
    assert program.post(f"{entry}/withdraw", headers=key).json()["withdrawn_by"] == "wangfang"
    assert [one["kind"] for one in program.get(path, headers=key).json()] == ["installed"]
