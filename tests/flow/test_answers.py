"""What a ticket's answers write into other records: the meter's reading into the engine's file, the article used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callcenter.database import now
from ticketing import customers, engines, knowledge, readings, tickets
from ticketing.kinds import TicketIncomplete
from ticketing.rows import Engine, Ticket

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
FAULT = {"fault": "coolant_hot", "place": "郑州东站工地"}


@pytest.fixture
def db(database):
    with database.write() as session:
        yield session


@pytest.fixture
def engine(db) -> Engine:
    owner = customers.create(db, "end_user", "李建国", NOW, phones=["13800138001"])
    engine = engines.create(db, "4D8325K102938", "4D83", customer_id=owner.id)
    readings.add(db, engine, NOW.date() - timedelta(days=30), hours=3000, by="lina", now=NOW, today=NOW.date())
    return engine


def reported(db, engine: Engine, **fields: object) -> Ticket:
    return tickets.open_ticket(
        db,
        "repair",
        subject="水温高",
        by="wangfang",
        now=NOW,
        customer_id=engine.customer_id,
        engine_id=engine.id,
        fields=FAULT | fields,
    )


def shown(db, engine: Engine) -> list[tuple[int | None, str]]:
    return [(one.hours, one.source) for one in readings.history(db, engine.id)]


def test_the_hours_said_with_a_repair_are_a_reading_of_the_engine(db, engine):
    reported(db, engine, hours="3210")
    assert (shown(db, engine), engine.hours) == ([(3000, "agent"), (3210, "ticket")], 3210)


def test_hours_that_cannot_be_are_refused_with_the_reason_beside_their_field(db, engine):
    with pytest.raises(TicketIncomplete) as refused:
        reported(db, engine, hours="2500")
    assert "3,000 h" in refused.value.faults["hours"].en


def test_a_corrected_value_takes_the_place_of_the_one_before_on_the_same_day(db, engine):
    ticket = reported(db, engine, hours="3300")
    later = NOW + timedelta(days=3)
    tickets.change(db, ticket, version=1, by="lina", now=later, fields={"hours": "3100"})
    assert (shown(db, engine), engine.hours, engine.hours_on) == ([(3000, "agent"), (3100, "ticket")], 3100, NOW.date())
    tickets.change(db, ticket, version=ticket.version, by="lina", now=later, fields={"hours": ""})
    assert (shown(db, engine), engine.hours) == ([(3000, "agent")], 3000)


def test_the_reading_goes_along_when_it_was_another_engine(db, engine):
    ticket = reported(db, engine, hours="3300")
    other = engines.create(db, "4D8325K200001", "4D83", customer_id=engine.customer_id)
    tickets.change(db, ticket, version=1, by="lina", now=NOW, engine_id=other.id)
    assert (shown(db, engine), shown(db, other)) == ([(3000, "agent")], [(3300, "ticket")])


def test_the_article_an_inquiry_names_is_counted_and_another_takes_its_place(db):
    first, second = (
        knowledge.write(db, title=title, body="先看水位", language="zh", by="chenjing", now=NOW)
        for title in ("水温高", "机油压力低")
    )
    fields = {"topic": "warranty", "article": f"{first.id}", "first_contact": "1"}
    ticket = tickets.open_ticket(db, "inquiry", subject="水温", by="wangfang", now=NOW, fields=fields)
    assert [article.title for article, _use in knowledge.used_for(db, ticket_id=ticket.id, call_id=None)] == ["水温高"]
    tickets.change(db, ticket, version=1, by="lina", now=NOW, fields={"article": f"{second.id}"})
    assert knowledge.counts(db, [first.id, second.id]) == {second.id: 1}
    with pytest.raises(TicketIncomplete) as refused:
        tickets.change(db, ticket, version=ticket.version, by="lina", now=NOW, fields={"article": "4711"})
    assert set(refused.value.faults) == {"article"}


def test_what_was_refused_leaves_nothing_behind_over_the_page(desk):
    with desk.database.write() as session:
        owner = customers.create(session, "end_user", "李建国", now(), phones=["13800138001"])
        engine = engines.create(session, "4D8325K102938", "4D83", customer_id=owner.id)
        readings.add(session, engine, now().date(), hours=3000, by="lina", now=now(), today=now().date())
        ticket = reported(session, engine)
    sent = {"version": "1", "subject": "水温高", "owner": "wangfang"}
    sent |= {f"field.{name}": value for name, value in FAULT.items()} | {"field.hours": "2500"}
    said = desk.client("wangfang").post(f"/tickets/{ticket.id}", data=sent)
    assert said.status_code == 422
    assert "3,000 h" in said.text
    with desk.database.read() as session:
        kept = session.get_one(Ticket, ticket.id)
        assert (kept.version, "hours" in kept.fields) == (1, False)
