"""Kinds, words and clocks changed without code: codes are ended, never deleted, and old tickets keep their words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from callcenter.database import now
from config import calendar
from config.people import User
from ticketing import catalogue, customers, deadlines, engines, knowledge, tickets
from ticketing.catalogue import BadForm
from ticketing.kinds import TicketIncomplete
from ticketing.rows import Station, Ticket

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def db(database):
    with database.write() as db:
        db.add(User(login="wangfang", name="王芳", password_hash="", role="agent", created_at=NOW))
        yield db


def an_inquiry(db, topic: str = "price", at: datetime = NOW) -> Ticket:
    return tickets.open_ticket(
        db, "inquiry", subject="保养周期", by="wangfang", now=at, fields={"topic": topic}, zone=ZONE
    )


def test_a_code_is_added_reworded_and_ended_and_an_old_ticket_keeps_it(db):
    catalogue.set_term(db, "topic", "oil", "机油牌号", "Oil grade", by="admin", now=NOW)
    ticket = an_inquiry(db, "oil")
    catalogue.set_term(db, "topic", "oil", "机油", "Oil", ended=True, by="admin", now=NOW)
    with pytest.raises(TicketIncomplete):
        an_inquiry(db, "oil")
    field = catalogue.current(db).form("inquiry").field("topic")
    assert field is not None
    assert field.word("oil", "zh") == "机油"
    assert "oil" not in [choice.value for choice in field.choices]
    tickets.change(db, ticket, version=1, by="wangfang", now=NOW, fields={"topic": "oil", "first_contact": "1"})
    assert ticket.fields == {"topic": "oil", "first_contact": True}


def test_a_question_no_longer_asked_keeps_its_answer_and_its_words(db):
    known = knowledge.write(db, title="机油牌号", body="CI-4 15W-40", language="zh", by="chenjing", now=NOW)
    fields = {"topic": "use", "article": f"{known.id}"}
    ticket = tickets.open_ticket(db, "inquiry", subject="x", by="wangfang", now=NOW, fields=fields, zone=ZONE)
    text = catalogue.text_of(db, "inquiry")
    without = "\n".join(line for line in text.splitlines() if "name: article" not in line)
    catalogue.set_form(db, "inquiry", without, by="admin", now=NOW)
    held = catalogue.current(db)
    assert held.form("inquiry").field("article") is None
    former = held.field("inquiry", "article")
    assert former is not None
    assert former.zh == "知识库文章编号"
    tickets.change(db, ticket, version=1, by="wangfang", now=NOW, fields={"topic": "parts"})
    assert ticket.fields == {"topic": "parts", "article": known.id}


def test_a_new_stage_is_used_at_once(db):
    ticket = an_inquiry(db)
    line = "  - {code: expert, zh: 转专家, en: With an expert, responds: true}"
    text = catalogue.text_of(db, "inquiry").replace("  - {code: waiting", f"{line}\n  - {{code: waiting")
    catalogue.set_form(db, "inquiry", text, by="admin", now=NOW)
    tickets.move(db, ticket, "expert", by="wangfang", now=NOW + timedelta(minutes=5), zone=ZONE)
    assert (ticket.stage, ticket.responded_at) == ("expert", NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("letter: Q", "letter: QQ"), "letter"),
        (("dictionary: topic", "dictionary: nothing"), "dictionary"),
        (("state: closed", "state: open"), "closed"),
        (("code: asked", "code: other"), "asked"),
        (("shape: article", "shape: wheel"), "wheel"),
        (("calendar: office", "calendar: moon"), "moon"),
        (("response_min: 120", "response_min: -1"), "-1"),
        (("kind: inquiry", "kind: party"), "party"),
        (("fields:", "felder:"), "felder"),
        (("fields:", "fields: [{{{"), ""),
    ],
)
def test_a_form_that_cannot_be_is_refused_whole(db, change, why):
    text = catalogue.text_of(db, "inquiry").replace(*change)
    with pytest.raises(BadForm) as fault:
        catalogue.set_form(db, "inquiry", text, by="admin", now=NOW)
    assert why in str(fault.value)
    assert catalogue.current(db) is catalogue.SHIPPED


def test_a_clock_changed_is_promised_anew_for_what_is_open(db):
    ticket = an_inquiry(db)
    assert ticket.due_at == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    rule = {"response_min": "30", "solution_min": "60", "calendar": "always"}
    catalogue.set_rule(db, "inquiry", False, rule, by="admin", now=NOW)
    assert deadlines.tell_anew(db, ZONE, NOW) == 1
    db.expire_all()
    assert ticket.due_at == NOW + timedelta(hours=1)
    calendar.set_day(db, NOW.date(), False, "厂庆", by="admin", now=NOW)
    catalogue.set_rule(db, "inquiry", False, rule | {"calendar": "office"}, by="admin", now=NOW)
    deadlines.tell_anew(db, ZONE, NOW)
    db.expire_all()
    assert ticket.due_at == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)  # Tuesday 09:30: Monday is free


def test_the_clock_in_the_row_is_the_one_told_from_the_history(db):
    li = customers.create(db, "end_user", "李建国", NOW, phones=["13800138000"])
    engine = engines.create(db, "4D83-24K102938", "4D83", customer_id=li.id)
    ticket = tickets.open_ticket(
        db, "repair", subject="水温高", by="wangfang", now=NOW, customer_id=li.id, engine_id=engine.id,
        fields={"fault": "coolant_hot", "place": "中牟"}, zone=ZONE,
    )  # fmt: skip
    at = NOW
    for stage in ("sent", "waiting", "accepted", "waiting", "done", "accepted", "done"):
        at += timedelta(hours=5)
        tickets.move(db, ticket, stage, by="wangfang", now=at, zone=ZONE)
        clock = deadlines.of(db, ticket, at, ZONE)
        assert (ticket.due_at, ticket.responded_at, ticket.solved_at) == (
            clock.due,
            clock.responded_at,
            clock.solved_at,
        )
    assert ticket.solved_at == at


def test_an_administrator_changes_words_clocks_ladder_form_and_calendars_on_one_page(desk):
    admin = desk.client("admin")
    page = admin.get("/admin/tickets").text
    assert "Injector spray poor" in page
    assert "Chinese New Year" in page
    term = {"dictionary": "topic", "code": "oil", "zh": "机油<b>", "en": "Oil"}
    assert admin.post("/admin/tickets/terms", data=term).status_code == 303
    assert "机油&lt;b&gt;" in admin.get("/admin/tickets?dictionary=topic").text
    assert admin.post("/admin/tickets/terms", data=term | {"code": "a b"}).status_code == 422
    clock = {"kind": "inquiry", "urgent": "0", "response_min": "", "solution_min": "90", "calendar": "service"}
    assert admin.post("/admin/tickets/clocks", data=clock).status_code == 303
    rung = {"kind": "complaint", "level": "1", "owner": "zhaomin", "after_min": "30"}
    assert admin.post("/admin/tickets/ladder", data=rung).status_code == 303
    assert admin.post("/admin/tickets/ladder", data=rung | {"owner": "nobody"}).status_code == 422
    refused = admin.post("/admin/tickets/forms", data={"kind": "rescue", "text": "kind: rescue\nwheel: 1"})
    assert refused.status_code == 422
    assert "the form has no wheel" in refused.text
    week = {f"day{n}": "08:00-12:00" for n in range(6)} | {"name": "office", "day6": ""}
    assert admin.post("/admin/calendars/weeks", data=week).status_code == 303
    assert admin.post("/admin/calendars/weeks", data=week | {"day0": "25:00"}).status_code == 422
    day = {"day": "2026-12-12", "how": "worked", "title": "调休"}
    assert admin.post("/admin/calendars/days", data=day).status_code == 303
    with desk.database.read() as db:
        form = catalogue.current(db).form("inquiry")
        assert (form.normal.response_min, form.normal.solution_min, form.normal.calendar) == (None, 90, "service")
        assert catalogue.current(db).form("complaint").ladder[0].owner == "zhaomin"
        assert calendar.load(db, "office", ZONE).spans(date(2026, 12, 12)) == ((480, 720),)
    assert desk.client("zhaomin").get("/admin/tickets").status_code == 403


def test_a_supervisor_changes_a_station_and_who_is_on_duty(desk):
    with desk.database.write() as db:
        from ticketing import stations

        company = customers.create(
            db, "station", "郑州诚信特约维修站", now(), phones=["0371-66001234"], region="河南 郑州"
        )
        row = stations.create(db, company, "河南 郑州")
    lead, path = desk.client("zhaomin"), f"/stations/{row.id}"
    sent = {
        "area": "河南 郑州 开封",
        "skills": "4d，6d",
        "opens": "07:00-21:00",
        "crews": "3",
        "point": "34.75,113.63",
        "active": "1",
    }
    assert lead.post(path, data=sent).status_code == 303
    assert lead.post(path, data=sent | {"point": "91,0"}).status_code == 422
    duty = {"begins_at": "2026-11-23T08:00", "ends_at": "2099-11-23T20:00", "name": "张师傅", "phone": "13900001111"}
    assert lead.post(f"{path}/duties", data=duty).status_code == 303
    assert lead.post(f"{path}/duties", data=duty | {"ends_at": "2026-11-22T08:00"}).status_code == 422
    page = desk.client("wangfang").get("/stations").text
    assert "张师傅" in page
    with desk.database.read() as db:
        kept = db.scalars(select(Station)).one()
        assert (kept.skills, kept.crews, kept.latitude) == (["4D", "6D"], 3, 34.75)
    assert desk.client("wangfang").post(path, data=sent).status_code == 403
