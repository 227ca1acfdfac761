"""Our processes at a real switch of their own, on a link that can be broken; killed, frozen and started at will."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Self

from sqlalchemy import select

from callcenter.database import now
from callcenter.facts import StatusChosen
from config import queues
from config.queues import Queue
from cti.projection import record
from cti.rows import Agent, Call, Leg, Offer, Segment, SwitchRow
from reports import nightly, reconcile
from tests.fault_proxy import FaultProxy
from tests.switch.conftest import Switch
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
log = logging.getLogger(__name__)

RIGHT_WITHIN_S = 1.5  # after the link is up again


class Ours:
    """``callcenter cti``, and other parts where they are asked for, at a switch that was started here."""

    def __init__(self, switch: Switch | None = None, agents: Sequence[str] = ("1001", "1002")) -> None:
        self.switch = switch or Switch()
        self.switch.start()
        self.proxy = FaultProxy(("127.0.0.1", self.switch.settings.switch.ami_port))
        self.database = self.switch.database
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.output = self.switch.home / "cti-output.txt"
        with self.database.write() as db:
            for extension in agents:
                queues.set_member(db, "inquiry", extension)
            for queue in db.scalars(select(Queue)):
                queue.wrap_up_s = 1
        self.available(agents)

    @classmethod
    @contextmanager
    def at_work(cls, switch: Switch | None = None) -> Iterator[Self]:
        """Connected, with its two agents in the queue."""
        here = cls(switch)
        try:
            here.start()
            wait_until(here.watched, 40, "the switch is watched")
            wait_until(here.members, 15, "the agents are in the queue")
            yield here
        finally:
            here.close()

    def available(self, agents: Sequence[str]) -> None:
        """They choose so themselves; without a desk nobody is told, policy sees it at its next look."""
        with self.database.write() as db:
            for extension in agents:
                chosen = StatusChosen(at=now(), agent=extension, status="available", by=f"agent{extension}")
                record(db, [chosen], "desk")

    def start(self, part: str = "cti", name: str = "") -> None:
        """``name`` is for a second one of the same part."""
        ours = self.switch.env | {"CALLCENTER_SWITCH__AMI_PORT": str(self.proxy.port)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}
        with self.output.with_name(f"{part}-output.txt").open("ab") as out:
            self.processes[name or part] = subprocess.Popen(
                [sys.executable, "-m", "callcenter", part], cwd=ROOT, env=kept | ours, stdout=out, stderr=out
            )

    def kill(self, part: str = "cti") -> None:
        self.processes[part].kill()
        self.processes[part].wait(10)

    def freeze(self, part: str = "cti") -> None:
        self.processes[part].send_signal(signal.SIGSTOP)

    def thaw(self, part: str = "cti") -> None:
        self.processes[part].send_signal(signal.SIGCONT)

    def close(self) -> None:
        for part, process in self.processes.items():
            if process.poll() is None:
                self.kill(part)
        self.proxy.__exit__(None, None, None)
        self.switch.clear()

    # --- looking --------------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        with self.database.read() as db:
            return list(db.scalars(select(Call).order_by(Call.started_at)))

    def states(self) -> list[str]:
        with self.database.read() as db:
            return sorted(db.scalars(select(Call.state).where(Call.state != "ended")))

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
        took_s = self._took(self.proxy.connected_at, what, "the link was up")
        assert took_s < RIGHT_WITHIN_S, f"{what}: only after {took_s:.2f} s"
        return took_s

    def right_after(self, over_at: float, holds: Callable[[], object], what: str) -> None:
        """Wait for the rows; ``over_at`` (monotonic) is when the fault was over."""
        wait_until(holds, 5, f"{what}; it is {self.states()}")
        self._took(over_at, what, "the fault was over")

    @staticmethod
    def _took(since: float, what: str, after: str) -> float:
        took_s = time.monotonic() - since
        log.info("%s: %.2f s after %s", what, took_s, after)
        return took_s

    def missed_within(self, seconds: float, what: str) -> None:
        """Wait until our rows say that the link is dead; no longer than is promised."""
        began = time.monotonic()
        wait_until(lambda: not self.watched(), seconds, what)
        log.info("%s: after %.1f s", what, time.monotonic() - began)

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
        self.sound()

    def sound(self) -> None:
        """Every call with one end, and its time without gaps."""
        with self.database.read() as db:
            for call in db.scalars(select(Call)):
                assert call.outcome
                parts = db.scalars(select(Segment).where(Segment.call_id == call.call_id).order_by(Segment.no)).all()
                assert parts[0].started_at == call.started_at
                assert all(one.ended_at == two.started_at for one, two in pairwise(parts))
            assert not db.scalars(select(Leg.leg_id).where(Leg.ended_at.is_(None))).all()
            assert not db.scalars(select(Offer.leg_id).where(Offer.ended_at.is_(None))).all()
