"""The demonstration year: complete, the same each time, and told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from config import people
from config.settings import Settings
from tests.fresh import fresh
from ticketing import customers, demo, engines, tickets, warranty
from ticketing.knowledge_rows import Article
from ticketing.part_rows import Part
from ticketing.rows import Customer, Engine, Phone, Ticket, TicketKind, TicketSeries

NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)


def count(db, row):
    return db.scalar(select(func.count()).select_from(row))


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    database = fresh(tmp_path_factory.mktemp("year") / "year.db")
    with database.write() as db:
        logins = demo.fill(db, Settings(), NOW)
    yield database, logins
    database.close()


def test_it_fills_once_and_the_log_ins_work(year):
    database, logins = year
    assert list(logins)[:4] == ["wangfang", "lina", "liuyang", "ann"]
    assert people.authenticate(database, "wangfang", logins["wangfang"], "127.0.0.1", NOW).name == "王芳"
    with database.write() as db:
        before = [count(db, row) for row in (Customer, Ticket, Article, Part)]
        assert demo.fill(db, Settings(), NOW) == {}
        assert [count(db, row) for row in (Customer, Ticket, Article, Part)] == before


def test_it_has_what_the_pages_must_be_able_to_show(year):
    database, _ = year
    with database.read() as db:
        [(li, level)] = customers.by_number(db, "+8613800138000")
        assert (li.name, li.kind, li.region, level) == ("李建国", "end_user", "河南 郑州", "known")
        covers = [warranty.warranty(engine, NOW.date(), warranty.rules(db)).state for engine in li.engines]
        assert covers == ["in", "out"]
        assert engines.find(db, "102938")[0].customer_id == li.id
        assert "parts" in [row.stage for row in tickets.history(db, customer_id=li.id)]
        assert len(customers.by_number(db, "+8637166001234")) == 3
        assert db.scalar(select(func.max(func.length(Customer.name)))) >= 60
        owned = db.execute(select(func.count()).select_from(Engine).group_by(Engine.customer_id)).scalars()
        assert max(owned) == 40
        assert db.scalar(select(func.count()).where(Phone.number.not_like("+%"))) == 0
        ends = db.scalars(select(Engine.serial_end)).all()
        assert all(end.isdigit() for end in ends)  # what a caller can key in
        assert len(set(ends)) == len(ends)
        kinds = {kind for (kind,) in db.execute(select(Ticket.kind).distinct())}
        assert kinds == {kind.value for kind in TicketKind}


def test_its_tickets_are_a_year_in_order_some_of_them_open_and_late(year):
    database, _ = year
    with database.read() as db:
        rows = db.scalars(select(Ticket).order_by(Ticket.id)).all()
        assert [row.opened_at for row in rows] == sorted(row.opened_at for row in rows)
        assert rows[0].opened_at > NOW - timedelta(days=366)
        assert all(entry.at <= NOW for row in rows[-60:] for entry in row.entries)
        still = [row for row in rows if row.state != "closed"]
        assert 15 <= len(still) <= 60
        assert any(row.due_at < NOW for row in still)
        assert any(row.due_at > NOW for row in still)
        calls = [row.call_id for row in rows if row.call_id]
        assert len(set(calls)) == len(calls)
        assert db.scalar(select(func.sum(TicketSeries.last))) == len(rows)


def test_two_runs_tell_the_same_year(year, database):
    with database.write() as db:
        demo.fill(db, Settings(), NOW)
    told = []
    for one in (year[0], database):
        with one.read() as db:
            told.append(db.execute(select(Ticket.number, Ticket.subject, Ticket.call_id, Ticket.due_at)).all())
    assert told[0] == told[1]
