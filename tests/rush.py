"""A rush of callers of every kind, agents who do what agents do, and all that can break while they talk."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
import wave
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from callcenter.database import now
from config import queues
from config.people import User
from config.queues import Queue
from cti.rows import Agent
from ivr import prompts
from tests.ours import Ours
from tests.ports import free_port, free_udp_range
from tests.sipp import Sipp, tone
from tests.switch.conftest import Switch
from tests.telephone import linear
from tests.waiting import wait_until

WAVE_S = 4.0  # callers come in waves of several kinds at a time
FLOW = """
name: main
title: {zh: 售后服务热线, en: After-sales hotline}
languages: [zh]
start: menu
steps:
  menu:
    say: {zh: 咨询请按1，报修请按3，售后请按5。}
    keys: {"1": inquiry, "3": repair, "5": after_sales}
    wait_s: 1.5
    tries: 1
    otherwise: agent
  inquiry: {say: {zh: 正在为您转接咨询专员。}, queue: inquiry, kind: inquiry}
  repair: {say: {zh: 正在为您转接报修专员。}, queue: repair, kind: repair}
  after_sales: {say: {zh: 正在为您转接售后专员。}, queue: after-sales, kind: complaint}
  agent: {say: {zh: 正在为您转接人工服务。}, queue: ""}
