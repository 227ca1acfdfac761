"""CPU per call: the same answered, queued, recorded call on Asterisk alone and with everything of ours around it.

Alone is the same Asterisk with the same modules, prompts, queue and recording, by a static dial plan and static
members, and nobody listening on AMI. Rounds are interleaved; CPU is that of the processes themselves.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil

import tests.tables  # noqa: F401 - the tables must be known before they are made
from benchmarks.frame import Goal, Row
from callcenter.database import Database, now
from callcenter.facts import PhoneSeen, StatusChosen
from config import settings as settings_
from config import switch
from config.people import QueueMember, User
from config.process import Process
from config.queues import Did, Queue
from config.settings import Settings
from cti.projection import record
from cti.rows import Agent, Call
from tests.centre import ROOT
from tests.ports import free_port, free_udp_range
from tests.sipp import Caller, FarEnd
from tests.waiting import wait_until

ROUNDS = 2
CALLS = 120  # of one round
PER_S = 2.5  # so some fifty talk at once
LASTS_S = 20  # from answer to hang-up; a prompt is the first two seconds of it
AGENTS = tuple(str(extension) for extension in range(2001, 2061))
FLOW = """\
name: bench
title: {zh: 直接排队, en: straight to the queue}
languages: [zh]
start: go
steps:
  go:
    say: {zh: 正在为您转接报修专员。}
    queue: repair
    kind: repair
"""
ALONE = """\
[general]
static = yes

[from-trunk]
exten => 4008,1,Answer()
 same => n,Set(CHANNEL(language)=zh)
 same => n,Playback(cc/bench-go)
 same => n,MixMonitor(,r(${UNIQUEID}-rx.wav)t(${UNIQUEID}-tx.wav))
 same => n,Queue(repair,,,,60)
 same => n,Hangup()

[tel]
"""


class Place:
    """A home with the bench's number, queue and agents, and phones that answer."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
        self.home.chmod(0o755)
        (self.home / "asterisk").symlink_to(Path(os.environ.get("CALLCENTER_HOME", ROOT / "var")) / "asterisk")
        (self.home / "flows").mkdir()
        (self.home / "flows" / "bench.yaml").write_text(FLOW, encoding="utf-8")
        self.phone = ("127.0.0.3", free_port(socket.SOCK_DGRAM, "127.0.0.3"))
        first, last = free_udp_range(800)
        self.environ = {
            "CALLCENTER_HOME": str(self.home),
            "CALLCENTER_DESKTOP__PORT": str(free_port()),
            "CALLCENTER_IVR__PORT": str(free_port()),
            "CALLCENTER_SWITCH__AMI_PORT": str(free_port()),
            "CALLCENTER_SWITCH__HTTP_PORT": str(free_port()),
            "CALLCENTER_SWITCH__SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
            "CALLCENTER_SWITCH__RTP_START": str(first),
            "CALLCENTER_SWITCH__RTP_END": str(last),
            "CALLCENTER_SWITCH__DESK_PHONES": ",".join(f"{a}@{self.phone[0]}:{self.phone[1]}" for a in AGENTS),
        }
        self.settings: Settings = settings_.load(environ=self.environ)
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        with self.database.write() as db:
            db.add(Queue(name="repair", title_zh="报修", title_en="Repair", wrap_up_s=0))
            db.flush()
            db.add(Did(number="4008", title="服务热线", flow="bench", language="zh", default_queue="repair"))
            for extension in AGENTS:
                person = {"login": f"a{extension}", "name": f"坐席{extension}", "password_hash": "-", "role": "agent"}
                db.add(User(**person, extension=extension, created_at=datetime(2026, 1, 5, tzinfo=UTC)))
                db.add(QueueMember(queue="repair", extension=extension))
        self._round = 0

    def calls(self) -> None:
        """One round: so many callers, each answered by a phone and talked with."""
        self._round += 1
        folder = self.home / "people" / str(self._round)
        lasts_s = LASTS_S + int(CALLS / PER_S) + 60
        to = f"127.0.0.1:{self.settings.switch.sip_port}"
        with (
            FarEnd(folder / "phones", self.phone, calls=2 * CALLS, seconds=lasts_s),
            Caller(folder / "callers", to, "4008", hold_s=LASTS_S, calls=CALLS, per_s=PER_S) as callers,
        ):
            callers.wait_over(lasts_s)

    def clear(self) -> None:
        self.database.close()
        shutil.rmtree(self.home, ignore_errors=True)


