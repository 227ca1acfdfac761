"""What an agent does becomes facts and rows; what cannot be done is said beside its field, and nothing is lost."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from callcenter import ledger
from callcenter.database import now
from callcenter.facts import CallBackAsked, CustomerBound, StatusChosen, WrapUpFinished
from callcenter.nudges import AgentChanged, TicketChanged
from cti.rows import Agent, Call
from reports import agents, today
from tests.facts import Told
from tests.told import Caller, tell
from ticketing import customers, engines, tickets
from ticketing.rows import Customer, Phone, Ticket


@pytest.fixture
def wang(desk):
    return desk.client("wangfang")


@pytest.fixture
def told(desk):
    heard = []
    desk.bus.listen(heard.append)
    return heard


def facts(desk, kind):
    with desk.database.read() as db:
        return [fact for _seq, fact in ledger.read(db) if isinstance(fact, kind)]


# --- status and wrap-up -------------------------------------------------------------------------------------------


def test_choosing_a_status_is_a_fact_and_is_told_after_commit(desk, wang, told):
    answer = wang.post("/desk/status", data={"status": "available"})
    assert answer.json()["status"] == "available"
    (fact,) = facts(desk, StatusChosen)
    assert (fact.agent, fact.status, fact.by) == ("1001", "available", "wangfang")
    assert [event.status for event in told if isinstance(event, AgentChanged)] == ["available"]
    with desk.database.read() as db:
        assert db.get_one(Agent, "1001").status == "available"


def test_a_break_has_one_of_the_reasons_listed_and_says_it(desk, wang):
    answer = wang.post("/desk/status", data={"status": "on_break", "reason": "lunch"}).json()
    assert (answer["words"], answer["reason"], answer["tone"]) == ("On break", "Lunch", "quiet")


@pytest.mark.parametrize(
    "form",
    [
        {"status": "on_break"},
        {"status": "on_break", "reason": "fishing"},
        {"status": "available", "reason": "lunch"},
        {"status": "asleep"},
    ],
)
def test_what_is_no_status_changes_nothing(desk, wang, form):
    assert wang.post("/desk/status", data=form).status_code == 422
    assert not facts(desk, StatusChosen)


def test_after_the_call_comes_wrap_up_until_the_agent_finishes_it(desk, wang):
    wang.post("/desk/status", data={"status": "available"})
    caller = Caller(desk.database, desk.bus).rings()
    state = wang.get("/desk/now").json()
    assert (state["state"], state["call_id"], state["number"]) == ("ringing", caller.call_id, "138 0013 8000")
    caller.is_answered()
    assert wang.get("/desk/now").json()["state"] == "talking"
    caller.hangs_up()
    state = wang.get("/desk/now").json()
    assert (state["state"], state["queue"]) == ("wrap_up", "Repair")
    assert state["wrap_up_until"] - state["since"] == pytest.approx(60, abs=0.01)
    assert wang.post("/desk/wrapup/finish").json()["state"] == "idle"
    assert [fact.by for fact in facts(desk, WrapUpFinished)] == ["wangfang"]


def test_an_agent_who_missed_a_call_is_told_so(desk, wang):
    said = StatusChosen(at=now(), agent="1001", status="on_break", reason="missed", by="policy")
    tell(desk.database, desk.bus, [said], "policy")
    state = wang.get("/desk/now").json()
    assert state["missed"] is True
    assert state["tone"] == "bad"


def test_who_waits_in_the_agents_queues_is_counted(desk, wang):
    Caller(desk.database, desk.bus).rings()
    (queue,) = wang.get("/desk/now").json()["queues"]
    assert (queue["queue"], queue["title"], queue["waiting"]) == ("repair", "Repair", 1)


def test_a_user_without_an_extension_has_no_desk(desk):
    assert desk.client("zhaomin").get("/desk").status_code == 403
    assert desk.client("sunli").post("/desk/status", data={"status": "available"}).status_code == 403


def test_a_change_without_the_sessions_token_is_refused(desk, wang):
    del wang.headers["X-CSRF"]
    assert wang.post("/desk/status", data={"status": "available"}).status_code == 403
    assert not facts(desk, StatusChosen)


# --- who is calling -----------------------------------------------------------------------------------------------


def test_choosing_one_of_several_binds_the_call_to_him(desk, wang):
    with desk.database.write() as db:
        ids = [
            customers.create(db, "end_user", name, now(), phones=["0371-22334455"]).id for name in ("王秀英", "王大力")
        ]
    caller = Caller(desk.database, desk.bus, "037122334455").rings()
    page = wang.post(f"/desk/calls/{caller.call_id}/customer", data={"customer_id": ids[1]})
    assert '<h1 class="who">王大力</h1>' in page.text
    (fact,) = facts(desk, CustomerBound)
    assert (fact.customer_id, fact.by) == (ids[1], "wangfang")
    with desk.database.read() as db:
        assert db.get_one(Call, caller.call_id).customer_id == ids[1]


def test_a_known_customer_on_a_new_number_keeps_it_as_a_maybe(desk, wang):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"]).id
    caller = Caller(desk.database, desk.bus, "15912345678").rings()
    assert "new number" in wang.post(f"/desk/calls/{caller.call_id}/customer", data={"customer_id": li}).text
    with desk.database.read() as db:
        levels = dict(db.execute(select(Phone.number, Phone.level).where(Phone.customer_id == li)).all())
    assert levels == {"+8613800138000": "known", "+8615912345678": "maybe"}


def test_a_stranger_is_put_on_file_without_leaving_the_card(desk, wang):
    caller = Caller(desk.database, desk.bus, "15912345678").rings()
    form = {
        "call_id": caller.call_id,
        "name": " 赵铁柱 ",
        "kind": "end_user",
        "region": "河南 洛阳",
        "number": "159 1234 5678",
    }
    page = wang.post("/desk/customers", data=form)
    assert page.status_code == 200
    assert '<h1 class="who">赵铁柱</h1>' in page.text
    with desk.database.read() as db:
        customer = db.scalars(select(Customer)).one()
        assert (customer.name, customer.initials, customer.phones[0].number) == ("赵铁柱", "ztz", "+8615912345678")
        assert db.get_one(Call, caller.call_id).customer_id == customer.id


@pytest.mark.parametrize(
    "form", [{"name": ""}, {"name": "赵铁柱", "kind": "emperor"}, {"name": "赵铁柱", "number": "abc"}]
)
def test_a_customer_who_cannot_be_kept_leaves_nothing_behind(desk, wang, form):
    caller = Caller(desk.database, desk.bus, "15912345678").rings()
    answer = wang.post("/desk/customers", data={"call_id": caller.call_id} | form)
    assert answer.status_code == 422
    assert answer.json()["message"]
    with desk.database.read() as db:
        assert not db.scalars(select(Customer)).all()
        assert db.get_one(Call, caller.call_id).customer_id is None


def test_a_colleagues_call_cannot_be_bound(desk):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now()).id
    caller = Caller(desk.database, desk.bus).rings()
    answer = desk.client("lina").post(f"/desk/calls/{caller.call_id}/customer", data={"customer_id": li})
    assert answer.status_code == 404
    assert not facts(desk, CustomerBound)


@pytest.mark.parametrize("typed", ["李建国", "jianguo", "ljg", "13800138000", "102938"])
def test_the_search_box_finds_him_by_whatever_he_says(desk, wang, typed):
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        engines.create(db, "4D83ZT240102938", "4D83", customer_id=li.id)
    page = wang.get("/desk/search", params={"q": typed})
    assert "李建国" in page.text
    assert "Nothing found" in wang.get("/desk/search", params={"q": "没有这个人"}).text


# --- tickets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def call(desk):
    """A talk with 李建国, and what his ticket needs."""
    with desk.database.write() as db:
        li = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        engine = engines.create(db, "4D83ZT240102938", "4D83", customer_id=li.id)
        ids = {"customer_id": li.id, "engine_id": engine.id}
    return {"call_id": Caller(desk.database, desk.bus).rings().is_answered().call_id} | ids


KINDS = {
    "inquiry": {"field.topic": "parts"},
    "complaint": {"field.about": "station", "field.wish": "道歉"},
    "repair": {"field.fault": "black_smoke", "field.place": "郑州 中牟"},
    "follow_up": {"field.about": "走保", "field.satisfied": "5"},
    "rescue": {
        "field.place": "雅林段 7 标",
        "field.contact": "13900139000",
        "field.fault": "stalls",
        "field.danger": "1",
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_ticket_of_each_kind_is_bound_to_call_customer_and_engine(desk, wang, call, told, kind):
    form = {"kind": kind, "subject": "行驶中动力不足", "notes": "昨天加油后", **KINDS[kind], **call}
    saved = wang.post("/desk/tickets", data=form).json()
    assert saved["state"] == "open"
    with desk.database.read() as db:
        ticket = db.get_one(Ticket, saved["id"])
        assert ticket.number == saved["number"]
        assert (ticket.kind, ticket.call_id, ticket.customer_id, ticket.engine_id) == (kind, *call.values())
        assert (ticket.opened_by, ticket.notes) == ("wangfang", "昨天加油后")
    assert [event.ticket_id for event in told if isinstance(event, TicketChanged)] == [saved["id"]]


def test_what_is_missing_is_said_field_by_field_and_nothing_is_saved(desk, wang, call):
    answer = wang.post("/desk/tickets", data={"kind": "repair", "call_id": call["call_id"], "notes": "很多话"})
    assert answer.status_code == 422
    assert set(answer.json()["faults"]) == {"subject", "fault", "place", "customer", "engine"}
    assert answer.json()["faults"]["subject"] == "Please fill this in"
    with desk.database.read() as db:
        assert not db.scalars(select(Ticket)).all()


def test_a_second_save_changes_the_ticket_and_adds_the_words(desk, wang, call):
    form = {"kind": "repair", "subject": "冒黑烟", **KINDS["repair"], **call}
    first = wang.post("/desk/tickets", data=form).json()
    again = form | {"id": first["id"], "version": first["version"], "subject": "冒黑烟，动力不足", "notes": "换过柴滤"}
    second = wang.post("/desk/tickets", data=again).json()
    assert second["id"] == first["id"]
    assert second["version"] > first["version"]
    with desk.database.read() as db:
        ticket = db.get_one(Ticket, first["id"])
        assert ticket.subject == "冒黑烟，动力不足"
        assert [(entry.what, entry.text) for entry in ticket.entries][-1] == ("noted", "换过柴滤")


def test_a_ticket_a_colleague_has_changed_is_not_saved_over(desk, wang, call):
    form = {"kind": "repair", "subject": "冒黑烟", **KINDS["repair"], **call}
    saved = wang.post("/desk/tickets", data=form).json()
    with desk.database.write() as db:
        ticket = db.get_one(Ticket, saved["id"])
        tickets.change(db, ticket, version=saved["version"], by="lina", now=now(), subject="冒蓝烟")
    answer = wang.post("/desk/tickets", data=form | {"id": saved["id"], "version": saved["version"], "subject": "漏油"})
    assert answer.status_code == 409
    assert "Somebody changed this ticket" in answer.json()["message"]
    with desk.database.read() as db:
        assert db.get_one(Ticket, saved["id"]).subject == "冒蓝烟"


def test_what_is_settled_with_the_call_is_closed_at_once(desk, wang, call):
    form = {"kind": "inquiry", "subject": "网点", "close": "1", **KINDS["inquiry"], **call}
    assert wang.post("/desk/tickets", data=form).json()["state"] == "closed"


def test_a_promise_is_meant_where_the_centre_is(desk, wang, call):
    form = {"kind": "inquiry", "subject": "回电", "due": "2026-11-30T14:30", **KINDS["inquiry"], **call}
    saved = wang.post("/desk/tickets", data=form).json()
    with desk.database.read() as db:
        due = db.get_one(Ticket, saved["id"]).due_at
    assert due.isoformat() == "2026-11-30T06:30:00+00:00"


@pytest.mark.parametrize("wrong", [{"due": "soon"}, {"engine_id": "1 or 1=1"}, {"kind": "party"}, {"id": "999999"}])
def test_nonsense_in_a_field_is_refused_in_words(desk, wang, call, wrong):
    form = {"kind": "inquiry", "subject": "网点", **KINDS["inquiry"], **call} | wrong
    answer = wang.post("/desk/tickets", data=form)
    assert answer.status_code in (404, 422)
    assert answer.json()["message"]


# --- between calls ------------------------------------------------------------------------------------------------


def test_the_idle_desk_shows_promises_late_ones_first_and_the_day_so_far(desk, wang, call):
    with desk.database.write() as db:
        about: dict[str, Any] = {
            "customer_id": call["customer_id"],
            "by": "wangfang",
            "now": now(),
            "fields": {"topic": "parts"},
        }
        tickets.open_ticket(db, "inquiry", subject="晚一点", due_at=now() + timedelta(hours=5), **about)
        tickets.open_ticket(db, "inquiry", subject="已经超时", due_at=now() - timedelta(minutes=20), **about)
        tickets.open_ticket(db, "inquiry", subject="别人的", **about | {"by": "lina"})
    page = wang.get("/desk/idle").text
    assert page.index("已经超时") < page.index("晚一点")
    assert "20 min late" in page
    assert "别人的" not in page
    shown = dict(re.findall(r'data-figure="(\w+)".*?figure-value">([^<]*)<', page, re.DOTALL))
    assert (shown["answered"], shown["missed"]) == ("1", "0")
    with desk.database.read() as db:
        (of_all,) = [one for one in today.by_agent(db, desk.settings.centre.zone, now()) if one.extension == "1001"]
        own = agents.today(db, "1001", now(), desk.settings.centre.zone)
    assert [one.name for one in own.figures] == [one.name for one in of_all.figures]
    assert own.answered == of_all.answered == 1
    assert page.count('class="figure-value">2<') == 1  # two tickets opened


def test_who_asked_to_be_called_back_stands_there_until_somebody_talked_with_him(desk, wang):
    at = now() - timedelta(minutes=30)
    asks = Told("tel-1800000900.1", at=at).arrives(number="+8613800138007").joins(after=2).exits("KEY", after=9)
    asks.say(CallBackAsked, 0.1, asks.call_id, queue="repair", number="+8613800138007")
    tell(desk.database, desk.bus, asks.ends(after=3).facts)
    assert "138 0013 8007" in wang.get("/desk/idle").text
    assert "138 0013 8007" in desk.client("zhaomin").get("/board/now").text
    back = Told("tel-1800000901.1", at=at + timedelta(minutes=10))
    back.leg(back.call_id, 0, "PJSIP/1001-0000000b", did="013800138007", agent="1001")
    back.leg(f"{back.call_id}-2", 1, "PJSIP/trunk-0000000c", number="+8613800138007", trunk=True)
    back.enters(back.call_id, "b-9", after=5).enters(f"{back.call_id}-2", "b-9")
    tell(desk.database, desk.bus, back.ends(f"{back.call_id}-2", after=20).ends().facts)
    assert "138 0013 8007" not in wang.get("/desk/idle").text


def test_the_page_of_a_call_leads_to_its_ticket_customer_and_facts(desk, wang, call):
    form = {"kind": "inquiry", "subject": "配件价格", **KINDS["inquiry"], **call}
    number = wang.post("/desk/tickets", data=form).json()["number"]
    page = wang.get(f"/calls/{call['call_id']}").text
    for shown in (number, "配件价格", "李建国", "its recording is here soon after"):
        assert shown in page
    told = re.findall(r"<li(?: data-live)?>\s*<button.*?step-words\">([^<]*?)\s*<", page, re.DOTALL)
    assert told == [
        "Call to 4008",
        "Number known as 李建国",
        "Menu · 主菜单: heard “3”",
        "Left the menu for Repair",
        "Joined Repair at place 1",
        "Rang 王芳",
        "王芳 answered after 00:02 of ringing; waited 00:45",
    ]
