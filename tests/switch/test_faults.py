"""Calls go on whatever breaks between the switch and us, and every one of them counts once, with its true times.

Our side is the process of production, ``callcenter cti``, on a link that can be broken; calls are real.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from callcenter.database import now
from callcenter.events import StatusChosen
from config import queues
from cti.projection import record
from cti.rows import Agent, Call, Leg, Offer, Segment, SwitchRow
from recordings import catalogue
from reports import nightly, reconcile
from tests.fault_proxy import FaultProxy
from tests.switch.conftest import Switch
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
RIGHT_WITHIN_S = 1.5  # after the link is up again


class Ours:
    """``callcenter cti`` at a switch of its own, through a proxy; killed and started at will."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.switch.start()
        self.proxy = FaultProxy(("127.0.0.1", self.switch.settings.switch.ami_port))
        self.database = self.switch.database
        self.process: subprocess.Popen[bytes] | None = None
        self.output = self.switch.home / "cti-output.txt"
        with self.database.write() as db:
            for extension in ("1001", "1002"):
                queues.set_member(db, "inquiry", extension)
                chosen = StatusChosen(at=now(), agent=extension, status="available", by=f"agent{extension}")
                record(db, [chosen], "desk")

    def start(self) -> None:
        ours = self.switch.env | {"CALLCENTER_SWITCH__AMI_PORT": str(self.proxy.port)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callcenter", "cti"], cwd=ROOT, env=kept | ours, stdout=out, stderr=out
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.proxy.__exit__(None, None, None)
        self.switch.clear()

    # --- looking --------------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        with self.database.read() as db:
            return list(db.scalars(select(Call).order_by(Call.started_at)))

    def states(self) -> list[str]:
        return sorted(call.state for call in self.calls() if call.state != "ended")

    def agent(self, extension: str) -> Agent:
        with self.database.read() as db:
            return db.get_one(Agent, extension)

    def watched(self) -> bool:
        with self.database.read() as db:
            row = db.get(SwitchRow, "tel")
            return row is not None and row.connected

    def members(self) -> bool:
        said = self.switch.process.cli("queue show inquiry")
        return "PJSIP/1001" in said and "PJSIP/1002" in said

    def right_within(self, holds: Callable[[], object], what: str, connections: int) -> float:
        """Wait for the next connection, then for the rows; seconds between the two."""
        wait_until(lambda: self.proxy.connections > connections, 20, "we are connected again")
        wait_until(holds, 10, f"{what}; it is {self.states()}")
        took_s = time.monotonic() - self.proxy.connected_at
        assert took_s < RIGHT_WITHIN_S, f"{what}: only after {took_s:.2f} s"
        return took_s

    def reconciled(self) -> reconcile.Account:
        """The day as it is once everything is over, recordings aside: nobody joins them here."""
        self.switch.process.cli("channel request hangup all")  # a killed caller says no goodbye
        wait_until(lambda: not self.switch.channels(), 20, "every caller is gone")
        wait_until(lambda: self.states() == [], 10, f"every call is over; {self.states()}")
        with self.database.read() as db:
            local = now().astimezone(self.switch.settings.centre.zone).date()
            return nightly.of_day(db, self.switch.settings, local, now() + reconcile.FRESH * 2)

    def whole(self) -> None:
        """Nothing lost, nothing doubled, every call with one end and its time without gaps."""
        account = self.reconciled()
        assert account.differences == []
        with self.database.read() as db:
            for call in db.scalars(select(Call)):
                assert call.outcome
                parts = db.scalars(select(Segment).where(Segment.call_id == call.call_id).order_by(Segment.no)).all()
                assert parts[0].started_at == call.started_at
                assert all(one.ended_at == two.started_at for one, two in pairwise(parts))
            assert not db.scalars(select(Leg.leg_id).where(Leg.ended_at.is_(None))).all()
            assert not db.scalars(select(Offer.leg_id).where(Offer.ended_at.is_(None))).all()


@pytest.fixture
def ours() -> Iterator[Ours]:
    here = Ours()
    try:
        here.start()
        wait_until(here.watched, 40, "the switch is watched")
        wait_until(here.members, 15, "the agents are in the queue")
        yield here
    finally:
        here.close()


def _past(moment: float) -> bool:
    return time.monotonic() > moment


def test_we_are_killed_while_calls_wait_ring_and_talk(ours, people):
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.desk("1002", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=4, number="13800000001"))  # ends while we are away
    people.enter_context(ours.switch.caller(hold_s=40, number="13800000002"))  # talks on
    wait_until(lambda: ours.states() == ["talking", "talking"], 20, "two talk")
    people.enter_context(ours.switch.caller(hold_s=3, number="13800000003"))  # waits, and leaves while we are away
    people.enter_context(ours.switch.caller(hold_s=40, number="13800000004"))  # waits on
    wait_until(lambda: len(ours.states()) == 4, 10, "two wait")
    ours.kill()
    people.enter_context(ours.switch.caller(hold_s=1, number="13800000005"))  # comes and goes unseen
    people.enter_context(ours.switch.caller(hold_s=40, number="13800000006"))  # comes unseen and stays
    wait_until(lambda: len(ours.switch.channels()) in (4, 5), 20, "three have left")
    connections = ours.proxy.connections
    ours.start()
    stay = (["talking", "waiting", "waiting"], ["talking", "talking", "waiting"])
    ours.right_within(lambda: ours.states() in stay, "rows", connections)
    by_number = {call.caller_number[-1]: call for call in ours.calls()}
    assert len(by_number) == len(ours.calls()) == 6
    assert by_number["1"].outcome == "answered"
    assert 1500 < by_number["1"].talk_ms < 5000  # its true end, not our return
    assert by_number["3"].outcome == "abandoned_queue"
    assert 1000 < by_number["3"].wait_ms < 4500
    assert by_number["5"].outcome == "abandoned_queue"
    people.close()
    ours.whole()


