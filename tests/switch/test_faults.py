"""Calls go on whatever breaks between the switch and us, and every one of them counts once, with its true times.

Our side is the process of production, ``callcenter cti``, on a link that can be broken; calls are real.
"""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from callcenter.database import now
from recordings import catalogue
from reports import nightly, reconcile
from tests.ours import Ours
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
RIGHT_WITHIN_S = 1.5  # after the link is up again


MINUTES_LATER = 2 * reconcile.WRITTEN_WITHIN
# A switch that is told nothing and tells on is missed as soon, if its events reach us at once (test_ami_link.py holds
# that); on a machine that is busy they do not, and it is asked three times.
NOTICED_S = {"frozen": 7.0, "deaf": 7.0, "dumb": 21.0}


@pytest.fixture
def ours() -> Iterator[Ours]:
    with Ours.at_work() as here:
        yield here


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
            ours.missed_within(NOTICED_S[fault], f"the link that is {fault} is noticed")
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


def test_a_recording_that_cannot_be_written_on_is_cut_and_its_length_tells(ours):
    """As on a full disk: the switch talks on and says nothing over AMI. Its files may grow to 64 kB here."""
    settings = ours.switch.settings
    ours.switch.process.stop()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, usual[1]))  # whoever is started now has it, too
    try:
        ours.switch.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    wait_until(lambda: ours.watched() and ours.members(), 30, "the agents are back in the queue")
    with ExitStack() as people:
        people.enter_context(ours.switch.desk("1001", answer_ms=300))
        people.enter_context(ours.switch.caller(hold_s=8, number="13800000001"))
        wait_until(lambda: [call.state for call in ours.calls()] == ["ended"], 40, "the call lived on to its end")
    (call,) = ours.calls()
    assert call.outcome == "answered"
    with ours.database.write() as db:
        row = catalogue.register(db, settings.recordings, call.call_id, now(), tolerance_ms=1500, last_try=True)
    assert row.state == "truncated"
    assert 3000 < row.length_ms < row.expected_ms - 2000
    with ours.database.read() as db:
        account = nightly.of_day(db, settings, now().astimezone(settings.centre.zone).date(), now() + MINUTES_LATER)
    assert [(one.what, one.cause) for one in account.differences] == [("recording", reconcile.CUT)]


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
    boots = [call.call_id.split("-")[1] for call in ours.calls()]
    assert boots[0] == boots[1] != boots[2], "were the clock set back meanwhile, two calls could have one id"
    ours.whole()
