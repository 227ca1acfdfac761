"""Promises kept and broken, the diary's quadrants, the ladder, and work that finds a new owner when somebody leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from callcenter import jobs, worker
from callcenter.bus import LocalBus
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.nudges import TicketChanged
from config.people import User
from ticketing import catalogue, customers, duties, escalation, reowning, tickets, ties
from ticketing.duties import Duty, DutyDone

MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
ZONE = ZoneInfo("Asia/Shanghai")
HALF_AN_HOUR = timedelta(minutes=30)


def people(db):
    for login, role in (("wangfang", "agent"), ("lina", "agent"), ("zhaomin", "supervisor"), ("admin", "admin")):
        db.add(User(login=login, name=login, password_hash="", role=role, created_at=MONDAY))


def a_complaint(db, at=MONDAY, by="wangfang"):
    li = customers.create(db, "end_user", "李建国", at, phones=["13800138000"])
    return tickets.open_ticket(
        db, "complaint", subject="服务站迟到", by=by, now=at, customer_id=li.id, fields={"about": "station"}, zone=ZONE
    )


@pytest.fixture
def db(database):
    with database.write() as db:
        people(db)
        yield db


def test_a_promise_kept_in_time_and_one_that_is_broken_by_itself(database):
    with database.write() as db:
        people(db)
        ticket = a_complaint(db)
        about: dict[str, Any] = {"owner": "wangfang", "by": "wangfang", "now": MONDAY, "ticket": ticket}
        kept = duties.add(db, "promise", "服务站给您回电", MONDAY + HALF_AN_HOUR, **about)
        forgotten = duties.add(db, "promise", "寄出配件", MONDAY + HALF_AN_HOUR, **about)
        duties.done(db, kept, by="lina", now=MONDAY + timedelta(minutes=20))
        later = MONDAY + timedelta(minutes=31)
        assert forgotten.stands(later) == "broken"  # at once, before anybody put it on record
        assert forgotten.state == "open"
    told: list[object] = []
    bus = LocalBus()
    bus.listen(told.append)
    while worker.work_off(database, bus, {duties.JOB: duties.work()}, later):
        pass
    assert [type(event) for event in told] == [TicketChanged]
    with database.write() as db:
        states = {duty.text: duty.state for duty in db.scalars(select(Duty))}
        assert states == {"服务站给您回电": "kept", "寄出配件": "broken"}
        late = db.scalars(select(Duty).where(Duty.state == "broken")).one()
        assert [one.text for one in duties.broken(db, later)] == ["寄出配件"]
        assert duties.break_it(db, late.id, later) is None
        with pytest.raises(DutyDone):
            duties.drop(db, late, by="wangfang", now=later)
        duties.done(db, late, by="wangfang", now=later)
        assert (late.state, late.done_by) == ("broken", "wangfang")  # done after all, and still not kept
        with pytest.raises(DutyDone):
            duties.done(db, late, by="lina", now=later)
        assert duties.broken(db, later) == []


def test_the_four_quadrants(db):
    rescue = tickets.open_ticket(
        db, "rescue", subject="隧道内熄火", by="wangfang", now=MONDAY, zone=ZONE,
        fields={"place": "G30 K580+200", "contact": "13800138000", "fault": "stalls"},
    )  # fmt: skip
    assert rescue.fields["road"] == "G30 K580+200"
    inquiry = tickets.open_ticket(
        db, "inquiry", subject="保养周期", by="wangfang", now=MONDAY, fields={"topic": "use"}, zone=ZONE
    )
    about: dict[str, Any] = {"owner": "wangfang", "by": "wangfang", "now": MONDAY}
    duties.add(db, "task", "写周报", MONDAY + timedelta(days=2), **about)
    duties.add(db, "task", "培训", MONDAY + timedelta(days=2), important=True, **about)
    found = duties.quadrants(duties.of_owner(db, "wangfang"), [rescue, inquiry], MONDAY)
    told = {key: [item.text for item in items] for key, items in found.items()}
    assert told == {
        (True, True): ["隧道内熄火"],
        (True, False): ["培训"],
        (False, True): [],
        (False, False): ["保养周期", "写周报"],
    }


def test_a_complaint_nobody_settles_goes_up_the_ladder_to_the_one_named_and_once_only(db):
    ticket = a_complaint(db)
    catalogue.set_rung(db, "complaint", 2, "lina", 600, by="admin", now=MONDAY)
    assert escalation.climb(db, ZONE, MONDAY + timedelta(hours=2)) == []
    assert escalation.climb(db, ZONE, MONDAY + timedelta(hours=7)) == [ticket]
    assert (ticket.level, ticket.owner, ticket.entries[-1].what) == (1, "zhaomin", "escalated")
    assert escalation.climb(db, ZONE, MONDAY + timedelta(hours=7)) == []
    tickets.change(
        db, ticket, version=ticket.version, by="lina", now=MONDAY + timedelta(hours=7), zone=ZONE, state="waiting"
    )
    assert escalation.climb(db, ZONE, MONDAY + timedelta(days=30)) == []  # the clock rests for the customer
    back = MONDAY + timedelta(days=1)
    tickets.change(db, ticket, version=ticket.version, by="lina", now=back, zone=ZONE, state="open")
    assert escalation.climb(db, ZONE, back + timedelta(hours=7)) == [ticket]
    assert (ticket.level, ticket.owner) == (2, "lina")


def test_the_worker_looks_at_the_ladder_every_few_minutes(database, tmp_path):
    from config.settings import Settings

    with database.write() as db:
        people(db)
        escalation.plan(db, MONDAY)
    work = {escalation.JOB: escalation.work(Settings(home=tmp_path))}
    assert worker.work_off(database, LocalBus(), work, MONDAY)
    with database.read() as db:
        waiting = db.scalars(select(jobs.Job).where(jobs.Job.state == "waiting")).one()
        assert waiting.due_at == MONDAY + escalation.EVERY


def test_one_who_leaves_hands_over_everything_and_nothing_is_orphaned(desk):
    with desk.database.write() as db:
        ticket = a_complaint(db, now())
        duties.add(db, "task", "回访客户", now() + HALF_AN_HOUR, owner="wangfang", by="wangfang", now=now())
        ties.watch(db, ticket, "wangfang", True, now())
        catalogue.set_rung(db, "complaint", 1, "wangfang", 240, by="admin", now=now())
    admin, user = desk.client("admin"), desk.users["wangfang"]
    path = f"/admin/users/{user.id}/active"
    asked = admin.post(path, data={"active": "false"})
    assert asked.status_code == 409
    assert "Who takes over from 王芳?" in asked.text
    assert admin.post(path, data={"active": "false", "to": "nobody"}).status_code == 422
    with desk.database.read() as db:
        assert db.get_one(User, user.id).active
    assert admin.post(path, data={"active": "false", "to": "lina"}).status_code == 303
    with desk.database.read() as db:
        assert not db.get_one(User, user.id).active
        assert not reowning.work_of(db, "wangfang")
        assert reowning.work_of(db, "lina") == reowning.Work(tickets=1, duties=1)
        kept = tickets.load_ticket(db, ticket.id, desk.users["lina"])
        assert (kept.owner, kept.entries[-1].what) == ("lina", "handed_over")
        assert catalogue.current(db).form("complaint").ladder[0].owner == "lina"
        with pytest.raises(BadInput):
            duties.add(db, "task", "x", now(), owner="wangfang", by="lina", now=now())


def test_a_promise_is_made_on_the_ticket_and_seen_on_desk_diary_board_and_calendar(desk):
    with desk.database.write() as db:
        ticket = a_complaint(db, now())
        overdue = now() - HALF_AN_HOUR
        duties.add(db, "promise", "<i>寄出配件</i>", overdue, owner="wangfang", by="lina", now=overdue, ticket=ticket)
    wang, path = desk.client("wangfang"), f"/tickets/{ticket.id}"
    sent = {"text": "服务站给您回电", "minutes": "30", "owner": "wangfang"}
    assert wang.post(f"{path}/promises", data=sent).status_code == 303
    for client, page in ((wang, path), (wang, "/desk/idle"), (wang, "/diary"), (desk.client("zhaomin"), "/board")):
        text = client.get(page).text
        assert "&lt;i&gt;寄出配件" in text, page
        assert "Broken" in text, page
    day = (now() + HALF_AN_HOUR).astimezone(desk.settings.centre.zone).date()  # on a Sunday night it is the next week's
    assert "服务站给您回电" in desk.client("zhaomin").get(f"/calendar?week={day}").text
    assert wang.post(f"{path}/promises", data=sent | {"minutes": "-5"}).status_code == 422
    assert wang.post(f"{path}/promises", data=sent | {"owner": "nobody"}).status_code == 422
    with desk.database.read() as db:
        row = db.scalar(select(Duty.id).where(Duty.state == "open", Duty.due_at > now()))
    assert desk.client("sunli").post(f"/diary/{row}", data={"to": "done"}).status_code == 403
    answer = wang.post(f"/diary/{row}", data={"to": "done", "back": "https://evil.example/"})
    assert answer.headers["location"] == "/diary"
    assert wang.post(f"/diary/{row}", data={"to": "done"}).status_code == 409


def test_a_diary_is_ones_own_and_a_supervisor_may_look_into_it(desk):
    wang = desk.client("wangfang")
    task = {"text": "写周报", "due_at": "2099-11-23T10:00", "important": "1"}
    assert wang.post("/diary", data=task).status_code == 303
    assert "写周报" in wang.get("/diary").text
    assert "写周报" not in desk.client("lina").get("/diary?who=wangfang").text
    assert "写周报" in desk.client("zhaomin").get("/diary?who=wangfang").text
    assert desk.client("lina").post("/diary", data=task | {"owner": "wangfang"}).status_code == 404
    assert wang.post("/diary", data=task | {"due_at": "tomorrow"}).status_code == 422
    with desk.database.read() as db:
        row = db.scalar(select(Duty.id))
    assert desk.client("lina").post(f"/diary/{row}", data={"to": "done"}).status_code == 404
    assert wang.post(f"/diary/{row}", data={"to": "put", "urgent": "1"}).status_code == 303
    with desk.database.read() as db:
        kept = db.get_one(Duty, row)
        assert (kept.important, kept.urgent) == (False, True)


def test_tickets_are_watched_tied_together_and_handed_over(desk):
    with desk.database.write() as db:
        one, two = a_complaint(db, now()), a_complaint(db, now())
    wang, path = desk.client("wangfang"), f"/tickets/{one.id}"
    assert wang.post(f"{path}/watch", data={"on": "1"}).status_code == 303
    assert "Stop watching" in wang.get(path).text
    assert wang.post(f"{path}/links", data={"number": two.number.lower(), "kind": "duplicate"}).status_code == 303
    assert wang.post(f"{path}/links", data={"number": two.number, "kind": "related"}).status_code == 422
    assert wang.post(f"{path}/links", data={"number": one.number, "kind": "related"}).status_code == 422
    assert one.number in wang.get(f"/tickets/{two.id}").text
    assert wang.post(f"{path}/hand-over", data={"owner": "lina", "text": "请接着跟"}).status_code == 303
    page = desk.client("lina").get(path).text
    assert "请接着跟" in page
    assert "Handed over" in page
