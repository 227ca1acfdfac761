"""Calling out: who may be called and when, call-backs that are kept or told of, help, and how a call came out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import Database, now
from callcenter.errors import NotFound
from callcenter.facts import BridgeEntered, LegAnswered, LegEnded, LegStarted, PhoneSeen, StatusChosen
from callcenter.jobs import Job
from config.people import User
from config.settings import Settings
from cti import callbacks, dialling, dispositions, helping, wishes
from cti.projection import record
from cti.rows import Agent, Call
from tests.desktop import Desk, answer, arrival, hang_up, ringing, tell
from ticketing import customers, tickets

MOBILE = "13912345678"
E164 = "+8613912345678"


def user(db: Session, login: str) -> User:
    return db.scalars(select(User).where(User.login == login)).one()


def local(desk: Desk, hour: int, minute: int = 0) -> datetime:
    """Today, where the centre is."""
    return now().astimezone(desk.settings.centre.zone).replace(hour=hour, minute=minute, second=0, microsecond=0)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """王芳 (1001) and 李娜 (1002) sit at their phones."""
    at = now()
    seen = [PhoneSeen(at=at, switch="tel", agent=agent, reachable=True) for agent in ("1001", "1002")]
    chosen = [StatusChosen(at=at, agent=agent, status="available", by=agent) for agent in ("1001", "1002")]
    tell(desk, *seen, *chosen)
    return desk


@pytest.mark.parametrize(("hour", "may"), [(7, False), (8, True), (20, True), (21, False), (2, False)])
def test_a_customer_is_called_within_the_permitted_hours(ready, hour, may):
    with ready.database.read() as db:
        fault = dialling.stands_against(db, ready.settings, E164, local(ready, hour))
    assert (fault is None) == may
    assert may or (fault is not None and (fault.word, fault.detail) == ("OutsideHours", "08:00–21:00"))


def test_at_night_a_driver_who_called_us_and_a_station_may_be_called(ready):
    night = local(ready, 2) + timedelta(days=1)
    with ready.database.write() as db:
        customers.create(db, "station", "郑州特约维修站", now(), phones=["037166778899"])
        assert dialling.stands_against(db, ready.settings, "+8637166778899", night) is None
        assert dialling.stands_against(db, ready.settings, E164, night) is not None
    tell(ready, *arrival("tel-1.1", number=E164))
    with ready.database.write() as db:
        db.get_one(Call, "tel-1.1").caller_number = E164
        db.get_one(Call, "tel-1.1").direction = "in"
        db.get_one(Call, "tel-1.1").started_at = night - timedelta(hours=3)
    with ready.database.read() as db:
        assert dialling.stands_against(db, ready.settings, E164, night) is None


def test_a_number_on_the_list_is_called_only_on_a_supervisors_word_which_is_kept(ready):
    noon = local(ready, 12)
    with ready.database.write() as db:
        zhao, wang = user(db, "zhaomin"), user(db, "wangfang")
        entry = dialling.put_on_list(db, ready.settings, "139 1234 5678", "投诉骚扰", zhao, noon)
        assert dialling.put_on_list(db, ready.settings, E164, "again", zhao, noon).id == entry.id
        with pytest.raises(dialling.OnDoNotCallList) as refused:
            dialling.permit(db, ready.settings, MOBILE, wang, noon, override="我想打")
        assert refused.value.detail == "投诉骚扰"
        dial = dialling.permit(db, ready.settings, MOBILE, zhao, noon, override="车主来函要求回电")
        assert (dial.refused, dial.override, dial.by) == ("OnDoNotCallList", "车主来函要求回电", "zhaomin")
        dialling.take_off_list(db, entry.id, zhao, noon)
        assert dialling.permit(db, ready.settings, MOBILE, wang, noon).refused == ""
        with pytest.raises(NotFound):
            dialling.take_off_list(db, entry.id, zhao, noon)
        assert db.get_one(dialling.DoNotCall, entry.id).ended_by == "zhaomin"


def test_the_page_says_why_a_number_is_not_called(ready, monkeypatch):
    with ready.database.write() as db:
        dialling.put_on_list(db, ready.settings, MOBILE, "<b>不要</b>再打", user(db, "zhaomin"), now())
    refused = ready.client("wangfang").post("/desk/dial", data={"number": MOBILE, "override": "请"})
    assert refused.status_code == 409
    assert refused.json()["detail"] == "<b>不要</b>再打"
    assert refused.json()["may_override"] is False
    for nonsense in ("", "00441632960000", "119&PJSIP/1002", "139\r\nAction: Command"):
        assert ready.client("wangfang").post("/desk/dial", data={"number": nonsense}).status_code in (409, 422)
    with ready.database.read() as db:
        assert db.scalars(select(Job).where(Job.kind == "dial")).all() == []


def test_a_call_back_is_begun_when_it_is_due_and_the_agent_is_free(ready):
    at = local(ready, 10)
    with ready.database.write() as db:
        row = callbacks.plan(db, ready.settings, user(db, "wangfang"), MOBILE, at, at, note="报价")
        job = db.scalars(select(Job).where(Job.kind == "call_back")).one()
        assert (job.due_at, job.payload) == (at, {"callback": row.id})
        db.get_one(Agent, "1001").state = "talking"
        assert callbacks.begin(db, ready.settings, row, at) == callbacks.Again(at + callbacks.BUSY_AGAIN, "busy")
        db.get_one(Agent, "1001").state = "idle"
        wish = callbacks.begin(db, ready.settings, row, at)
        assert isinstance(wish, dict)
        assert (wish["agent"], wish["to"], row.state) == ("1001", MOBILE, "calling")
        assert wishes.ours(wish["call_id"])
        assert callbacks.begin(db, ready.settings, row, at) is None, "it is being called already"


def called(desk: Desk, row: callbacks.Callback, *, agent: bool, customer: bool) -> None:
    """The call of a call-back as it went, and its end."""
    at = now()
    about: dict[str, Any] = {"switch": "tel", "call_id": row.call_id}
    first: dict[str, Any] = {"channel": "PJSIP/1001-1", "context": "tel", "did": "s", "caller_number": "1001"}
    facts: list[Any] = [LegStarted(at=at, leg_id=row.call_id, caller_name="", agent="1001", **first, **about)]
    if agent:
        facts.append(LegAnswered(at=at, leg_id=row.call_id, **about))
    if customer:
        other: dict[str, Any] = {
            "channel": "PJSIP/trunk-1",
            "context": "tel",
            "did": "",
            "caller_number": "",
            "caller_name": "",
        }
        facts.append(LegStarted(at=at, leg_id="tel-9.9", trunk=True, **other, **about))
        facts += [BridgeEntered(at=at, leg_id=leg, bridge_id="b", **about) for leg in ("tel-9.9", row.call_id)]
        facts.append(LegEnded(at=at, leg_id="tel-9.9", cause=16, **about))
    facts.append(LegEnded(at=at, leg_id=row.call_id, cause=16, **about))
    tell(desk, *facts)


@pytest.mark.parametrize(
    ("agent", "customer", "state"), [(True, True, "done"), (True, False, "not_reached"), (False, False, "planned")]
)
def test_what_became_of_a_call_back_is_told_by_the_call_itself(ready, agent, customer, state):
    at = local(ready, 10)
    with ready.database.write() as db:
        row = callbacks.plan(db, ready.settings, user(db, "wangfang"), MOBILE, at, at)
        callbacks.begin(db, ready.settings, row, at)
    called(ready, row, agent=agent, customer=customer)
    with ready.database.write() as db:
        (settled,) = callbacks.settle(db, at)
        assert settled.state == state
        again = db.scalars(select(Job.due_at).where(Job.kind == "call_back").order_by(Job.id)).all()
        assert again == ([at, at + callbacks.AGAIN] if state == "planned" else [at])


def test_a_call_back_nobody_was_there_for_is_missed_and_stands_on_both_pages(ready):
    at = local(ready, 10)
    with ready.database.write() as db:
        row = callbacks.plan(db, ready.settings, user(db, "wangfang"), MOBILE, at, at, note="催件 <i>")
        db.get_one(Agent, "1001").reachable = False
        assert callbacks.begin(db, ready.settings, row, at + callbacks.LATE + timedelta(seconds=1)) is None
        assert (row.state, row.why) == ("missed", "away")
    for login, path in (("wangfang", "/desk/idle"), ("zhaomin", "/help/now")):
        page = ready.client(login).get(path).text
        assert "139 1234 5678" in page
        assert "催件 &lt;i&gt;" in page
    assert ready.client("lina").post(f"/desk/callbacks/{row.id}/cancel").status_code == 404
    assert ready.client("wangfang").post(f"/desk/callbacks/{row.id}/cancel").json() == {"state": "missed"}
    assert "139 1234 5678" not in ready.client("wangfang").get("/desk/idle").text


def test_a_call_back_is_planned_from_the_page_and_refused_with_the_reason(ready):
    client = ready.client("wangfang")
    due = (local(ready, 15) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    planned = client.post("/desk/callbacks", data={"number": MOBILE, "due": due, "note": "问保养"})
    assert planned.status_code == 201, planned.text
    assert "问保养" in client.get("/desk/idle").text
    at_night = (local(ready, 3) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    for wrong in ({"due": at_night}, {"due": "2020-01-01T10:00"}, {"due": "gestern"}, {"number": "1"}):
        assert client.post("/desk/callbacks", data={"number": MOBILE, "due": due} | wrong).status_code in (409, 422)


def talks(desk: Desk, call_id: str = "tel-1.1") -> None:
    tell(desk, *arrival(call_id))
    tell(desk, ringing(call_id))
    tell(desk, answer(call_id))


def test_help_is_asked_with_the_matter_and_seen_by_who_leads_until_it_is_settled(ready):
    talks(ready)
    wang, zhao = ready.client("wangfang"), ready.client("zhaomin")
    asked = wang.post("/desk/calls/tel-1.1/help", data={"note": "客户要求<退机>"})
    assert asked.status_code == 200
    seen = zhao.get("/help/now").text
    assert "王芳" in seen
    assert "客户要求&lt;退机&gt;" in seen
    assert wang.get("/desk/now").json()["help"]["note"] == "客户要求<退机>"
    assert ready.client("lina").get("/help/now").status_code == 403
    assert ready.client("lina").post("/desk/calls/tel-1.1/help").status_code == 404
    assert ready.client("lina").post(f"/help/{asked.json()['id']}/end").status_code == 404
    assert zhao.post("/help/hear/1001", data={"mode": "listen"}).status_code == 409, "she has no phone here"
    tell(ready, *hang_up("tel-1.1"))
    assert "王芳" not in zhao.get("/help/now").text, "the call is over"


def test_who_listens_is_kept_and_changes_over_without_a_second_call(ready):
    talks(ready)
    with ready.database.write() as db:
        zhao = user(db, "zhaomin")
        zhao.extension = "1010"
        db.flush()
        record(db, [PhoneSeen(at=now(), switch="tel", agent="1010", reachable=True)], "ami")
        helping.ask(db, "tel-1.1", user(db, "wangfang"), now(), "帮忙")
        job = helping.hear(db, ready.settings, "1001", "listen", zhao, now())
        assert (job.payload["mode"], job.payload["channel"], job.payload["whom"]) == ("listen", "", "1001")
        own: dict[str, Any] = {"switch": "tel", "call_id": job.payload["own_call"], "leg_id": job.payload["own_call"]}
        own |= {"channel": "PJSIP/1010-7", "context": "tel", "did": "s", "caller_number": "1010", "caller_name": ""}
        record(db, [LegStarted(at=now(), agent="1010", **own)], "ami")
        leg = job.payload["own_call"]
        record(db, [LegAnswered(at=now(), switch="tel", call_id=leg, leg_id=leg)], "ami")
        again = helping.hear(db, ready.settings, "1001", "whisper", zhao, now() + timedelta(seconds=2))
        assert (again.payload["channel"], again.payload["mode"]) == ("PJSIP/1010-7", "whisper")
        kept = [row.mode for row in db.scalars(select(helping.Listening).order_by(helping.Listening.id))]
        assert kept == ["listen", "whisper"]
        (row, _call), *_ = helping.open_requests(db)
        assert row.taken_by == "zhaomin"
        with pytest.raises(helping.NothingToHear):
            helping.hear(db, ready.settings, "1002", "listen", zhao, now())


def test_a_code_is_ended_and_old_calls_keep_their_word(ready):
    talks(ready)
    admin, wang = ready.client("admin"), ready.client("wangfang")
    sent = {"code": "promised", "title_zh": "已答复", "title_en": "Helped out", "place": "1"}
    assert admin.post("/outcomes", data=sent).status_code == 303
    assert admin.post("/outcomes", data=sent | {"code": "Bad Code"}).status_code == 422
    assert "Helped out" in wang.get("/desk").text
    assert wang.post("/desk/calls/tel-1.1/outcome", data={"code": "promised"}).status_code == 200
    assert wang.get("/desk/now").json()["outcome"] == "promised"
    assert admin.post("/outcomes/promised/end").status_code == 303
    assert "Helped out" not in wang.get("/desk").text
    assert wang.post("/desk/calls/tel-1.1/outcome", data={"code": "promised"}).status_code == 422
    with ready.database.read() as db:
        kept = dispositions.said(db, "tel-1.1", "1001")
        assert kept is not None
        assert kept.code == "promised"
    assert wang.get("/outcomes").status_code == 403


def test_wrap_up_is_made_longer_a_minute_at_a_time_and_not_for_ever(ready: Desk, database: Database):
    talks(ready)
    tell(ready, *hang_up("tel-1.1"))
    wang = ready.client("wangfang")
    before = wang.get("/desk/now").json()
    assert before["state"] == "wrap_up"
    pressed = 0
    while wang.post("/desk/wrapup/more").status_code == 200:
        pressed += 1
    after = wang.get("/desk/now").json()
    assert pressed == 10
    assert after["wrap_up_until"] - before["wrap_up_until"] == pressed * 60
    assert ready.client("lina").post("/desk/wrapup/more").status_code == 409
    assert wang.post("/desk/wrapup/finish").json()["state"] == "idle"


def test_the_list_is_kept_on_a_page_for_those_who_lead(ready):
    zhao = ready.client("zhaomin")
    assert zhao.post("/do-not-call", data={"number": MOBILE, "reason": "<u>律师函</u>"}).status_code == 303
    page = zhao.get("/do-not-call").text
    assert "139 1234 5678" in page
    assert "&lt;u&gt;律师函&lt;/u&gt;" in page
    wrong = zhao.post("/do-not-call", data={"number": "没有号码", "reason": "typed"})
    assert wrong.status_code == 422
    assert 'value="typed"' in wrong.text, "what was typed is kept"
    with ready.database.read() as db:
        (entry,) = dialling.listed(db)
    assert zhao.post(f"/do-not-call/{entry.id}/end").status_code == 303
    assert "139 1234 5678" not in zhao.get("/do-not-call").text
    assert ready.client("wangfang").get("/do-not-call").status_code == 403


def test_settings_say_when_customers_are_called():
    assert Settings().calling.hours_from == "08:00"
    with pytest.raises(ValueError, match="hours_from"):
        Settings.model_validate({"calling": {"hours_from": "8"}})


def test_a_number_on_any_page_leads_to_the_desk_of_who_has_one(desk):
    with desk.database.write() as db:
        owner = customers.create(db, "end_user", "李建国", now(), phones=["13800138000"])
        fields = {"topic": "warranty"}
        ticket = tickets.open_ticket(
            db, "inquiry", subject="三包期", by="wangfang", now=now(), customer_id=owner.id, fields=fields
        )
    link = 'href="/desk?dial=%2B8613800138000"'
    for path in (f"/customers/{owner.id}", "/customers", f"/tickets/{ticket.id}"):
        assert link in desk.client("wangfang").get(path).text, path
        assert link not in desk.client("chenjing").get(path).text, path
    assert "138 0013 8000" in desk.client("chenjing").get(f"/customers/{owner.id}").text
