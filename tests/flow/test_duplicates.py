"""Who may be one and the same: suggested with its reasons, never done silently, and asked once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from callcenter import worker
from callcenter.bus import LocalBus
from callcenter.database import now
from ticketing import customers, duplicates, merges, relations
from ticketing.merge_rows import Likeness
from ticketing.rows import Customer

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def db(database):
    with database.write() as db:
        yield db


def customer(db, name, *phones: str, kind="end_user", **rest: str) -> Customer:
    return customers.create(db, kind, name, NOW, phones=phones, **rest)


def whom(db, one: Customer) -> dict[str, list[str]]:
    return {found.other.name: found.likeness.reasons for found in duplicates.of(db, one, customers.ids_of(db, one))}


@pytest.mark.parametrize(
    ("had", "comes", "why"),
    [
        (("李建国", "13800138000"), ("老李", "138 0013 8000"), ["number:+8613800138000"]),
        (("李建国",), ("李建国",), None),  # there are thousands
        (("李建国", "", "河南 郑州"), ("李建国", "", "郑州"), ["name", "town"]),
        (("李建国", "", "河南 郑州"), ("李建囯", "", "河南 郑州"), ["sound", "town"]),
        (("李建国", "", "河南 郑州"), ("李建国", "", "山东 济南"), None),
        (("郑州鸿运土方工程有限公司",), ("郑州鸿运土方工程",), ["core"]),
        (("郑州鸿运土方工程有限公司",), ("郑州鸿运运输有限公司",), None),
        (("李建国",), ("王大力",), None),
    ],
)
def test_two_records_are_alike_by_what_they_share(db, had, comes, why):
    kind = "fleet" if "鸿运" in had[0] else "end_user"
    made = [
        customer(db, name, *(number for number in rest[:1] if number), kind=kind, region="".join(rest[1:]))
        for name, *rest in (had, comes)
    ]
    assert whom(db, made[1]) == ({had[0]: why} if why else {})
    assert whom(db, made[0]) == ({comes[0]: why} if why else {})


def test_what_is_said_to_be_not_the_same_is_not_asked_again(db):
    li, lee = customer(db, "李建国", "13800138000"), customer(db, "李建华", "13800138000")
    third = customer(db, "李建军", "13800138000")
    assert len(duplicates.listed(db)) == 3
    duplicates.not_same(db, lee.id, li.id, by="wangfang", now=NOW)
    customers.change(db, lee, NOW, region="河南 郑州")  # saved again
    assert whom(db, li) == {"李建军": ["number:+8613800138000"]}
    row = merges.merge(db, lee.id, third.id, by="wangfang", now=NOW)
    assert whom(db, third) == {}  # he is now also the one who is not the same
    merges.part(db, row.id, by="wangfang", now=NOW)
    assert whom(db, third) == {"李建国": ["number:+8613800138000"]}
    assert whom(db, lee) == {}  # who was parted is not suggested again


def test_who_stands_to_another_is_another_and_a_company_line_is_no_reason(db):
    boss, driver = customer(db, "李建国", "13800138000"), customer(db, "李铁柱", "13800138000")
    assert len(whom(db, driver)) == 1
    relations.add(db, driver, boss.id, "drives", by="wangfang", now=NOW)
    customers.change(db, driver, NOW, note="白班")
    assert whom(db, driver) == {}
    for name in ("张伟", "张磊", "赵敏", "孙丽", "陈静"):
        last = customer(db, name, "0371-67890123")
    assert whom(db, last) == {}


def test_what_does_not_hold_any_more_is_not_suggested_any_more(db):
    li, lee = customer(db, "李建国", "13800138000"), customer(db, "李建华", "13800138000")
    customers.remove_phone(db, lee, lee.phones[0].id, NOW)
    assert whom(db, li) == {}


def test_what_was_on_file_before_is_looked_through_once(db):
    made = [customer(db, "李建国", "13800138000"), customer(db, "李建国", "13800138000"), customer(db, "王大力")]
    db.execute(delete(Likeness))
    ids, last = duplicates.doubtful(db, 0, 2)
    assert (ids, last) == ([made[0].id, made[1].id], made[1].id)
    assert duplicates.doubtful(db, made[1].id, 2) == ([], made[2].id)
    assert duplicates.doubtful(db, made[2].id, 2) == ([], None)


def test_the_worker_looks_through_them_and_ends(database):
    with database.write() as db:
        for name in ("李建国", "李建国", "王大力"):
            customer(db, name, "13800138000" if "李" in name else "13900139000")
        db.execute(delete(Likeness))
        duplicates.plan(db, NOW)
    looks = 0
    while worker.work_off(database, LocalBus(), {duplicates.JOB: duplicates.work()}, NOW):
        looks += 1
    assert looks == 2  # all of them, and nobody behind the last
    with database.read() as db:
        assert [pair.reasons for pair in duplicates.listed(db)] == [["name", "number:+8613800138000"]]


def test_the_page_says_why_and_takes_the_answer(desk):
    client = desk.client("wangfang")
    with desk.database.write() as db:
        old = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"], region="河南 郑州")
    made = client.post("/customers", data={"name": "李建国", "kind": "end_user", "number": "138 0013 8000"})
    shown = client.get(made.headers["location"]).text
    assert "May be the same as" in shown
    assert "one number" in shown
    assert "李建国" in client.get("/customers/duplicates").text
    new_id = made.headers["location"].rsplit("/", 1)[1]
    assert client.post(f"/customers/{new_id}/not-same", data={"other": str(old.id)}).status_code == 303
    assert "May be the same as" not in client.get(f"/customers/{new_id}").text
    assert "No two records" in client.get("/customers/duplicates").text
    assert client.post(f"/customers/{new_id}/not-same", data={"other": new_id}).status_code == 422
    assert desk.client("sunli").get("/customers/duplicates").status_code == 403


def test_a_program_asks_who_may_be_one_and_answers(desk):
    program, key = desk.client(), desk.token("wangfang")
    with desk.database.write() as db:
        one, other = (customers.create(db, "end_user", "李建国", now(), phones=["13800138000"]) for _ in range(2))
    [pair] = program.get("/api/v1/duplicates", headers=key).json()
    assert (pair["one_id"], pair["other_id"], pair["reasons"]) == (one.id, other.id, ["name", "number:+8613800138000"])
    assert len(program.get(f"/api/v1/customers/{other.id}/duplicates", headers=key).json()) == 1
    said = program.post(f"/api/v1/customers/{other.id}/not-same", json={"other_id": one.id}, headers=key)
    assert said.json()["answer"] == "not_same"
    assert program.get("/api/v1/duplicates", headers=key).json() == []
