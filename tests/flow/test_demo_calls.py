"""The demonstration's calls are facts like any others: they project, they add up, and they belong to its tickets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from callcenter.ledger import LedgerRow
from config.people import User
from config.settings import ServiceLevels, Settings
from cti.demo import CALLS, fill_calls
from cti.rows import Agent, Call, Offer, Segment, Spell
from reports import counts, periods, today
from tests.fresh import fresh
from ticketing import demo
from ticketing.rows import Ticket

LEVELS = ServiceLevels()

NOW = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)  # Monday, five past midnight in Shanghai: nobody is at work
SETTINGS = Settings()


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    database = fresh(tmp_path_factory.mktemp("calls") / "year.db")
    with database.write() as db:
        demo.fill(db, SETTINGS, NOW)
    assert fill_calls(database, SETTINGS, NOW) == CALLS
    yield database
    database.close()


@pytest.fixture
def db(year):
    with year.read() as db:
        yield db


def test_a_second_run_tells_nothing(year, db):
    before = db.scalar(select(func.count()).select_from(LedgerRow))
    assert fill_calls(year, SETTINGS, NOW) == 0
    assert db.scalar(select(func.count()).select_from(LedgerRow)) == before


def test_every_ticket_that_names_a_call_was_opened_while_somebody_talked(db):
    rows = db.execute(
        select(Ticket, Call).outerjoin(Call, Call.call_id == Ticket.call_id).where(Ticket.call_id.is_not(None))
    )
    logins = {user.extension: user.login for user in db.scalars(select(User))}
    told, in_talk, by_hand = 0, 0, 0
    for ticket, call in rows:
        assert call is not None
        assert call.outcome == "answered"
        assert call.customer_id == ticket.customer_id
        told += 1
        in_talk += call.answered_at <= ticket.opened_at <= call.ended_at
        by_hand += logins[call.agent] == ticket.opened_by
    assert told > 300
    assert in_talk > 0.95 * told
    assert by_hand > 0.95 * told


def test_every_call_has_ended_and_each_second_of_it_is_in_one_segment(db):
    states = db.scalars(select(Call.state).distinct()).all()
    assert states == ["ended"]
    assert set(db.scalars(select(Call.outcome).distinct())) >= {"answered", "abandoned_queue", "abandoned_menu"}
    segments = db.scalars(select(Segment).order_by(Segment.call_id, Segment.no)).all()
    for one, next_ in pairwise(segments):
        if one.call_id == next_.call_id:
            assert one.ended_at == next_.started_at


def test_nobody_talks_to_two_callers_and_spells_leave_no_gap(db):
    for extension in ("1001", "1002", "1003", "1004"):
        talks = db.scalars(
            select(Segment).where(Segment.agent == extension, Segment.kind == "talk").order_by(Segment.started_at)
        )
        for one, next_ in pairwise(talks):
            assert one.ended_at <= next_.started_at
        spells = db.scalars(select(Spell).where(Spell.extension == extension).order_by(Spell.started_at))
        for one, next_ in pairwise(spells):
            assert one.ended_at == next_.started_at
    assert {(agent.status, agent.state) for agent in db.scalars(select(Agent))} == {("offline", "idle")}
    assert set(db.scalars(select(Offer.outcome).distinct())) == {"answered", "missed", "cancelled"}


def test_the_figures_of_its_year_add_up(db):
    zone = SETTINGS.centre.zone
    first = NOW.astimezone(zone).date() - timedelta(days=demo.DAYS)
    days = [periods.day(first + timedelta(days=no), zone) for no in range(demo.DAYS + 1)]
    whole = periods.Period(days[0].start, days[-1].end)

    rules = counts.rules(db, LEVELS)

    def numbers(period):
        (found,) = counts.tallies(db, zone, NOW, period, [period])
        told = {
            figure.name: figure.value for figure in counts.told(counts.sums(found, rules, LEVELS), found, rules, LEVELS)
        }
        return [told[name] or 0 for name in ("offered", "answered", "abandoned", "flow_outs", "waiting")]

    offered, answered, abandoned, flow_outs, waiting = numbers(whole)
    assert offered == answered + abandoned + flow_outs + waiting
    assert [sum(day) for day in zip(*map(numbers, days), strict=True)] == numbers(whole)
    joined = db.scalar(select(func.count()).where(Call.joined_at.is_not(None)))
    assert offered == joined
    (found,) = counts.tallies(db, zone, NOW, whole, [whole])
    told = counts.told(counts.sums(found, rules, LEVELS), found, rules, LEVELS, only=["service_level"])
    level = told[0].value
    assert level is not None
    assert 0.7 < level < 0.98
    assert {figure.name: figure.value for figure in today.today(db, zone, NOW, LEVELS)}[
        "offered"
    ] == 0  # the day is the newcomer's
