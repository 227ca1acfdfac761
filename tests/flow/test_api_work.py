"""What the page can do about tickets, records and calls, over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callcenter.database import now
from callcenter.nudges import Wished
from tests.desktop import tell
from tests.facts import Told
from ticketing import customers, engines, stations, tickets


@pytest.fixture
def repair(desk) -> int:
    with desk.database.write() as db:
        owner = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        engine = engines.create(db, "4D8325K102938", "4D83", customer_id=owner.id)
        station = customers.create(db, "station", "郑州中原服务站", now(), phones=["0371-66667777"])
        stations.create(db, station, "河南 郑州", ["4D83"], "")
        return tickets.open_ticket(
            db,
            "repair",
            subject="水温高",
            by="wangfang",
            now=now(),
            customer_id=owner.id,
            engine_id=engine.id,
            fields={"fault": "coolant_hot", "place": "郑州东站工地"},
        ).id


def test_a_station_is_suggested_sent_and_followed_and_a_promise_kept(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    path = f"/api/v1/tickets/{repair}"
    found = client.get(f"{path}/stations", headers=headers).json()["items"]
    assert [one["name"] for one in found] == ["郑州中原服务站"]
    assert found[0]["reasons"]
    keyed = headers | {"Idempotency-Key": "send-1"}
    sent = [client.post(f"{path}/dispatches", json={"station_id": found[0]["id"]}, headers=keyed) for _ in range(2)]
    assert [one.status_code for one in sent] == [201, 201]
    assert sent[0].json() == sent[1].json()  # sent once
    step = f"{path}/dispatches/{sent[0].json()['id']}"
    taken = client.post(step, json={"to": "accepted", "person": "赵师傅", "eta_min": 40}, headers=headers).json()
    assert (taken["state"], taken["person"]) == ("accepted", "赵师傅")
    assert client.post(step, json={"to": "refused"}, headers=headers).json()["error"] == "WrongDispatch"
    assert [one["state"] for one in client.get(f"{path}/dispatches", headers=headers).json()["items"]] == ["accepted"]
    due = (now() + timedelta(minutes=30)).isoformat()
    made = client.post(f"{path}/promises", json={"text": "服务站回电", "due_at": due}, headers=headers).json()
    assert (made["state"], made["owner"]) == ("open", "wangfang")
    assert client.post(f"/api/v1/promises/{made['id']}/done", headers=headers).json()["state"] == "kept"
    assert client.post(f"/api/v1/promises/{made['id']}/drop", headers=headers).status_code == 409
    assert [one["text"] for one in client.get(f"{path}/promises", headers=headers).json()["items"]] == ["服务站回电"]


def test_a_reading_that_cannot_be_is_refused_with_its_reason(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    day = (now() - timedelta(days=40)).date().isoformat()
    kept = client.post("/api/v1/engines/1/readings", json={"on": day, "hours": 900}, headers=headers)
    assert kept.status_code == 201, kept.text
    today = (now() - timedelta(days=1)).date().isoformat()
    refused = client.post("/api/v1/engines/1/readings", json={"on": today, "hours": 100}, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (422, "ImplausibleReading")
    assert [one["hours"] for one in client.get("/api/v1/engines/1/readings", headers=headers).json()["items"]] == [900]


def test_how_customers_stand_to_each_other_is_said_and_ended(desk, repair):
    client, headers = desk.client(), desk.token("wangfang")
    sent = {"other_id": 2, "kind": "works", "from_on": "2025-01-01"}
    made = client.post("/api/v1/customers/1/relations", json=sent, headers=headers).json()
    path = f"/api/v1/customers/1/relations/{made['id']}/end"
    assert client.post(path, json={"until_on": "2026-01-01"}, headers=headers).json()["until_on"] == "2026-01-01"
    listed = client.get("/api/v1/customers/2/relations", headers=headers).json()["items"]
    assert [one["id"] for one in listed] == [made["id"]]


def test_what_is_wished_of_a_call_is_planned_once_and_told(desk):
    on_the_line = Told("tel-1.1", at=now() - timedelta(seconds=30)).arrives().joins()
    tell(desk, *on_the_line.rings("1001", "tel-1.2").answers("1001", "tel-1.2").facts)
    wished: list[Wished] = []
    desk.bus.listen(lambda event: wished.append(event) if isinstance(event, Wished) else None)
    client, headers = desk.client(), desk.token("wangfang") | {"Idempotency-Key": "park-1"}
    said = [client.post("/api/v1/calls/tel-1.1/park", headers=headers) for _ in range(2)]
    assert [one.status_code for one in said] == [202, 202], said[0].text
    assert [one.job_id for one in wished] == [said[0].json()["job_id"]]
    assert client.post("/api/v1/calls/tel-1.1/park", headers=desk.token("lina")).status_code == 404
    assert (
        client.post("/api/v1/calls/tel-1.1/send", json={"to": "1002"}, headers=desk.token("zhaomin")).status_code == 403
    )
