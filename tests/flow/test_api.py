"""The REST API as another program uses it, and its description and the machines' pages."""

from __future__ import annotations

import pytest

from callcenter.database import now
from callcenter.facts import StatusChosen
from callcenter.nudges import TicketChanged
from config import people
from cti import invariants
from tests.desktop import answer, arrival, hang_up, ringing, tell
from ticketing import customers, engines

REPAIR = {"kind": "repair", "subject": "水温高", "fields": {"fault": "coolant_hot", "place": "郑州东站工地"}}


@pytest.fixture
def lijianguo(desk) -> int:
    with desk.database.write() as db:
        customer = customers.create(db, "end_user", "李建国", now(), phones=["138 0013 8000"], region="河南 郑州")
        engines.create(db, "4D8325K102938", "4D83", customer_id=customer.id, vehicle="装载机 龙工 LG855")
        return customer.id


def test_without_a_good_token_nothing_is_said(desk):
    client = desk.client()
    for headers in ({}, {"Authorization": "Bearer cc_wrong"}, {"Authorization": "Basic d2FuZzpmYW5n"}):
        said = client.get("/api/v1/calls", headers=headers)
        assert said.status_code == 401
        assert said.headers["www-authenticate"] == "Bearer"
        assert said.json()["error"] == "NoToken"
    signed_in = desk.client("admin").get("/api/v1/calls")
    assert signed_in.status_code == 401  # a cookie is no token: other sites' pages could send it


def test_a_token_ends(desk):
    headers, client = desk.token("zhaomin"), desk.client()
    assert client.get("/api/v1/calls", headers=headers).status_code == 200
    with desk.database.write() as db:
        people.set_active(db, desk.users["zhaomin"], False, now())
    assert client.get("/api/v1/calls", headers=headers).status_code == 401


def test_a_repair_is_opened_changed_noted_closed_and_opened_again(desk, lijianguo):
    client, headers = desk.client(), desk.token("wangfang")
    told: list[TicketChanged] = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, TicketChanged) else None)
    engine = client.get("/api/v1/engines", params={"serial": "102938"}, headers=headers).json()["items"][0]
    sent = REPAIR | {"customer_id": lijianguo, "engine_id": engine["id"]}
    made = client.post("/api/v1/tickets", json=sent, headers=headers)
    assert made.status_code == 201, made.text
    ticket = made.json()
    assert ticket["number"].startswith("R")
    assert ticket["opened_by"] == "wangfang"
    path = f"/api/v1/tickets/{ticket['id']}"
    changed = client.patch(path, json={"version": ticket["version"], "urgent": True}, headers=headers).json()
    assert changed["urgent"]
    stale = client.patch(path, json={"version": ticket["version"], "urgent": False}, headers=headers)
    assert stale.status_code == 409
    assert stale.json()["error"] == "StaleTicket"
    noted = client.post(f"{path}/notes", json={"text": "已通知服务站"}, headers=headers)
    assert noted.json()["entries"][-1]["text"] == "已通知服务站"
    assert client.post(f"{path}/close", json={"text": "已修复"}, headers=headers).json()["state"] == "closed"
    assert client.post(f"{path}/close", json={}, headers=headers).json()["error"] == "WrongTicketState"
    assert client.post(f"{path}/reopen", json={}, headers=headers).json()["state"] == "open"
    assert [entry["what"] for entry in client.get(path, headers=headers).json()["entries"]] == [
        "opened",
        "changed",
        "noted",
        "closed",
        "reopened",
    ]
    assert len(told) == 5


def test_what_is_missing_is_named_field_by_field(desk):
    said = desk.client().post("/api/v1/tickets", json=REPAIR, headers=desk.token("wangfang"))
    assert said.status_code == 422
    assert said.json()["error"] == "TicketIncomplete"
    assert set(said.json()["fields"]) == {"customer", "engine"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tickets", REPAIR | {"customer": 1}),  # a misspelt field is said, not dropped
        ("/tickets", REPAIR | {"customer_id": 2**40}),
        ("/tickets", REPAIR | {"due_at": "2026-11-22T08:00:00"}),  # no zone: eight hours off
        ("/tickets", REPAIR | {"kind": "repairs"}),
        ("/customers", {"kind": "end_user", "name": "   "}),
        ("/customers", {"kind": "friend", "name": "李"}),
        ("/customers", {"kind": "end_user", "name": "李", "phones": ["no number"]}),
    ],
)
def test_what_cannot_be_meant_is_refused(desk, path, body):
    said = desk.client().post(f"/api/v1{path}", json=body, headers=desk.token("wangfang"))
    assert said.status_code == 422
    assert said.json()["error"] in {"BadInput", "NameMissing", "TicketIncomplete"}


