"""The machine's clock is set back while people are on the telephone: for the switch and for us, by libfaketime."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from config import settings as settings_
from config import switch as switch_
from config.process import Process
from cti.rows import Spell
from tests.ours import Ours
from tests.switch.conftest import Switch
from tests.waiting import wait_until

BACK_S = 90


class Clock:
    """What those who run under it take for the time: the true one, or so many seconds later."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        assert found, "libfaketime is missing: apt-get install faketime"
        self._file = folder / "clock"
        self.set(0)
        self.env = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, later_s: int) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{later_s:+d}\n")
        fresh.chmod(0o644)
        fresh.replace(self._file)


class Clocked(Switch):
    """A switch under such a clock, and all that is started beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(self.home)
        self.clock.set(-2 * BACK_S)
        installed = switch_.find(self.settings)
        usr = self.home / "clocked" / "usr"
        for place, there in (("lib/asterisk/modules", installed.modules), ("share/asterisk", installed.data)):
            (usr / place).parent.mkdir(parents=True)
            (usr / place).symlink_to(there)
        binary = usr / "sbin" / "asterisk"
        binary.parent.mkdir()
        clock = " ".join(f"{name}={value}" for name, value in self.clock.env.items())
        binary.write_text(f'#!/bin/sh\nexec env {clock} {shlex.join(installed.argv)} "$@"\n')
        for folder in (binary, *binary.parents):
            if self.home in folder.parents:
                folder.chmod(0o755)
        self.env |= self.clock.env | {"CALLCENTER_SWITCH__ASTERISK": str(binary)}
        self.settings = settings_.load(environ=self.env)
        self.process = Process(self.settings)


@pytest.fixture
def ours() -> Iterator[Ours]:
    _forget_the_dead()
    with Ours.at_work(Clocked()) as here:
        yield here
    _forget_the_dead()


def _forget_the_dead() -> None:
    """What libfaketime shares under a process's number outlives a killed one, and stops the next of that number."""
    for path in Path("/dev/shm").glob("*faketime_*"):
        if not psutil.pid_exists(int(path.name.rpartition("_")[2])):
            path.unlink(missing_ok=True)


def test_the_clock_goes_back_while_two_talk_and_one_waits(ours, people):
    """Their time is lost, since the switch measures it by that clock; it is never below nothing, and its cause is told.

    All who come later are counted to the second.
    """
    ours.switch.clock.set(0)  # so it has been watched for minutes
    for agent, number in (("1001", "13800000051"), ("1002", "13800000052")):
        people.enter_context(ours.switch.desk(agent, answer_ms=300))
        people.enter_context(ours.switch.caller(hold_s=5, number=number))
    wait_until(lambda: ours.states() == ["talking", "talking"], 20, "two talk")
    people.enter_context(ours.switch.caller(hold_s=3, number="13800000053"))
    wait_until(lambda: ours.states() == ["talking", "talking", "waiting"], 10, "one waits")
    ours.switch.clock.set(-BACK_S)
    wait_until(lambda: not ours.states(), 20, "all are over")
    people.enter_context(ours.switch.caller(hold_s=4, number="13800000054"))
    wait_until(lambda: len(ours.calls()) == 4 and not ours.states(), 30, "a call as ever")
    account = ours.reconciled()
    ours.sound()
    told = {call.caller_number[-1]: call for call in ours.calls()}
    assert [told[number].outcome for number in "1234"] == ["answered", "answered", "abandoned_queue", "answered"]
    assert min(min(call.wait_ms, call.talk_ms) for call in told.values()) >= 0
    assert told["4"].talk_ms > 0
    assert 3500 < told["4"].wait_ms + told["4"].talk_ms < 6000
    assert told["4"].started_at < told["1"].started_at, "his clock is an earlier one"
    assert account.calls == 4
    assert {one.call_id for one in account.differences} == {told[number].call_id for number in "123"}
    assert all("its clock was set back from" in one.cause for one in account.differences), account.differences
    with ours.database.read() as db:
        spells = db.scalars(select(Spell).order_by(Spell.extension, Spell.started_at)).all()
    for one, two in pairwise(spells):
        assert one.extension != two.extension or one.started_at < two.started_at == one.ended_at
