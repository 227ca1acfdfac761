"""Changes over the API that are sent twice, at once, or over a colleague's; and lists that grow while they are read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from agent_desktop.rows import SentOnce
from callcenter.database import now
from callcenter.nudges import TicketChanged
from ticketing import customers, engines
from ticketing.rows import Customer, Ticket

ASKED = {"kind": "inquiry", "subject": "三包期内换机油滤清器要收费吗", "fields": {"topic": "warranty"}}


def count(desk, row) -> int:
    with desk.database.read() as db:
        return db.scalar(select(func.count()).select_from(row)) or 0


def keyed(desk, key, login="wangfang"):
    return desk.token(login) | {"Idempotency-Key": key}


def test_a_ticket_sent_again_after_a_broken_line_is_opened_once(desk):
    client, headers = desk.client(), keyed(desk, "erp-4711")
    told: list[TicketChanged] = []
    desk.bus.listen(lambda event: told.append(event) if isinstance(event, TicketChanged) else None)
    first = client.post("/api/v1/tickets", json=ASKED, headers=headers)
    again = client.post("/api/v1/tickets", json=ASKED, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert count(desk, Ticket) == 1
    assert len(told) == 1
    path = f"/api/v1/tickets/{first.json()['id']}"
    noted = headers | {"Idempotency-Key": "erp-4712"}
    for _ in range(2):
        client.post(f"{path}/notes", json={"text": "客户下午再打来"}, headers=noted)
    assert [entry["what"] for entry in client.get(path, headers=headers).json()["entries"]] == ["opened", "noted"]


def test_a_key_is_not_lent_to_another_request(desk):
    client, headers = desk.client(), keyed(desk, "erp-4711")
    assert client.post("/api/v1/tickets", json=ASKED, headers=headers).status_code == 201
    for path, body in (
        ("tickets", ASKED | {"subject": "另一件事"}),
        ("customers", {"kind": "dealer", "name": "郑州龙工"}),
    ):
        other = client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert (other.status_code, other.json()["error"]) == (422, "KeyReused")
    assert count(desk, Ticket) == 1
    assert count(desk, Customer) == 0
    colleague = client.post("/api/v1/tickets", json=ASKED, headers=keyed(desk, "erp-4711", "lina"))
    assert colleague.status_code == 201  # everyone has keys of his own
    assert client.post("/api/v1/tickets", json=ASKED, headers=keyed(desk, "two words")).status_code == 422


def test_what_was_refused_leaves_its_key_free(desk):
    client, headers = desk.client(), keyed(desk, "erp-1")
    assert client.post("/api/v1/tickets", json=ASKED | {"subject": " "}, headers=headers).status_code == 422
    assert client.post("/api/v1/tickets", json=ASKED, headers=headers).status_code == 201


def test_a_key_is_kept_for_a_day(desk):
    client, headers = desk.client(), keyed(desk, "erp-1")
    client.post("/api/v1/tickets", json=ASKED, headers=headers)
    with desk.database.write() as db:
        db.execute(update(SentOnce).values(at=now() - timedelta(hours=24, minutes=1)))
    assert client.post("/api/v1/tickets", json=ASKED, headers=headers).status_code == 201
    assert (count(desk, Ticket), count(desk, SentOnce)) == (2, 1)


def test_of_many_sent_at_the_same_moment_one_is_done(desk):
    headers = keyed(desk, "erp-burst")
    with ThreadPoolExecutor(8) as crowd:
        said = list(crowd.map(lambda _: desk.client().post("/api/v1/tickets", json=ASKED, headers=headers), range(8)))
    assert {one.status_code for one in said} == {201}
    assert len({one.json()["number"] for one in said}) == 1
    assert count(desk, Ticket) == 1


def test_a_change_over_a_colleagues_is_refused_and_says_what_he_wrote(desk):
    client, headers = desk.client(), desk.token("wangfang")
    made = client.post("/api/v1/tickets", json=ASKED, headers=headers).json()
    path = f"/api/v1/tickets/{made['id']}"
    seen = client.get(path, headers=headers).headers["etag"]
    client.patch(path, json={"subject": "换机滤收费", "urgent": True}, headers=desk.token("lina") | {"If-Match": seen})
    late = client.patch(path, json={"subject": "机滤多少钱"}, headers=headers | {"If-Match": seen})
    assert (late.status_code, late.json()["error"]) == (409, "StaleTicket")
    assert late.json()["changed"] == {"subject": "换机滤收费", "urgent": True}
    assert late.json()["by"] == ["lina"]
    assert late.json()["version"] == 2
    knowing = client.patch(path, json={"subject": "机滤多少钱", "version": 2}, headers=headers)
    assert knowing.json()["subject"] == "机滤多少钱"
    assert knowing.headers["etag"] == '"3"'
    assert client.patch(path, json={"subject": "?"}, headers=headers).status_code == 422  # of which version?


def test_a_customer_changed_meanwhile_is_not_overwritten(desk):
    client, headers = desk.client(), desk.token("wangfang")
    made = client.post("/api/v1/customers", json={"kind": "dealer", "name": "郑州龙工"}, headers=headers).json()
    path = f"/api/v1/customers/{made['id']}"
    seen = {"If-Match": client.get(path, headers=headers).headers["etag"]}
    assert client.patch(path, json={"region": "河南 洛阳"}, headers=headers | seen).status_code == 200
    late = client.patch(path, json={"region": "河南 开封"}, headers=desk.token("lina") | seen)
    assert (late.status_code, late.json()["error"]) == (409, "StaleRecord")
    assert late.json()["changed"] == {"region": "河南 洛阳"}
    assert late.json()["by"] == {"region": "wangfang"}
    other = client.patch(path, json={"name": "郑州龙工机械"}, headers=headers | seen).json()
    assert (other["name"], other["region"]) == ("郑州龙工机械", "河南 洛阳")  # another field is nobody's loss


@pytest.mark.parametrize("search", ["", "&q=ljg"])
def test_a_list_that_grows_while_it_is_read_gives_each_once(desk, search):
    def joins(name: str) -> None:
        with desk.database.write() as db:
            customers.create(db, "end_user", name, now())

    for name in ("李建国", "林建光", "刘军歌", "李金贵", "陆家改"):
        joins(name)
    client, headers = desk.client(), desk.token("zhaomin")
    names: list[str] = []
    following: str | None = f"/api/v1/customers?limit=2{search}"
    while following:
        page = client.get(following, headers=headers).json()
        names += [one["name"] for one in page["items"]]
        following = page["next"]
        if not search:
            joins("赵六")
    assert sorted(names) == sorted(["李建国", "林建光", "刘军歌", "李金贵", "陆家改"])
    assert client.get("/api/v1/customers?before=zz", headers=headers).status_code == 422


def test_engines_found_by_the_end_of_their_number_come_in_pages(desk):
    with desk.database.write() as db:
        for letter in "ABC":
            engines.create(db, f"4D83{letter}102938", "4D83")
    client, headers = desk.client(), desk.token("wangfang")
    first = client.get("/api/v1/engines?serial=102938&limit=2", headers=headers).json()
    last = client.get(first["next"], headers=headers).json()
    assert (len(first["items"]), len(last["items"]), last["next"]) == (2, 1, None)