def test_a_customer_is_created_found_by_number_and_changed(desk):
    client, headers = desk.client(), desk.token("zhaomin")
    made = client.post(
        "/api/v1/customers",
        json={
            "kind": "dealer",
            "name": "郑州龙工机械销售有限公司",
            "phones": ["0371-6666 8888"],
            "region": "河南 郑州",
        },
        headers=headers,
    )
    assert made.status_code == 201
    found = client.get("/api/v1/customers", params={"number": "+86 371 66668888"}, headers=headers).json()["items"]
    assert [one["id"] for one in found] == [made.json()["id"]]
    assert client.get("/api/v1/customers", params={"q": "zzlg"}, headers=headers).json()["items"] == found
    path = f"/api/v1/customers/{made.json()['id']}"
    assert client.patch(path, json={"region": "河南 洛阳"}, headers=headers).json()["region"] == "河南 洛阳"
    assert client.get(path, headers=headers).json()["name"] == "郑州龙工机械销售有限公司"


def test_an_engine_tells_its_warranty(desk, lijianguo):
    client, headers = desk.client(), desk.token("chenjing")
    listed = client.get("/api/v1/engines", params={"customer_id": lijianguo}, headers=headers).json()["items"]
    engine = client.get(f"/api/v1/engines/{listed[0]['id']}", headers=headers).json()
    assert engine["serial"] == "4D8325K102938"
    assert engine["warranty"]["state"] == "unknown"


def test_calls_are_listed_page_by_page_each_once_and_only_ones_own(desk):
    client = desk.client()
    for number in range(7):
        tell(desk, *arrival(f"tel-{number}.1", number=f"+861380013800{number}"))
        agent = "1001" if number % 2 else "1002"
        tell(desk, ringing(f"tel-{number}.1", agent), answer(f"tel-{number}.1", agent))
        tell(desk, *hang_up(f"tel-{number}.1"))
    seen: list[str] = []
    following: str | None = "/api/v1/calls?limit=3"
    while following:
        page = client.get(following, headers=desk.token("zhaomin")).json()
        seen += [call["call_id"] for call in page["items"]]
        following = page["next"]
    assert seen == [f"tel-{number}.1" for number in range(6, -1, -1)]
    own = client.get("/api/v1/calls", headers=desk.token("wangfang")).json()["items"]
    assert {call["agent"] for call in own} == {"1001"}
    assert client.get("/api/v1/calls/tel-0.1", headers=desk.token("wangfang")).status_code == 404
    one = client.get("/api/v1/calls", params={"number": "13800138001"}, headers=desk.token("zhaomin")).json()["items"]
    assert [call["call_id"] for call in one] == ["tel-1.1"]
    assert one[0]["outcome"] == "answered"
    assert one[0]["started_at"].endswith("Z")
    since = {"started_from": "2026-11-22T08:00:00"}
    assert client.get("/api/v1/calls", params=since, headers=desk.token("zhaomin")).status_code == 422
    assert client.get("/api/v1/calls", params={"limit": 201}, headers=desk.token("zhaomin")).status_code == 422


def test_agents_are_told_as_they_are(desk):
    tell(desk, StatusChosen(at=now(), agent="1001", status="available", by="wangfang"))
    client, headers = desk.client(), desk.token("zhaomin")
    listed = client.get("/api/v1/agents", headers=headers).json()["items"]
    assert [(agent["extension"], agent["name"], agent["status"]) for agent in listed] == [
        ("1001", "王芳", "available"),
        ("1002", "李娜", "offline"),
    ]
    assert client.get("/api/v1/agents/9999", headers=headers).status_code == 404


def test_the_description_is_complete_and_its_page_needs_nothing_from_elsewhere(desk):
    described = desk.client().get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"HTTPBearer": []}], operation["summary"]
    page = desk.client().get("/api/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http://127.0.0.1:8080/api/v1", "")
    for path in described["paths"]:
        assert f"/api{path}" in page.text


def test_health_names_each_part_and_is_bad_when_one_is(desk):
    client = desk.client()
    assert client.get("/healthz").json()["parts"]["database"]["ok"]
    desk.parts["cti"] = (False, "the switch cannot be reached")
    said = client.get("/healthz")
    assert said.status_code == 503
    assert said.json()["parts"]["cti"] == {"ok": False, "detail": "the switch cannot be reached"}


def test_metrics_tell_what_is_going_on(desk):
    tell(desk, StatusChosen(at=now(), agent="1001", status="available", by="wangfang"))
    tell(desk, *arrival("tel-1.1"))
    with desk.database.write() as db:
        law = invariants.Breach("a break has a reason", "1002", "on a break since nine")
        invariants.keep(db, "tel", [law], [(law.what, law.whose)], now())
    client = desk.client()
    client.get("/login")
    client.request("BREW", "/login")
    said = client.get("/metrics").text
    assert 'callcenter_calls{state="waiting"} 1.0' in said
    assert 'callcenter_agents{state="idle",status="available"} 1.0' in said
    assert 'callcenter_queue_waiting{queue="repair"} 1.0' in said
    assert 'callcenter_breaches_total{law="a break has a reason"} 1.0' in said
    assert "callcenter_breaches_standing 1.0" in said
    assert 'callcenter_http_seconds_count{method="GET",route="/login",status="200"} 1.0' in said
    assert "BREW" not in said
    client.get("/api/v1/calls")
    assert 'route="/api/v1/calls",status="401"' in client.get("/metrics").text
