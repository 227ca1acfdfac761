"""A busy minute of a real switch, kept: ``python -m tests.busy_minute`` records tests/data/busy_minute anew.

What is kept is what the switch said over AMI, what it wrote into queue_log and CEL, and what we ourselves said
meanwhile (an agent's choices, policy's breaks). Callers hang up in the menu, in the queue, while it rings and in talk;
agents miss calls, hold, go on a break and leave in mid-call, send callers on and connect them after asking; the queue's
time runs out, and who would rather be called back presses a key.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import select

from callcenter.bus import LocalBus
from callcenter.database import Database, now
from callcenter.events import Fact
from callcenter.facts import StatusChosen, WrapUpFinished
from callcenter.ledger import LedgerRow, as_fact
from callcenter.payloads import as_payload
from config import queues
from config.queues import Did
from config.switch import sip_password
from cti.intake import Intake
from cti.link import SwitchRefused
from cti.projection import record
from cti.rows import Agent, Call, Leg
from ivr import prompts
from tests.sipp import Caller, FarEnd
from tests.switch.conftest import AGENTS, Switch

FOLDER = Path(__file__).parent / "data" / "busy_minute"
DESKS = AGENTS[:3]
OURS = ("desk", "policy")


class Tap(threading.Thread):
    """Keeps every byte the switch says to one who is logged in."""

    def __init__(self, switch: Switch) -> None:
        super().__init__(daemon=True)
        ours = switch.settings.switch
        self.heard = bytearray()
        self._socket = socket.create_connection((ours.host, ours.ami_port))
        secret = switch.settings.ami_secret
        self._socket.sendall(f"Action: Login\r\nUsername: {ours.ami_user}\r\nSecret: {secret}\r\n\r\n".encode())
        self.start()

    def run(self) -> None:
        while read := self._socket.recv(65536):
            self.heard += read

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._socket.close()


class Minute:
    """The agents at their desks, and callers who come by a timetable."""

    def __init__(self, switch: Switch, database: Database, intake: Intake, bus: LocalBus, people: ExitStack) -> None:
        self.switch, self.database, self.intake, self.bus, self.people = switch, database, intake, bus, people
        self.callers: list[Caller] = []

    async def choose(self, agent: str, status: str, reason: str = "") -> None:
        self._say(StatusChosen(at=now(), agent=agent, status=status, reason=reason, by=f"agent{agent}"))

    async def finish(self, agent: str) -> None:
        self._say(WrapUpFinished(at=now(), agent=agent, by=f"agent{agent}"))

    def _say(self, fact: Fact) -> None:
        with self.database.write() as db:
            events = record(db, [fact], "desk")
        for event in events:
            self.bus.publish(event)

    def agent(self, extension: str) -> Agent | None:
        with self.database.read() as db:
            return db.get(Agent, extension)

    async def until(self, holds: Callable[[], object], seconds: float = 30, what: str = "") -> None:
        for _ in range(int(seconds / 0.05)):
            if holds():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}")

    def talks(self, extension: str) -> bool:
        agent = self.agent(extension)
        return agent is not None and agent.state == "talking"

    async def eager(self, stop: asyncio.Event) -> None:
        """Whoever is in wrap-up is through with it after a while; who missed a call comes back."""
        while not stop.is_set():
            for extension in DESKS:
                agent = self.agent(extension)
                if agent is None:
                    continue
                since = agent.state_since if agent.state == "wrap_up" else agent.status_since
                age_s = (now() - since).total_seconds() if since else 0.0
                if agent.state == "wrap_up" and age_s > 1.0:
                    await self.finish(extension)
                elif agent.status_reason == "missed" and age_s > 3.0:
                    await self.choose(extension, "available")
            await asyncio.sleep(0.2)

    def caller(self, **more: Any) -> None:
        self.callers.append(self.people.enter_context(self.switch.caller(**more)))

    def channel_of(self, extension: str) -> str:
        """Where he talks; empty where he does not, which the switch refuses."""
        with self.database.read() as db:
            agent = db.get_one(Agent, extension)
            leg = next((leg for leg, does in agent.legs.items() if does[0] == "talking"), None)
            return db.get_one(Leg, leg).channel if leg else ""

    async def pass_(self) -> None:
        """The timetable."""
        phones: dict[str, dict[str, Any]] = {
            "1001": {"answer_ms": 300, "hold_after_ms": 2500, "hold_ms": 2000},
            "1002": {"answer_ms": 900, "hold_after_ms": 2000, "hold_ms": 1500},
            "1003": {"answer_ms": None},
        }
        desks = {e: self.people.enter_context(self.switch.desk(e, **phones[e])) for e in DESKS}
        for extension in DESKS:
            await self.choose(extension, "available")
        await asyncio.sleep(3)
        self.caller(calls=3, hold_s=2, keys="", number="13800000001")  # leave in the menu
        self.caller(calls=10, per_s=1.5, hold_s=24, keys="1", number="13800000002", name="赵海涛")
        self.caller(calls=9, per_s=1.5, hold_s=30, keys="1", number="13800000003", name="李静")
        self.caller(calls=6, per_s=1, hold_s=25, keys="4", number="13800000004")  # a queue whose time is over soon
        self.caller(calls=6, per_s=1, hold_s=45, keys="1", number="anonymous", name="")
        self.caller(calls=3, per_s=1, hold_s=60, keys="1", later=((9, "*"),), number="13800000007", name="陈建国")
        typed = tuple((0.5, key) for key in "13900000008#")
        self.caller(hold_s=60, keys="1", later=((12, "*"), (4, "1"), *typed[1:]), number="anonymous", name="")
        await self.until(lambda: self.talks("1001"), what="1001 talks")
        await asyncio.sleep(2)
        await self.choose("1001", "on_break", "lunch")  # in mid-call
        await self.until(lambda: self.talks("1002"), what="1002 talks")
        await self._attended_transfer(desks["1002"], "1002", "1001")
        await self.until(lambda: not self.talks("1002"), what="1002 is through with the caller he connected")
        await self.until(lambda: self.talks("1002"), what="1002 talks again")
        await self._blind_transfer("1002", "1001")
        await asyncio.sleep(6)
        await self.choose("1001", "available")
        self.caller(calls=12, per_s=2, hold_s=16, keys="0", number="13800000005", name="赵海涛")
        await asyncio.sleep(3)
        desks["1003"].stop()  # whose phone rang on and nobody took it
        self.people.enter_context(self.switch.desk("1003", answer_ms=1500))
        await asyncio.sleep(8)
        await self.until(lambda: self.talks("1002"), what="1002 talks")
        await self.choose("1002", "offline")  # in mid-call
        self.caller(calls=5, per_s=1, hold_s=12, keys="1", number="13800000006")
        await asyncio.sleep(8)
        await self.choose("1002", "available")
        await self.until(lambda: not self.switch.channels(), 90, "every caller is gone")
        for caller in self.callers:
            caller.wait_over(10)

    async def _attended_transfer(self, desk: FarEnd, frm: str, to: str) -> None:
        """He calls his colleague from the same phone, and connects the two."""
        await asyncio.sleep(1)
        password = sip_password(self.switch.settings, frm)
        who = {"number": frm, "password": password, "host": "127.0.0.3", "name": ""}
        asked = self.switch.caller(to, **who, refer_to=to, replaces=desk.dialog(), refer_after_s=3, hold_s=20)
        self.callers.append(self.people.enter_context(asked))

    async def _blind_transfer(self, frm: str, to: str) -> None:
        try:
            await self.intake.door.ask("BlindTransfer", Channel=self.channel_of(frm), Context="tel", Exten=to)
        except SwitchRefused as fault:  # he has hung up this very moment
            print("no transfer:", fault.detail)  # noqa: T201


async def pass_(switch: Switch) -> None:
    bus = LocalBus()
    intake = Intake(switch.settings, switch.database, bus)
    await intake.start()
    stop = asyncio.Event()
    with ExitStack() as people:
        minute = Minute(switch, switch.database, intake, bus, people)
        tidy = asyncio.create_task(minute.eager(stop))
        try:
            await minute.pass_()
            await asyncio.sleep(1)
        finally:
            stop.set()
            await tidy
            await intake.stop()


def set_up(switch: Switch) -> None:
    with switch.database.write() as db:
        assert db.get_one(Did, "4008").flow == "main"
        if db.get(queues.Queue, "follow_up") is None:
            db.add(queues.Queue(name="follow_up", title_zh="回访", title_en="Follow-up", ring_s=5, max_wait_s=4))
        for queue in ("inquiry", "repair"):
            for extension in DESKS:
                queues.set_member(db, queue, extension)


def keep(switch: Switch, heard: bytes, folder: Path) -> None:
    """Write the recording."""
    log = switch.settings.switch_home / "log"
    for name, content in (
        ("ami.txt", bytes(heard)),
        ("queue_log", (log / "queue_log").read_bytes()),
        ("cel.csv", (log / "cel-custom" / "cel.csv").read_bytes()),
        ("ours.jsonl", _ours(switch.database)),
    ):
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))


def _ours(database: Database) -> bytes:
    with database.read() as db:
        rows = db.scalars(select(LedgerRow).where(LedgerRow.source.in_(OURS)).order_by(LedgerRow.seq)).all()
        told = [{"source": row.source, "type": row.type, "fact": as_payload(as_fact(row))} for row in rows]
    return "".join(json.dumps(one) + "\n" for one in told).encode()


def main(folder: Path = FOLDER) -> None:
    from tests.switch.test_ivr import Ivr, _lay_out

    switch = Switch()
    try:
        _lay_out(switch.home)
        assert prompts.make(switch.settings).problems == []
        set_up(switch)
        switch.start()
        ivr = Ivr(switch)
        tap = Tap(switch)
        try:
            asyncio.run(pass_(switch))
        finally:
            tap.close()
            ivr.process.terminate()
            ivr.process.wait(10)
        keep(switch, bytes(tap.heard), folder)
        with switch.database.read() as db:
            for call in db.scalars(select(Call).order_by(Call.started_at)):
                talk = (call.talk_ms, call.holds, call.transfers)
                print(call.call_id, call.outcome, call.queue, call.agent, call.wait_ms, *talk)  # noqa: T201
        switch.process.stop()
    finally:
        switch.clear()


if __name__ == "__main__":
    main()
