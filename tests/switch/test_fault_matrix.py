"""Faults of the switch and of ourselves that are none of the link: one after another on one switch, during calls."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from callcenter.database import now
from callcenter.facts import StatusChosen, SwitchFound
from callcenter.jobs import Job
from callcenter.ledger import LedgerRow
from config.people import User
from cti import wishes
from cti.projection import record
from tests.ours import Ours
from tests.waiting import wait_until

NOTICED_S = 7.0  # a switch that stands still
PIECE = "机" * 250  # 750 bytes


@pytest.fixture(scope="module")
def _standing() -> Iterator[Ours]:
    with Ours.at_work() as here:
        yield here


@pytest.fixture
def ours(_standing: Ours) -> Iterator[Ours]:
    """The same switch for all; before each test 王小明 (1001) and 李静 (1002) are free, after it the books agree."""
    with _standing.database.write() as db:
        for agent in ("1001", "1002"):
            record(db, [StatusChosen(at=now(), agent=agent, status="available", by=f"agent{agent}")], "desk")
    wait_until(lambda: _standing.watched() and _standing.members(), 20, "the agents are in the queue")
    wait_until(lambda: all(_standing.agent(one).state == "idle" for one in ("1001", "1002")), 10, "both are free")
    yield _standing
    _standing.whole()


def by_number(ours: Ours, ending: str):
    (call,) = [call for call in ours.calls() if call.caller_number.endswith(ending)]
    return call


def test_we_stand_still_are_replaced_and_come_back_beside_our_successor(ours, people):
    """A watchdog has started another while we slept; then both see, and act, and nothing counts twice."""
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.desk("1002", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=4, number="13800000011"))
    wait_until(lambda: ours.states() == ["talking"], 20, "one talks")
    ours.freeze()
    people.enter_context(ours.switch.caller(hold_s=1, number="13800000012"))  # comes and goes while nobody looks
    wait_until(lambda: len(ours.switch.channels()) >= 3, 10, "the second has come")
    wait_until(lambda: len(ours.switch.channels()) == 0, 20, "both have gone")
    connections = ours.proxy.connections
    ours.start(name="successor")
    ours.right_within(lambda: ours.states() == [] and len(ours.calls()) == 2, "the successor has the rows", connections)
    assert 1500 < by_number(ours, "11").talk_ms < 5000
    ours.thaw()
    people.enter_context(ours.switch.caller(hold_s=3, number="13800000013"))
    people.enter_context(ours.switch.caller(hold_s=1, number="13800000014"))
    wait_until(lambda: len(ours.calls()) == 4 and ours.states() == [], 20, "both calls are over")
    ours.kill("successor")
    with ours.database.read() as db:
        ends = db.scalars(select(LedgerRow.key).where(LedgerRow.type == "LegEnded")).all()
        assert len(ends) == len(set(ends))


def test_the_switch_drops_us_when_we_fall_behind_and_nothing_is_lost(ours, people):
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.desk("1002", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=40, number="13800000021"))
    wait_until(lambda: "talking" in ours.states(), 20, "one talks")
    ours.freeze()
    people.callback(ours.thaw)
    witness = ours.switch.witness()
    people.callback(witness.close)
    connections = ours.proxy.connections
    before = len(sessions(ours))
    for _ in range(900):  # 8 MB that we do not read; a part of it lies on the way
        witness.say("UserEvent", UserEvent="Flood", **{f"Piece{n}": PIECE for n in range(12)})
    people.enter_context(ours.switch.caller(hold_s=1, number="13800000022"))
    wait_until(lambda: len(ours.switch.channels()) >= 3, 10, "another has come")
    wait_until(lambda: len(ours.switch.channels()) <= 2, 20, "and gone")
    wait_until(lambda: len(sessions(ours)) < before, 10, "the switch has dropped us")
    ours.thaw()
    seen = lambda: ours.states() == ["talking"] and len(ours.calls()) >= 2  # noqa: E731
    ours.right_within(lambda: seen() and ours.watched(), "rows", connections)
    assert by_number(ours, "22").outcome in ("answered", "abandoned_queue", "abandoned_ringing")


def sessions(ours: Ours) -> list[str]:
    lines = ours.switch.process.cli("manager show connected").splitlines()
    return [line for line in lines if line.strip().startswith("callcenter")]


def test_the_switch_reloads_under_a_talk_and_restarts_gracefully_after_it(ours, people):
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.desk("1002", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=6, number="13800000031"))
    wait_until(lambda: ours.states() == ["talking"], 20, "one talks")
    for command in ("core reload", "queue reload all", "dialplan reload", "module unload app_chanspy.so"):
        ours.switch.process.cli(command)
    ours.switch.process.cli("module load app_chanspy.so")
    assert ours.states() == ["talking"]
    assert ours.members()
    founds = found(ours)
    ours.switch.process.cli("core stop gracefully")
    wait_until(lambda: ours.states() == [], 20, "the talk ends as it would have")
    assert by_number(ours, "31").outcome == "answered"
    assert by_number(ours, "31").talk_ms > 3500
    wait_until(lambda: ours.switch.process.pid is None, 10, "the switch has gone")
    ours.switch.start()  # as ``callcenter run`` does for one that ended
    wait_until(lambda: found(ours) == [*founds, True], 30, "the switch is back, and is known to have restarted")
    wait_until(ours.members, 10, "the agents are back in the queue")
    people.enter_context(ours.switch.caller(hold_s=2, number="13800000032"))
    wait_until(lambda: ours.calls()[-1].caller_number.endswith("32") and ours.states() == [], 20, "a call as ever")
    assert by_number(ours, "32").outcome == "answered"
    boots = [call.call_id.split("-")[1] for call in (by_number(ours, "31"), by_number(ours, "32"))]
    assert boots[0] != boots[1], "ids of two starts could be the same, were the clock set back in between"


def found(ours: Ours) -> list[bool]:
    """Each time the switch was found: whether it had restarted."""
    with ours.database.read() as db:
        rows = db.scalars(select(LedgerRow.payload).where(LedgerRow.type == SwitchFound.__name__))
        return [said["restarted"] for said in rows]


def test_a_switch_that_stands_still_is_missed_and_does_nothing_late(ours, people):
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.desk("1002", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=40, number="13800000041"))
    wait_until(lambda: ours.states() == ["talking"], 20, "one talks")
    pid = ours.switch.process.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        ours.missed_within(NOTICED_S, "the switch that stands still is missed")
        with ours.database.write() as db:
            zhao = db.scalars(select(User).where(User.extension == "1003")).one()
            wish = wishes.hang_up(db, by_number(ours, "41").call_id, zhao, now())
        void_after = wish.void_after
        assert void_after is not None
        wait_until(lambda: now() > void_after, 10, "赵海涛 no longer expects it")
    finally:
        os.kill(pid, signal.SIGCONT)
    ours.right_after(time.monotonic(), lambda: ours.watched() and ours.states() == ["talking"], "rows")
    wait_until(lambda: state_of(ours, wish) in ("void", "failed"), 5, f"it is {state_of(ours, wish)}, not given up")
    assert len(ours.switch.channels()) == 2


def state_of(ours: Ours, job: Job) -> str:
    with ours.database.read() as db:
        return db.get_one(Job, job.id).state