"""
PHONES: dict[str, dict[str, Any]] = {  # what each agent does with a call
    "1001": {"answer_ms": 200},
    "1002": {"answer_ms": 700, "talk_ms": 1200},
    "1003": {"answer_ms": 300, "talk_ms": 3000},
    "1005": {"answer_ms": None},  # lets it ring
    "1006": {"answer_ms": 400, "refuse_with": 486},
    "1007": {"answer_ms": 300, "hold_ms": 700, "talk_ms": 900},
    "1008": {"answer_ms": 300, "refer_to": "repair"},
    "1009": {"answer_ms": 500, "refer_to": "1001"},
    "1010": {"answer_ms": 1500, "talk_ms": 2000},
    "1011": {"answer_ms": 250},
    "1012": {"answer_ms": 4700, "talk_ms": 500},  # at the last moment
    "1013": {"answer_ms": 350, "talk_ms": 1500},
    "1014": {"answer_ms": 450, "talk_ms": 2500},
    "1015": {"answer_ms": 300, "refer_to": "1005"},  # who lets it ring: the caller comes back to his queue
}
CALLERS: tuple[tuple[int, str, float, float], ...] = (  # share, keys, hangs up after so many seconds at least, at most
    (10, "", 0.1, 1.4),  # in the menu
    (14, "1", 0.8, 2.6),  # while he waits, or it rings
    (12, "3", 1.0, 3.5),
    (24, "1", 4.0, 9.0),
    (22, "3", 4.0, 9.0),
    (10, "5", 2.0, 12.0),  # where nobody serves him in time
    (8, "", 5.0, 9.0),  # says nothing
)


def serve_all(tolerance_ms: int) -> Switch:
    """A switch with fourteen desk phones and a short menu."""
    phones = {extension: ("127.0.0.3", free_port_udp()) for extension in PHONES}
    first, last = free_udp_range(600)
    hour = datetime.now(UTC).hour
    switch = Switch(
        CALLCENTER_SWITCH__DESK_PHONES=",".join(f"{n}@{h}:{p}" for n, (h, p) in phones.items()),
        CALLCENTER_RECORDING__TOLERANCE_MS=str(tolerance_ms),
        CALLCENTER_SWITCH__RTP_START=str(first),
        CALLCENTER_SWITCH__RTP_END=str(last),
        CALLCENTER_CENTRE__TIMEZONE=f"Etc/GMT{hour - 12:+d}",  # noon: no midnight passes
    )
    switch.phones = phones
    (switch.home / "flows").mkdir()
    (switch.home / "flows/main.yaml").write_text(FLOW, encoding="utf-8")
    sounds = switch.home / "sounds/custom/zh"
    sounds.mkdir(parents=True)
    for name in ("main-menu", "main-inquiry", "main-repair", "main-after_sales", "main-agent", "greeting", "all-busy"):
        with wave.open(str(sounds / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(array("h", linear(tone(700, seconds=0.4))).tobytes())
    assert prompts.make(switch.settings).problems == []
    with switch.database.write() as db:
        at = datetime(2026, 1, 5, 8, tzinfo=UTC)
        for extension in PHONES:
            if extension > "1004":
                login = f"agent{extension}"
                more = {"password_hash": "-", "role": "agent", "extension": extension, "created_at": at}
                db.add(User(login=login, name=f"坐席{extension}", **more))
        for queue in db.scalars(select(Queue)):
            queue.wrap_up_s, queue.ring_s = 1, 5
        db.flush()
        for extension in PHONES:
            queues.set_member(db, "repair", extension)
        queues.set_member(db, "after-sales", "1005")
        queues.set_member(db, "after-sales", "1012")
    return switch


def free_port_udp() -> int:
    return free_port(socket.SOCK_DGRAM, "127.0.0.3")


@dataclass
class Rush:
    """``placed`` calls so far; ``faults`` counts what was done to us and to the switch."""

    ours: Ours
    luck: random.Random
    per_s: float
    short: bool
    placed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    people: list[Sipp] = field(default_factory=list)
    stops: list[tuple[datetime, datetime]] = field(default_factory=list)  # of the switch, which lived on

    # --- callers and agents ---------------------------------------------------------------------------------------

    def call(self, most: int) -> None:
        """The callers of the next wave, some of each kind."""
        wave_of = min(most, round(self.per_s * WAVE_S))
        kinds = self.luck.choices(CALLERS, [kind[0] for kind in CALLERS], k=wave_of)
        for kind, count in Counter(kinds).items():
            _share, keys, least_s, most_s = kind
            caller = self.ours.switch.caller(
                keys=keys,
                keys_after_ms=self.luck.randint(300, 900),
                hold_s=self.luck.uniform(least_s, most_s),
                number=f"139{self.placed:08d}",
                calls=count,
                per_s=max(0.2, count / WAVE_S),
            )
            self.people.append(caller)
            self.placed += count

    def back_to_work(self) -> None:
        """Who let it ring was put on a break; he comes back."""
        with self.ours.database.read() as db:
            gone = list(db.scalars(select(Agent.extension).where(Agent.status != "available", Agent.reachable)))
        if gone:
            self.ours.available([extension for extension in gone if extension in PHONES])

    def someone_calls(self) -> bool:
        self.people = [one for one in self.people if one.process.poll() is None]
        return bool(self.people)

    # --- faults -----------------------------------------------------------------------------------------------------

    def break_something(self, switch_dies: bool) -> None:
        """One fault, begun and ended; none is waited for longer than it takes to be noticed."""
        ways: list[Callable[[], None]] = [
            self.killed,
            self.killed,
            self.cut,
            self.frozen,
            self.stopped,
            self.ivr_killed,
        ]
        if not self.short:
            ways += [self.half_open, self.deaf, self.worker_killed, self.switch_stopped, self.killed_twice]
        way = self.switch_killed if switch_dies else self.luck.choice(ways)
        self.faults[way.__name__] += 1
        way()

    def pause(self, least_s: float, most_s: float) -> None:
        end = time.monotonic() + self.luck.uniform(least_s, most_s)
        wait_until(lambda: time.monotonic() > end, most_s + 5)

    def killed(self) -> None:
        self.ours.kill()
        self.pause(0.0, 4.0)
        self.ours.start()

    def killed_twice(self) -> None:
        """The second time while it catches up."""
        self.killed()
        self.pause(0.5, 2.5)
        self.killed()

    def cut(self) -> None:
        self.ours.proxy.refusing = True
        self.ours.proxy.cut()
        self.pause(0.0, 3.0)
        self.ours.proxy.refusing = False

    def frozen(self) -> None:
        """Shorter than it takes to be noticed: what was said comes late."""
        self.ours.proxy.frozen = True
        self.pause(0.5, 4.0)
        self.ours.proxy.frozen = False

    def half_open(self) -> None:
        self._until_missed("frozen")

    def deaf(self) -> None:
        self._until_missed("deaf")

    def _until_missed(self, how: str) -> None:
        setattr(self.ours.proxy, how, True)
        wait_until(lambda: not self.ours.watched(), 30, "the dead link is noticed")
        setattr(self.ours.proxy, how, False)

    def stopped(self) -> None:
        self.ours.freeze()
        self.pause(1.0, 6.0)
        self.ours.thaw()

    def ivr_killed(self) -> None:
        self.ours.kill("ivr")
        self.pause(0.0, 2.0)
        self.ours.start("ivr")

    def worker_killed(self) -> None:
        self.ours.kill("worker")
        self.ours.start("worker")

    def switch_stopped(self) -> None:
        pid = self.ours.switch.process.pid
        assert pid
        began = now()
        os.kill(pid, signal.SIGSTOP)
        try:
            self.pause(1.0, 4.0)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.stops.append((began, now()))

    def switch_killed(self) -> None:
        pid = self.ours.switch.process.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.ours.switch.process.pid is None, 10, "the switch is dead")
        self.pause(0.0, 2.0)
        self.ours.switch.start()
