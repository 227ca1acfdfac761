"""A supervisor says who serves which queue and where a number leads, on the page and from another program."""

from __future__ import annotations

from config import queues


def levels(desk) -> dict[tuple[str, str], int]:
    with desk.database.read() as db:
        return queues.served(db)


def test_a_supervisor_has_an_agent_serve_one_queue_and_leave_another(desk):
    with desk.database.write() as db:
        queues.set_member(db, "inquiry", "1001", 2)
    client = desk.client("zhaomin")
    said = client.post("/admin/serving/1001", data={"level.repair": "1", "level.inquiry": ""})
    assert said.status_code == 303
    assert {queue: level for (who, queue), level in levels(desk).items() if who == "1001"} == {"repair": 1}
    page = client.get("/admin/serving").text
    assert "王芳" in page
    assert "<option selected>1</option>" in page


def test_what_cannot_be_is_refused_and_nothing_of_it_is_kept(desk):
    before = levels(desk)
    client = desk.client("zhaomin")
    for level in ("-1", "101", "１", "soon"):
        sent = {"level.inquiry": "0", "level.repair": level}
        assert client.post("/admin/serving/1001", data=sent).status_code == 422, level
    assert client.post("/admin/serving/9999", data={"level.repair": "0"}).status_code == 404
    assert levels(desk) == before
    assert desk.client("wangfang").get("/admin/serving").status_code == 403


def test_a_number_is_added_led_elsewhere_and_a_wrong_one_refused(desk):
    client = desk.client("zhaomin")
    sent = {"number": "4007", "title": "三包热线", "flow": "service", "language": "zh", "queue": "repair"}
    assert client.post("/admin/numbers", data=sent).status_code == 303
    assert client.post("/admin/numbers", data=sent | {"queue": "inquiry"}).status_code == 303
    for wrong in ({"number": "four"}, {"queue": "nowhere"}, {"flow": "nowhere"}, {"language": "fr"}):
        assert client.post("/admin/numbers", data=sent | wrong).status_code in (404, 422), wrong
    with desk.database.read() as db:
        told = {did.number: (did.title, did.default_queue) for did in queues.list_numbers(db)}
    assert told["4007"] == ("三包热线", "inquiry")


def test_another_program_does_the_same(desk):
    client, headers = desk.client(), desk.token("zhaomin")
    path = "/api/v1/queues/repair/members"
    assert client.put(f"{path}/1001", json={"level": 3}, headers=headers).json()["level"] == 3
    told = {one["extension"]: one["level"] for one in client.get(path, headers=headers).json()["items"]}
    assert told["1001"] == 3
    assert client.delete(f"{path}/1001", headers=headers).json() == {"served": False}
    assert ("1001", "repair") not in levels(desk)
    assert client.put("/api/v1/queues/nowhere/members/1001", json={}, headers=headers).status_code == 404
    led = client.put("/api/v1/numbers/4006", json={"default_queue": "repair"}, headers=headers).json()
    assert (led["title"], led["flow"], led["language"], led["default_queue"]) == ("4006", "service", "zh", "repair")
    assert "4006" in [one["number"] for one in client.get("/api/v1/numbers", headers=headers).json()["items"]]