def spent_s(processes: Iterable[psutil.Process]) -> float:
    """User and system seconds of these processes so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def per_call_ms(place: Place, processes: Callable[[], list[psutil.Process]]) -> float:
    before = spent_s(processes())
    place.calls()
    return (spent_s(processes()) - before) * 1000 / CALLS


def alone(place: Place) -> Process:
    """The switch by itself: our files, but a static dial plan, static members, and no door."""
    from ivr import prompts

    prompts.make(place.settings)
    switch.render(place.settings, place.database)
    etc = place.settings.switch_home / "etc"
    (etc / "extensions.conf").write_text(ALONE, encoding="utf-8")
    (etc / "manager.conf").write_text("[general]\nenabled = no\n", encoding="utf-8")
    with (etc / "queues.conf").open("a", encoding="utf-8") as queues:
        queues.writelines(f"member => PJSIP/{extension}\n" for extension in AGENTS)
    process = Process(place.settings)
    process.start()
    process.wait_booted()
    return process


def with_us(place: Place) -> subprocess.Popen[bytes]:
    """``callcenter run``, its agents available."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}
    log = (place.home / "output.txt").open("wb")
    command = [sys.executable, "-m", "callcenter", "run", "--no-demo"]
    centre = subprocess.Popen(
        command, cwd=ROOT, env=kept | place.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )

    def up() -> bool:
        assert centre.poll() is None, (place.home / "output.txt").read_text()
        return "http://" in (place.home / "output.txt").read_text()

    wait_until(up, 60, "the centre runs")
    with place.database.write() as db:
        for extension in AGENTS:
            chosen = StatusChosen(at=now(), agent=extension, status="available", by="bench")
            record(db, [chosen, PhoneSeen(at=now(), agent=extension, reachable=True)], "bench")
    asterisk = Process(place.settings)
    wait_until(lambda: asterisk.cli("queue show repair").count("PJSIP/") == len(AGENTS), 20, "the agents are members")
    return centre


def measure() -> list[Row]:
    theirs, ours = Place(), Place()
    bare = alone(theirs)
    centre = with_us(ours)
    try:
        pid = bare.pid
        assert pid is not None
        asterisk = psutil.Process(pid)
        everything = psutil.Process(centre.pid)
        rounds = [
            (
                per_call_ms(ours, lambda: [everything, *everything.children(recursive=True)]),
                per_call_ms(theirs, lambda: [asterisk]),
            )
            for _ in range(ROUNDS)
        ]
        answered_all(ours)
    finally:
        centre.terminate()
        centre.wait(30)
        bare.stop()
        ours.clear()
        theirs.clear()
    ms, ms_alone = (statistics.median(column) for column in zip(*rounds, strict=True))
    goal = Goal("ratio", "<=", 1.6)
    return [
        Row("cpu per recorded queue call", ms, "ms CPU per call", goal, ms_alone, "Asterisk alone, static dial plan")
    ]


def answered_all(place: Place) -> None:
    """A saving made by losing calls would be none."""
    with place.database.read() as db:
        calls = db.query(Call).all()
        assert len(calls) == ROUNDS * CALLS, f"{len(calls)} calls on record, {ROUNDS * CALLS} placed"
        answered = [call for call in calls if call.outcome == "answered"]
        assert len(answered) == len(calls), {call.outcome for call in calls}
        assert not db.query(Agent).filter(Agent.state == "talking").count()
