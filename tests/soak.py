"""Thousands of real calls with every ending, while whatever can break breaks; then the books are compared.

``python -m tests.soak --calls 2000 --seed 7``: a switch of its own, our processes as in production, callers and agents
on telephones. It ends with 0 if our rows, the switch's logs, the recordings and somebody else's count agree.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import sys
import time
import wave
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.database import now
from callcenter.jobs import Job
from config import queues
from config.people import User
from config.queues import Queue
from config.settings import ServiceLevels
from cti.projection import rebuild
from cti.resync import LogFiles
from cti.rows import Agent, Call, Offer
from cti.tail import whole
from ivr import prompts
from reports import nightly, reconcile, today
from reports.reconcile import Account, Difference
from tests import independent
from tests.dumps import dump
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


def serve_all() -> Switch:
    """A switch with fourteen desk phones and a short menu."""
    phones = {extension: ("127.0.0.3", free_port_udp()) for extension in PHONES}
    first, last = free_udp_range(600)
    hour = datetime.now(UTC).hour
    switch = Switch(
        CALLCENTER_SWITCH__DESK_PHONES=",".join(f"{n}@{h}:{p}" for n, (h, p) in phones.items()),
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
class Soak:
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


@dataclass
class Outcome:
    """What was compared, and what differed."""

    account: Account
    others: list[str]  # differences of the independent count
    rebuilt: list[str]  # tables that another telling of the ledger makes otherwise
    outcomes: Counter[str]
    breaches: list[str]
    holes: int  # recordings a switch that stood still did not write through: found, as they must be
    placed: int
    faults: Counter[str]
    took_s: float

    @property
    def whole(self) -> bool:
        return not (self.account.differences or self.others or self.rebuilt)

    def told(self) -> str:
        return "\n".join(
            [
                f"{self.placed} calls placed in {self.took_s:.0f} s; {self.account.calls} reached the switch",
                f"endings: {_counted(self.outcomes)}",
                f"faults: {_counted(self.faults)}",
                f"reconcile: {self.account.calls} calls, {self.account.waits} waits, {self.account.recordings} "
                f"recordings; {len(self.account.differences)} differences",
                *(f"  {one}" for one in self.account.differences),
                f"  beside {self.holes} recordings with a hole where the switch stood still, each found",
                f"independent count of queue_log: {len(self.others)} differences",
                *(f"  {one}" for one in self.others),
                f"rebuilt from the ledger: {len(self.rebuilt)} differences",
                *(f"  {one}" for one in self.rebuilt),
                f"invariants that stood broken for two looks: {len(self.breaches)}",
                *(f"  {one}" for one in self.breaches),
            ]
        )


def _counted(of: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in of.most_common())


# --- one run ------------------------------------------------------------------------------------------------------


def soak(
    calls: int,
    seed: int,
    per_s: float,
    *,
    switch_deaths: int = 2,
    fault_every_s: tuple[float, float] = (3.0, 9.0),
    short: bool = False,
    say: Callable[[str], None] = lambda _: None,
    keep: Path | None = None,
) -> Outcome:
    """Place so many calls while things break, let all of it end, and compare.

    ``short`` leaves out the faults that take long to be noticed or made good.
    """
    with ExitStack() as stack:
        switch = serve_all()
        ours = Ours(switch, tuple(PHONES))
        stack.callback(ours.close)
        for part in ("cti", "ivr", "worker"):
            ours.start(part)
        wait_until(lambda: ours.watched() and ours.members(), 60, "the agents are in the queue")
        run = Soak(ours, random.Random(seed), per_s, short)
        for extension, does in PHONES.items():
            stack.enter_context(switch.desk(extension, calls=100_000, seconds=3600, **does))
        began = time.monotonic()
        _place(run, calls, switch_deaths, fault_every_s, say)
        stack.callback(lambda: [person.stop() for person in run.people])
        wait_until(lambda: not run.someone_calls(), 120, "every caller is through")
        took_s = time.monotonic() - began
        whole = False
        try:
            outcome = _compare(run, took_s)
            whole = outcome.whole
        finally:
            if keep is not None and not whole:
                left_out = shutil.ignore_patterns("asterisk", "*.ulaw", "*.ctl", "sounds", "people")
                shutil.copytree(switch.home, keep, ignore=left_out, dirs_exist_ok=True)
        return outcome


def _place(run: Soak, calls: int, deaths: int, every_s: tuple[float, float], say: Callable[[str], None]) -> None:
    """Callers come wave by wave whatever happens; the faults one after another beside them."""
    die_at = [round(calls * (n + 1) / (deaths + 1)) for n in range(deaths)]
    next_wave = next_fault = time.monotonic()
    next_fault += run.luck.uniform(*every_s)
    while run.placed < calls:
        if time.monotonic() >= next_wave:
            run.call(calls - run.placed)
            run.back_to_work()
            run.someone_calls()
            next_wave += WAVE_S
            say(f"{run.placed} calls, {sum(run.faults.values())} faults, live {len(run.ours.states())}")
        if time.monotonic() >= next_fault:
            dies = bool(die_at) and run.placed >= die_at[0]
            if dies:
                die_at.pop(0)
            run.break_something(dies)
            next_fault = time.monotonic() + run.luck.uniform(*every_s)
        run.pause(0.05, 0.1)


def _compare(run: Soak, took_s: float) -> Outcome:
    ours = run.ours
    wait_until(ours.watched, 30, "the switch is watched")
    ours.switch.process.cli("channel request hangup all")  # of those whose telephone died
    wait_until(lambda: not ours.switch.channels(), 30, "every channel is gone")
    wait_until(lambda: not ours.states(), 30, f"every call is over; {ours.states()}")
    ended = time.monotonic() + reconcile.FRESH.total_seconds() + 1
    wait_until(lambda: time.monotonic() > ended, 30)
    wait_until(lambda: not _waiting_jobs(ours), 200, "every recording is on record")
    settings = ours.switch.settings
    with ours.database.read() as db:
        local = now().astimezone(settings.centre.zone).date()
        account = nightly.of_day(db, settings, local, now())
        outcomes = Counter(db.scalars(select(Call.outcome)))
        holes = [one for one in account.differences if one.what == "recording" and _stood_still(db, run, one)]
        account.differences = [one for one in account.differences if one not in holes]
    log = ours.output.read_text(errors="replace")
    breaches = [line for line in log.splitlines() if "not as it must be" in line]
    others = someone_elses_count(ours)
    ours.kill()  # so that nothing is told while the rows are made again
    rows = dump(ours.database)
    rebuild(ours.database)
    again = dump(ours.database)
    rebuilt = [
        f"{table}: {one} and {two}"
        for table in rows
        for one, two in zip(rows[table], again[table], strict=False)
        if one != two
    ]
    rebuilt += [
        f"{table}: {len(rows[table])} rows and {len(again[table])}"
        for table in rows
        if len(rows[table]) != len(again[table])
    ]
    return Outcome(account, others, rebuilt, outcomes, breaches, len(holes), run.placed, run.faults, took_s)


def _stood_still(db: Session, run: Soak, one: Difference) -> bool:
    """A switch that stands still hears nothing: its recordings lack just that, and reconcile must say so."""
    if not one.theirs.endswith(" s"):
        return False
    call = db.get_one(Call, one.call_id)
    lack_s = float(one.ours.split()[0]) - float(one.theirs.split()[0])
    missed_s = sum(
        max(0.0, (min(end, call.ended_at or end) - max(begin, call.started_at)).total_seconds())
        for begin, end in run.stops
    )
    return lack_s < missed_s + 1.0


def _waiting_jobs(ours: Ours) -> int:
    with ours.database.read() as db:
        due = select(func.count()).select_from(Job).where(Job.kind == "recording")
        return db.scalar(due.where(Job.state.in_(("waiting", "running")))) or 0


def someone_elses_count(ours: Ours) -> list[str]:
    """Where our figures of the day are not those of somebody who only reads queue_log."""
    settings = ours.switch.settings
    files = LogFiles(settings.switch_home / "log", str, "zh")
    theirs = independent.figures("\n".join(whole(files.paths["queue_log"])))
    found = []
    with ours.database.read() as db:
        levels = ServiceLevels(form="sl3")
        told = today.by_queue(db, settings.centre.zone, now() + timedelta(seconds=1), levels)
        for queue, other in theirs.items():
            said = {figure.name: figure.value for figure in told[queue]}
            for name in ("offered", "answered", "abandoned", "flow_outs"):
                if said[name] != getattr(other, name):
                    found.append(f"{queue} {name}: ours {said[name]}, theirs {getattr(other, name)}")
            for name, value in (("asa", other.asa), ("service_level", other.sl3)):
                mine = said[name]
                off = 1.0 if name == "asa" else 0.001  # the log has whole seconds
                if (mine is None) != (value is None) or abs((mine or 0) - (value or 0)) > off:
                    found.append(f"{queue} {name}: ours {mine}, theirs {value}")
        taken = Counter(db.scalars(select(Offer.agent).where(Offer.outcome == "answered")))
    by_agent = sum((other.answered_by for other in theirs.values()), Counter())
    if taken != by_agent:
        found.append(f"answered by agent: ours {taken}, theirs {by_agent}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-s", type=float, default=6.0, help="callers a second")
    parser.add_argument("--switch-deaths", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="where logs and rows are put if something differs")
    given = parser.parse_args()

    def say(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    outcome = soak(given.calls, given.seed, given.per_s, switch_deaths=given.switch_deaths, say=say, keep=given.keep)
    sys.stdout.write(outcome.told() + "\n")
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    sys.exit(main())
