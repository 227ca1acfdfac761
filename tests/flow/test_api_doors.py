"""What the pages do, done by another program: sheets, files, engines, kinds, accounts, the agent's own place."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from sqlalchemy import select

from callcenter.database import now
from callcenter.nudges import CallbackChanged, TicketChanged
from cti.rows import Agent
from tests.desktop import tell
from tests.facts import Told
from ticketing import customers, engines, tickets
from ticketing.rows import Customer

SHEET = "客户编号,名称,类型,电话\nK-1,郑州恒通运输,车队,13800138000\nK-2,,车队,13900139000\n".encode("gbk")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def repair(desk) -> int:
    with desk.database.write() as db:
        owner = customers.create(db, "end_user", "李建国", now(), phones=["13800138001"])
        engine = engines.create(db, "4D8325K102938", "4D83", customer_id=owner.id)
        fields = {"fault": "coolant_hot", "place": "郑州东站工地"}
        return tickets.open_ticket(
            db,
            "repair",
            subject="水温高",
            by="wangfang",
            now=now(),
            fields=fields,
            customer_id=owner.id,
            engine_id=engine.id,
        ).id


def test_a_sheet_comes_in_is_taken_over_once_goes_out_again_and_is_undone(desk):
    client, headers = desk.client(), desk.token("zhaomin")
    sent = {"files": {"file": ("客户.csv", SHEET)}, "data": {"kind": "customers"}}
    looked = client.post("/api/v1/imports", headers=headers, **sent)
    assert looked.status_code == 201, looked.text
    path = f"/api/v1/imports/{looked.json()['id']}"
    keyed = headers | {"Idempotency-Key": "sheet-1"}
    taken = [client.post(f"{path}/take-over", json={}, headers=keyed) for _ in range(2)]
    assert taken[0].json() == taken[1].json()
    assert (taken[0].json()["created"], taken[0].json()["refused"]) == (1, 1)
    assert client.post(f"{path}/take-over", json={}, headers=headers).status_code == 422
    assert "郑州恒通运输" in client.get("/api/v1/exports/customers", headers=headers).content.decode("utf-8-sig")
    assert client.get("/api/v1/exports/customers?ending=xlsx", headers=headers).content[:2] == b"PK"
    assert client.post(f"{path}/undo", headers=headers).json()["state"] == "undone"
    with desk.database.read() as db:
        assert db.scalar(select(Customer.id)) is None


def test_a_token_that_only_reads_sheets_brings_none_in(desk):
    said = desk.client().post(
        "/api/v1/imports",
        headers=desk.token("zhaomin", "imports:read"),
        files={"file": ("客户.csv", SHEET)},
        data={"kind": "customers"},
    )
    assert (said.status_code, said.json()["detail"]) == (403, "imports:write")


def test_a_photo_is_attached_once_and_fetched_as_it_was(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    told: list[TicketChanged] = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, TicketChanged) else None)
    path, sent = f"/api/v1/tickets/{repair}/attachments", {"file": ("../水箱.png", PNG)}
    kept = [client.post(path, files=sent, headers=headers | {"Idempotency-Key": "photo"}).json() for _ in range(2)]
    assert kept[0] == kept[1]
    assert "/" not in kept[0]["name"]
    assert [one.ticket_id for one in told] == [repair]
    assert client.get(f"/api/v1/attachments/{kept[0]['id']}", headers=headers).content == PNG
    assert (
        client.post(path, files={"file": ("a.png", io.BytesIO(b"MZ"))}, headers=headers).json()["error"] == "WrongFile"
    )
    link = client.post(f"/api/v1/tickets/{repair}/upload-links", headers=headers).json()["address"]
    assert client.get(link).status_code == 200


def test_an_engine_is_put_on_file_corrected_and_goes_to_another(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    sent = {"serial": "4D8325K200001", "model": "4D83", "customer_id": 1, "sold_on": "2025-03-01"}
    made = client.post("/api/v1/engines", json=sent, headers=headers)
    assert made.status_code == 201, made.text
    path = f"/api/v1/engines/{made.json()['id']}"
    tag = client.get(path, headers=headers).headers["etag"]
    changed = client.patch(path, json={"vehicle": "龙工 LG855"}, headers=headers | {"If-Match": tag})
    assert changed.json()["vehicle"] == "龙工 LG855"
    late = client.patch(path, json={"vehicle": "徐工"}, headers=headers | {"If-Match": tag})
    assert (late.status_code, late.json()["error"]) == (409, "StaleRecord")
    buyer = {"kind": "end_user", "name": "赵师傅", "phones": ["13900139000"]}
    buyer_id = client.post("/api/v1/customers", json=buyer, headers=headers).json()["id"]
    sold = client.post(f"{path}/owners", json={"customer_id": buyer_id}, headers=headers).json()
    assert sold["customer_id"] == buyer_id
    had = client.get(f"{path}/owners", headers=headers).json()["items"]
    assert [one["customer_id"] for one in had] == [buyer_id, 1]
    client.post(f"{path}/notes", json={"text": "机油压力低"}, headers=headers)
    story = client.get(f"{path}/timeline", headers=headers).json()["items"]
    assert {"noted", "owner"} <= {one["what"] for one in story}


def test_tickets_are_tied_watched_and_handed_over(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    other = {"kind": "inquiry", "subject": "三包期", "fields": {"topic": "warranty"}}
    number = client.post("/api/v1/tickets", json=other, headers=headers).json()["number"]
    path = f"/api/v1/tickets/{repair}"
    tie = client.post(f"{path}/links", json={"number": number}, headers=headers).json()
    assert client.get(f"{path}/links", headers=headers).json()["items"] == [tie]
    client.post(f"{path}/links/{tie['id']}/end", headers=headers)
    assert client.get(f"{path}/links", headers=headers).json()["items"] == []
    assert client.post(f"{path}/watch", json={}, headers=desk.token("lina")).json() == {"watchers": ["lina"]}
    given = client.post(f"{path}/hand-over", json={"owner": "lina", "text": "请跟进"}, headers=headers).json()
    assert (given["owner"], given["entries"][-1]["what"]) == ("lina", "handed_over")


def test_a_task_goes_into_anothers_diary_only_from_who_leads(desk):
    client, due = desk.client(), (now() + timedelta(hours=2)).isoformat()
    sent = {"text": "回访李建国", "due_at": due, "owner": "lina"}
    assert client.post("/api/v1/duties", json=sent, headers=desk.token("wangfang")).status_code == 404
    made = client.post("/api/v1/duties", json=sent, headers=desk.token("zhaomin")).json()
    put = {"important": True, "urgent": True}
    headers = desk.token("lina")
    assert client.post(f"/api/v1/promises/{made['id']}/put", json=put, headers=headers).json()["urgent"]
    lines = client.get("/api/v1/diary", headers=headers).json()["items"]
    assert [(one["text"], one["important"], one["urgent"]) for one in lines] == [("回访李建国", True, True)]


def test_a_kind_of_ticket_gets_a_word_a_clock_and_who_it_goes_up_to(desk):
    client, headers = desk.client(), desk.token("admin")
    word = {"code": "turbo", "zh": "增压器异响", "en": "Turbocharger noise"}
    terms = client.post("/api/v1/dictionaries/fault_code/terms", json=word, headers=headers).json()["terms"]
    assert ("turbo", "增压器异响") in {(one["value"], one["zh"]) for one in terms}
    clock = {"response_min": 20, "solution_min": 600, "calendar": "office"}
    kind = client.post("/api/v1/kinds/inquiry/clock", json=clock, headers=headers).json()
    assert kind["normal"] == clock
    nobody = {"level": 1, "owner": "nobody", "after_min": 60}
    assert client.post("/api/v1/kinds/complaint/ladder", json=nobody, headers=headers).status_code == 422
    day = client.put("/api/v1/calendars/days/2026-12-26", json={"how": "worked"}, headers=headers).json()
    assert day["working"] is True
    assert client.post("/api/v1/kinds/inquiry/clock", json=clock, headers=desk.token("zhaomin")).status_code == 403


def test_who_leaves_hands_over_first_and_a_password_is_kept_nowhere(desk, repair):
    client, headers = desk.client(), desk.token("admin")
    held = client.post("/api/v1/users/1/active", json={"active": False}, headers=headers)
    assert (held.status_code, held.json()["error"]) == (409, "WorkInHand")
    gone = client.post("/api/v1/users/1/active", json={"active": False, "to": "lina"}, headers=headers).json()
    assert gone["active"] is False
    with desk.database.read() as db:
        assert tickets.load_ticket(db, repair, desk.users["admin"]).owner == "lina"
    made = client.post(
        "/api/v1/users", json={"login": "qianli", "name": "钱丽", "role": "agent"}, headers=headers
    ).json()
    login = client.get("/api/v1/users", headers=headers).json()["items"]
    assert made["password"] not in str(login)


def test_an_agent_chooses_his_status_plans_a_call_back_and_sees_his_day(desk):
    client, headers = desk.client(), desk.token("wangfang")
    chosen = client.post("/api/v1/seat/status", json={"status": "on_break", "reason": "lunch"}, headers=headers).json()
    assert (chosen["status"], chosen["reason"]) == ("on_break", "lunch")
    with desk.database.read() as db:
        assert db.get_one(Agent, "1001").status == "on_break"
    wrong = client.post("/api/v1/seat/status", json={"status": "on_break", "reason": "fishing"}, headers=headers)
    assert wrong.json()["error"] == "NoSuchStatus"
    told: list[CallbackChanged] = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, CallbackChanged) else None)
    due = (now() + timedelta(days=1)).replace(hour=3).isoformat()
    plan = {"number": "138 0013 8000", "due_at": due, "note": "问水温"}
    made = client.post("/api/v1/callbacks", json=plan, headers=headers | {"Idempotency-Key": "cb"}).json()
    assert client.get("/api/v1/callbacks", headers=headers).json()["items"][0]["number"] == "+8613800138000"
    assert client.post(f"/api/v1/callbacks/{made['id']}/cancel", headers=headers).json()["state"] == "cancelled"
    assert [one.state for one in told] == ["planned", "cancelled"]
    figures = client.get("/api/v1/seat/day", headers=headers).json()["figures"]
    assert "answered" in {one["name"] for one in figures}


def test_the_caller_is_bound_and_the_calls_story_told(desk, repair):
    on_the_line = Told("tel-1.1", at=now() - timedelta(seconds=30)).arrives().joins()
    tell(desk, *on_the_line.rings("1001", "tel-1.2").answers("1001", "tel-1.2").facts)
    client, headers = desk.client(), desk.token("wangfang")
    assert (
        client.post("/api/v1/calls/tel-1.1/customer", json={"customer_id": 1}, headers=headers).json()["customer_id"]
        == 1
    )
    steps = client.get("/api/v1/calls/tel-1.1/replay", headers=headers).json()["steps"]
    assert {"QueueJoined", "AgentAnswered"} <= {one["type"] for one in steps}
    typed = {"window": "erp", "values": {"subject": "水温高"}}
    assert client.put("/api/v1/calls/tel-1.1/draft", json=typed, headers=headers).status_code == 200
    assert client.get("/api/v1/drafts", headers=headers).json()["items"][0]["values"] == {"subject": "水温高"}
    client.delete("/api/v1/calls/tel-1.1/draft", headers=headers)
    assert client.get("/api/v1/drafts", headers=headers).json()["items"] == []
    found = client.get("/api/v1/search", params={"q": "ljg"}, headers=headers).json()["items"]
    assert [(one["kind"], one["matched"]) for one in found] == [("customer", "initials")]