@pytest.mark.parametrize("fault", ["cut", "frozen", "deaf", "dumb"])
def test_the_link_breaks_while_calls_go_on(ours, fault):
    with ExitStack() as people:
        people.enter_context(ours.switch.desk("1001", answer_ms=300))
        people.enter_context(ours.switch.caller(hold_s=4, number="13800000001"))
        wait_until(lambda: "talking" in ours.states(), 20, "one talks")
        people.enter_context(ours.switch.caller(hold_s=60, number="13800000002"))
        wait_until(lambda: len(ours.states()) == 2, 20, "one waits")
        connections = ours.proxy.connections
        if fault == "cut":
            ours.proxy.refusing = True
            ours.proxy.cut()
        else:
            setattr(ours.proxy, fault, True)
        people.enter_context(ours.switch.caller(hold_s=1, number="13800000003"))  # comes and goes unseen
        wait_until(lambda: len(ours.switch.channels()) <= 2, 20, "two have left")
        if fault != "cut":
            wait_until(lambda: not ours.watched(), 25, "the dead link is noticed")
        ours.proxy.refusing = ours.proxy.frozen = ours.proxy.deaf = ours.proxy.dumb = False
        before = max(connections, ours.proxy.connections - 1)
        ours.right_within(lambda: len(ours.states()) == 1 and ours.watched(), "rows", before)
        by_number = {call.caller_number[-1]: call for call in ours.calls()}
        assert by_number["1"].outcome == "answered"
        assert 1500 < by_number["1"].talk_ms < 5000
        assert by_number["3"].outcome == "abandoned_queue"
    ours.whole()


def test_single_bytes_and_delays_tell_the_same(ours):
    ours.proxy.split = True
    with ExitStack() as people:
        people.enter_context(ours.switch.desk("1001", answer_ms=300))
        people.enter_context(ours.switch.caller(hold_s=3, number="13800000001"))
        wait_until(lambda: "talking" in ours.states(), 20, "one talks")
        ours.proxy.split, ours.proxy.delay_s = False, 0.2
        people.enter_context(ours.switch.caller(hold_s=2, number="13800000002"))
        wait_until(lambda: len(ours.calls()) == 2 and not ours.states(), 20, "both are over")
    ours.whole()


def test_we_are_killed_again_and_again_at_any_moment(ours):
    """Ten deaths at moments nobody chose, while calls come, ring, are answered and end."""
    luck = random.Random(20261122)
    with ExitStack() as people:
        people.enter_context(ours.switch.desk("1001", answer_ms=300))
        people.enter_context(ours.switch.desk("1002", answer_ms=900))
        for number in range(4):
            more = {"calls": 6, "per_s": 0.5, "number": f"1380000000{number}", "host": "127.0.0.2"}
            people.enter_context(ours.switch.caller(hold_s=2 + 1.7 * number, **more))
        for _ in range(10):
            moment = time.monotonic() + luck.uniform(0.05, 1.2)
            wait_until(partial(_past, moment), 5)
            ours.kill()
            ours.start()
            wait_until(ours.watched, 20, "the switch is watched")
        wait_until(lambda: not ours.switch.channels(), 60, "every caller is gone")
    ours.whole()
    assert len(ours.calls()) == 24


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give Asterisk a small disk")
def test_a_full_disk_cuts_a_recording_and_its_length_tells(ours):
    settings = ours.switch.settings
    folder = settings.recordings
    status = folder.stat()
    give = f"size=200k,mode=0777,uid={status.st_uid},gid={status.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", give, "tmpfs", str(folder)], check=True)
    try:
        with ExitStack() as people:
            people.enter_context(ours.switch.desk("1001", answer_ms=300))
            people.enter_context(ours.switch.caller(hold_s=14, number="13800000001"))
            wait_until(lambda: [call.state for call in ours.calls()] == ["ended"], 40, "the call lived on to its end")
        (call,) = ours.calls()
        assert call.outcome == "answered"
        subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)  # somebody has made room
        with ours.database.write() as db:
            row = catalogue.register(db, folder, call.call_id, now(), tolerance_ms=1500, last_try=True)
        assert row.state == "truncated"
        assert row.length_ms < row.expected_ms - 3000
        later = now() + 2 * reconcile.WRITTEN_WITHIN
        with ours.database.read() as db:
            account = nightly.of_day(db, settings, now().astimezone(settings.centre.zone).date(), later)
        assert [(one.what, one.cause) for one in account.differences] == [("recording", "cut short: a full disk?")]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_the_switch_dies_with_all_its_calls_and_comes_back(ours, people):
    people.enter_context(ours.switch.desk("1001", answer_ms=300))
    people.enter_context(ours.switch.caller(hold_s=60, number="13800000001"))
    people.enter_context(ours.switch.caller(hold_s=60, number="13800000002"))
    wait_until(lambda: "talking" in ours.states() and len(ours.states()) == 2, 20, "one talks, one waits")
    pid = ours.switch.process.pid
    assert pid
    connections = ours.proxy.connections
    os.kill(pid, 9)
    wait_until(lambda: not ours.watched(), 10, "it is missed")
    ours.switch.start()
    wait_until(lambda: ours.states() == [] and ours.watched(), 30, "its calls are over")
    assert ours.proxy.connections > connections
    assert sorted(call.outcome for call in ours.calls()) == ["answered", "lost"]
    assert ours.agent("1001").legs == {}
    people.close()
    people.enter_context(ours.switch.caller(hold_s=2, number="13800000003"))
    wait_until(lambda: len(ours.calls()) == 3 and not ours.states(), 30, "a call as ever")
    ours.whole()
