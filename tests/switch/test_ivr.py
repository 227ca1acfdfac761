"""Real callers with real keys on a real switch, led by the IVR as it is started in production: ``callcenter ivr``."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from callcenter.database import migrations
from ivr import prompts
from ivr.flow import SHIPPED
from tests.chromium import loudness_db
from tests.sipp import tone
from tests.switch.conftest import Switch
from tests.telephone import Telephone, linear, loudness
from tests.waiting import wait_until
from tests.witness import Witness

ROOT = Path(__file__).parents[2]
AHEAD_HZ = 1900


class Ivr:
    """The IVR as a process of its own."""

    def __init__(self, switch: Switch) -> None:
        settings = switch.settings
        self._port = settings.ivr.port
        self._frozen = False
        self._log = settings.home / "ivr-output.txt"
        env = os.environ | {"CALLCENTER_HOME": str(settings.home), "CALLCENTER_IVR__PORT": str(self._port)}
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callcenter", "ivr"], cwd=ROOT, env=env, stdout=out, stderr=out
            )
        wait_until(self._listens, 30, f"the IVR listens: {self._log.read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    @property
    def well(self) -> bool:
        return self.process.poll() is None and not self._frozen

    def freeze(self) -> None:
        self._frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """As a person stops it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(15)

    def log(self) -> str:
        return self._log.read_text()

    def _listens(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _lay_out(home: Path) -> None:
    """The shipped flow under the name the number has, less patient; what takes long to say is recorded as a tone."""
    (home / "flows").mkdir()
    flow = (SHIPPED / "service.yaml").read_text(encoding="utf-8").replace("name: service", "name: main", 1)
    (home / "flows/main.yaml").write_text(flow.replace("wait_s: 5", "wait_s: 2"), encoding="utf-8")
    custom = home / "sounds/custom/zh"
    custom.mkdir(parents=True)
    for name, hz in (("main-menu", 700), ("main-menu-again", 700), ("greeting", 900), ("ahead-1", AHEAD_HZ)):
        with wave.open(str(custom / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(array("h", linear(tone(hz, seconds=1))).tobytes())


@pytest.fixture(scope="module")
def centre() -> Iterator[Switch]:
    """A switch of its own, whose prompts are spoken."""
    switch = Switch()
    try:
        _lay_out(switch.home)
        assert prompts.make(switch.settings).problems == []
        command.stamp(migrations(switch.settings.database_url), "head")
        switch.start()
        yield switch
        assert switch.complaints() == []
    finally:
        switch.clear()


@pytest.fixture
def switch(centre: Switch) -> Iterator[Switch]:
    yield centre
    centre.process.cli("channel request hangup all")
    wait_until(lambda: not centre.channels(), 10, "every channel is gone after the test")


@pytest.fixture(scope="module")
def _standing() -> Iterator[list[Ivr]]:
    """The IVR that runs from test to test."""
    standing: list[Ivr] = []
    yield standing
    for ivr in standing:
        ivr.stop()


@pytest.fixture
def ivr(centre: Switch, _standing: list[Ivr]) -> Ivr:
    """A running IVR, the last test's if that left it well."""
    for ended in [ivr for ivr in _standing if not ivr.well]:
        ended.stop()
        _standing.remove(ended)
    if not _standing:
        _standing.append(Ivr(centre))
    return _standing[0]


@pytest.fixture
def witness(switch: Switch) -> Iterator[Witness]:
    witness = switch.witness()
    yield witness
    witness.close()


@pytest.fixture
def telephone(switch: Switch, people: ExitStack) -> Callable[..., Telephone]:
    """Place a call by a telephone with keys; it is hung up when the test is over."""
    numbers = count()

    def call(**more: Any) -> Telephone:
        folder = switch.home / f"telephone-{next(numbers)}-{time.monotonic_ns()}"
        return people.enter_context(Telephone(folder, switch.sip, "4008", **more))

    return call


def steps(witness: Witness) -> list[tuple[str, str]]:
    return [(event["Step"], event["Heard"]) for event in witness.heard("UserEvent", UserEvent="IvrStep")]


def step(witness: Witness, name: str) -> None:
    """Wait until the caller has been through a step."""
    witness.wait_for("UserEvent", 25, UserEvent="IvrStep", Step=name)


def test_a_caller_presses_3_and_lands_in_repair(ivr, witness, telephone):
    caller = telephone()
    wait_until(caller.hears_sound, what="the greeting is heard")
    caller.press("3")
    step(witness, "menu")
    wait_until(caller.hears_sound, what="the question for the engine number is heard")
    caller.press("654321#")
    done = witness.wait_for("UserEvent", 30, UserEvent="IvrDone")
    joined = witness.wait_for("QueueCallerJoin")
    assert joined["Queue"] == "repair"
    assert (done["Flow"], done["Queue"], done["Kind"], done["Serial"]) == ("main", "repair", "repair", "654321")
    assert steps(witness) == [("menu", "3"), ("repair_serial", "654321")]
    assert done["Linkedid"] == done["Uniqueid"] == joined["Linkedid"]


def test_keys_sent_as_sip_info_do_the_same(switch, ivr, witness, people):
    people.enter_context(switch.caller(keys="3#", keys_after_ms=1000, hold_s=20))
    joined = witness.wait_for("QueueCallerJoin")
    assert joined["Queue"] == "repair"
    assert steps(witness) == [("menu", "3"), ("repair_serial", "")]


def test_who_presses_3_and_then_nothing_is_in_repair_soon(ivr, witness, telephone):
    caller = telephone()
    wait_until(caller.hears_sound, what="the greeting is heard")
    caller.press("3")
    step(witness, "menu")
    assert witness.wait_for("QueueCallerJoin", 30)["Queue"] == "repair"
    assert steps(witness) == [("menu", "3"), ("repair_serial", "")]  # asked once, not again


def test_nobody_who_stays_silent_is_lost(ivr, witness, telephone):
    caller = telephone(hold_s=90)
    joined = witness.wait_for("QueueCallerJoin", 80)
    assert joined["Queue"] == "inquiry"  # the number's own
    assert steps(witness) == [("greeting", ""), ("menu", ""), ("menu", ""), ("menu", "")]
    assert loudness(bytes(caller.heard)) > 500
    assert loudest_hz(caller, 700) > -20  # the operator's own recording, not the voice


def test_english_is_a_key_away_and_the_switch_knows(switch, ivr, witness, telephone):
    caller = telephone()
    wait_until(caller.hears_sound, what="the greeting is heard")
    caller.press("9")
    step(witness, "menu")
    channel = witness.heard("Newchannel")[0]["Channel"]
    wait_until(lambda: re.search(r"Language: en", switch.process.cli(f"core show channel {channel}")))
    wait_until(caller.hears_sound)
    caller.press("0")
    assert witness.wait_for("QueueCallerJoin")["Queue"] == "inquiry"


def test_a_caller_who_hangs_up_in_the_menu_leaves_nothing_behind(switch, ivr, witness, telephone):
    caller = telephone(hold_s=7)
    caller.signals.wait_over()
    witness.wait_for("Hangup", 5)
    assert steps(witness) == [("greeting", "")]
    assert witness.heard("QueueCallerJoin") == []
    assert witness.heard("UserEvent", UserEvent="IvrDone") == []
    telephone()  # and the next caller is served
    step(witness, "greeting")
    assert "left its menu" not in ivr.log()


def test_when_the_ivr_is_killed_in_a_menu_the_caller_still_reaches_a_queue(ivr, witness, telephone):
    telephone(hold_s=60)
    step(witness, "greeting")
    ivr.kill()
    assert witness.wait_for("QueueCallerJoin", 40)["Queue"] == "inquiry"


def test_when_the_ivr_freezes_in_a_menu_the_caller_is_taken_back(ivr, witness, telephone):
    telephone(hold_s=60)
    step(witness, "greeting")
    ivr.freeze()
    assert witness.wait_for("QueueCallerJoin", 40)["Queue"] == "inquiry"
    assert witness.heard("UserEvent", UserEvent="IvrSilent")


def test_when_the_ivr_stops_its_callers_go_on_in_the_dial_plan(ivr, witness, telephone):
    telephone(hold_s=60)
    step(witness, "greeting")
    ivr.stop()
    assert ivr.process.returncode == 0, ivr.log()
    assert witness.wait_for("QueueCallerJoin", 40)["Queue"] == "inquiry"


def test_who_calls_while_others_wait_hears_how_many(switch, ivr, witness, telephone):
    first = telephone()
    wait_until(first.hears_sound)
    first.press("1")
    witness.wait_for("QueueCallerJoin", Position="1")
    second = telephone()
    wait_until(second.hears_sound)
    second.press("1")
    witness.wait_for("QueueCallerJoin", Position="2")
    assert loudest_hz(second, AHEAD_HZ) > -20
    assert loudest_hz(first, AHEAD_HZ) < -35


def loudest_hz(telephone: Telephone, hz: float) -> float:
    """How loud a tone was in the loudest fifth of a second, in dB below full scale."""
    heard = array("h", linear(bytes(telephone.heard)))
    return max(loudness_db(heard[at : at + 1600], hz) for at in range(0, len(heard), 1600))
