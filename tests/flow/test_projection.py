"""Facts become rows in a database: in batches of any size, once each, and again from the ledger alone."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from callcenter.database import Database
from callcenter.events import Event, Fact
from callcenter.facts import CustomerBound, PhoneSeen
from callcenter.jobs import Job
from callcenter.ledger import LedgerRow
from callcenter.nudges import AgentChanged, CallChanged
from cti.projection import rebuild, recognise, record
from cti.rows import Agent, Call, Leg, Offer, Segment, Spell
from tests.dumps import dump
from tests.facts import CALL, NINE, Told, answered_call
from ticketing import customers

CONSULT = "tel-1795395700.5"


def keep(database: Database, facts: list[Fact], batch: int = 1000) -> list[Event]:
    told = []
    for start in range(0, len(facts), batch):
        with database.write() as db:
            told += record(db, recognise(db, facts[start : start + batch]), "ami")
    return told


def busy_hour(calls: int = 12) -> list[Fact]:
    """Several calls at once for three agents, mixed as a switch mixes them."""
    agents = ("1001", "1002", "1003")
    facts = [fact for agent in (*agents, "1009") for fact in Told().chooses(agent, "available").facts]
    for number in range(calls):
        at = NINE + timedelta(seconds=37 * number)
        agent = agents[number % 3]
        said = answered_call(f"tel-{1795395600 + number}.{number}", agent, at)
        if number % 4 == 3:
            said = Told(f"tel-{1795395600 + number}.{number}", at=at).arrives().joins().abandons().ends()
        else:
            said.wraps_up(agent)
        facts += said.facts
    return sorted(facts, key=lambda fact: fact.at)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_rows_do_not_depend_on_the_size_of_the_batches_and_are_rebuilt_identically(database, batch):
    facts = busy_hour()
    keep(database, facts, batch)
    rows = dump(database)
    assert len(rows["calls"]) == 12
    with database.read() as db:
        outcomes = sorted(db.scalars(select(Call.outcome)))
        assert outcomes == ["abandoned_queue"] * 3 + ["answered"] * 9
        assert set(db.scalars(select(Offer.outcome))) == {"answered", "missed"}
    counts = rebuild(database)
    assert dump(database) == rows
    assert counts == {name: len(found) for name, found in rows.items()}
    if batch == 1000:
        keep(database, facts, 3)  # told again: nothing is new
        assert dump(database) == rows


def test_facts_told_twice_and_late_count_once(database):
    facts = busy_hour()
    doubled = facts + random.Random(1).sample(facts, len(facts) // 2)
    told = keep(database, doubled, 5)
    assert len([event for event in told if isinstance(event, Fact)]) == len(facts)
    with database.read() as db:
        assert len(db.scalars(select(LedgerRow.seq)).all()) == len(facts)
        assert len(db.scalars(select(Call.call_id)).all()) == 12


def test_after_a_batch_each_call_and_agent_is_told_once_with_the_stamp_of_its_last_fact(database):
    said = Told().arrives().joins().rings("1001", f"{CALL}-2")
    told = keep(database, said.facts)
    calls = [event for event in told if isinstance(event, CallChanged)]
    assert calls == [CallChanged(call_id=CALL, state="ringing", queue="repair", agent="1001", at=said.at)]
    agents = [event for event in told if isinstance(event, AgentChanged)]
    assert agents == [AgentChanged(agent="1001", status="offline", state="ringing", call_id=CALL)]


def test_a_recorded_call_that_ends_leaves_a_job_once(database):
    keep(database, answered_call().facts)
    keep(database, answered_call().facts)
    rebuild(database)
    with database.read() as db:
        (job,) = db.scalars(select(Job))
        assert (job.kind, job.payload, job.key) == ("recording", {"call_id": CALL}, f"recording:{CALL}")


def test_a_caller_is_recognised_by_the_one_customer_who_has_his_number(database):
    with database.write() as db:
        longhai = customers.create(db, "dealer", "龙海工程机械有限公司", NINE, phones=["13800138000"])
    keep(database, Told().arrives().facts)
    with database.read() as db:
        assert db.get_one(Call, CALL).customer_id == longhai.id
    with database.write() as db:  # another one takes the number over; the ledger says whose it was
        customers.create(db, "end_user", "王小明", NINE, phones=["13800138000"])
    rebuild(database)
    with database.read() as db:
        assert db.get_one(Call, CALL).customer_id == longhai.id


def test_of_two_customers_with_one_number_nobody_is_guessed(database):
    with database.write() as db:
        customers.create(db, "dealer", "龙海工程机械有限公司", NINE, phones=["13800138000"])
        customers.create(db, "end_user", "王小明", NINE, phones=["13800138000"])
    told = keep(database, Told().arrives().facts)
    assert not [event for event in told if isinstance(event, CustomerBound)]


def test_a_phone_seen_as_it_was_is_no_news(database):
    def seen(second: int, reachable: bool) -> PhoneSeen:
        return PhoneSeen(at=NINE + timedelta(seconds=second), agent="1001", reachable=reachable)

    told = keep(database, [seen(0, False), seen(1, True), seen(2, True), seen(3, False), seen(4, True)])
    assert [event.at.second for event in told if isinstance(event, PhoneSeen)] == [1, 3, 4]
    assert [event for event in keep(database, [seen(5, True)]) if isinstance(event, Fact)] == []


@pytest.mark.parametrize("batch", [1, 1000])
def test_an_attended_transfer_moves_the_colleagues_leg_to_the_callers_call(database, batch):
    b, c, d = f"{CALL}-2", CONSULT, f"{CONSULT}-2"
    said = Told().chooses("1001", "available").arrives().joins().rings("1001", b).answers("1001", b).holds(b)
    consult = Told(CONSULT, at=said.at).leg(c, 2, "PJSIP/1001-0000000c", did="1002", agent="1001")
    consult.leg(d, 0.01, "PJSIP/1002-0000000d", agent="1002").enters(c, "b-2", 5).enters(d, "b-2")
    said.at = consult.at
    said.transfers(b, "attended", "1002", 10).parts(d, "b-2").enters(d, "b-1")  # now told with the caller's Linkedid
    said.parts(b).ends(b)
    consult.at = said.at
    consult.parts(c, "b-2").ends(c)
    said.at = consult.at
    said.ends(d, 60).ends()
    facts = sorted([*said.facts, *consult.facts], key=lambda fact: fact.at)
    keep(database, facts, batch)
    with database.read() as db:
        call, other = db.get_one(Call, CALL), db.get_one(Call, CONSULT)
        assert (call.outcome, call.agent, call.transfers, call.direction) == ("answered", "1002", 1, "in")
        assert (other.outcome, other.direction, other.agent) == ("answered", "internal", "1002")
        assert other.ended_at is not None
        assert other.ended_at < call.ended_at
        assert db.get_one(Leg, d).call_id == CALL
        talks = db.scalars(select(Segment).where(Segment.call_id == CALL, Segment.kind == "talk").order_by(Segment.no))
        assert [segment.agent for segment in talks] == ["1001", "1002"]
        first, second = (db.get_one(Agent, extension) for extension in ("1001", "1002"))
        assert (first.state, first.call_id) == ("wrap_up", CALL)
        assert (second.state, second.legs) == ("wrap_up", {})
    rows = dump(database)
    rebuild(database)
    assert dump(database) == rows


def test_the_desk_finishes_a_wrap_up_and_the_spell_ends_there(database):
    facts = answered_call().facts
    keep(database, facts)
    at = facts[-1].at
    with database.write() as db:
        finished = dataclasses.replace(Told(at=at).wraps_up("1001", 30).facts[0])
        record(db, [finished], "desk")
    with database.read() as db:
        spells = list(db.scalars(select(Spell).where(Spell.extension == "1001").order_by(Spell.started_at)))
        assert [spell.state for spell in spells] == ["ringing", "talking", "wrap_up", "idle"]
        assert spells[2].ended_at == spells[3].started_at == at + timedelta(seconds=30)
        assert spells[3].ended_at is None
