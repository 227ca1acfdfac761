"""Calls as the switch tells of them, recorded and published as intake does it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from callcenter import facts as said
from callcenter import phone
from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.events import Fact
from cti import projection

_numbers = itertools.count(1)


def tell(database: Database, bus: Bus, facts: Sequence[Fact], source: str = "ami") -> None:
    with database.write() as db:
        told = projection.record(db, projection.recognise(db, facts), source)
    for event in told:
        bus.publish(event)


class Caller:
    """One caller and what becomes of him, step by step."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        number: str = "13800138000",
        name: str = "",
        *,
        queue: str = "repair",
        wants: str = "",
        serial: str = "",
        agent: str = "1001",
        came: datetime | None = None,
    ) -> None:
        n = next(_numbers)
        self.database, self.bus, self.queue, self.agent = database, bus, queue, agent
        self.call_id, self.leg_id = f"tel-{1_800_000_000 + n}.1", f"tel-{1_800_000_000 + n}.2"
        self.came = came or now() - timedelta(seconds=45)
        self.wants, self.serial = wants, serial
        self._known: dict[str, Any] = {"switch": "tel", "call_id": self.call_id}
        start = said.LegStarted(
            at=self.came,
            leg_id=self.call_id,
            channel=f"PJSIP/trunk-{n:08x}",
            context="from-trunk",
            did="4008",
            caller_number=number,
            caller_name=name,
            number=phone.normalise(number, "CN", "0371"),
            language="zh",
            trunk=True,
            **self._known,
        )
        self._tell(start, said.LegAnswered(at=self.came, leg_id=self.call_id, **self._known))

    def _tell(self, *facts: Fact) -> None:
        tell(self.database, self.bus, facts)

    def rings(self) -> Caller:
        """Through the menu into the queue, and the agent's phone rings."""
        joined = self.came + timedelta(seconds=4)
        menu = {"leg_id": self.call_id, "flow": "service", **self._known}
        facts: list[Fact] = [said.MenuStep(at=joined, step="主菜单", heard="3", **menu)]
        if self.serial:
            facts.append(said.MenuStep(at=joined, step="机号", heard=self.serial, **menu))
        facts += [
            said.MenuLeft(at=joined, queue=self.queue, kind=self.wants, serial=self.serial, **menu),
            said.QueueJoined(at=joined, leg_id=self.call_id, queue=self.queue, position=1, **self._known),
        ]
        self._tell(*facts)
        at = now()
        self._tell(
            said.LegStarted(
                at=at,
                leg_id=self.leg_id,
                channel=f"PJSIP/{self.agent}-00000001",
                context="agents",
                did="",
                caller_number="",
                caller_name="",
                agent=self.agent,
                **self._known,
            ),
            said.AgentRung(
                at=at,
                leg_id=self.leg_id,
                caller_leg_id=self.call_id,
                queue=self.queue,
                agent=self.agent,
                **self._known,
            ),
        )
        return self

    def is_answered(self) -> Caller:
        waited_s = int((now() - self.came).total_seconds())
        self._tell(
            said.AgentAnswered(
                at=now(),
                leg_id=self.leg_id,
                queue=self.queue,
                agent=self.agent,
                wait_s=waited_s,
                ring_s=2,
                **self._known,
            )
        )
        return self

    def is_missed(self) -> Caller:
        at = now()
        rang = {"leg_id": self.leg_id, "queue": self.queue, "agent": self.agent, **self._known}
        self._tell(
            said.AgentMissed(at=at, ring_ms=15_000, **rang),
            said.LegEnded(at=at, leg_id=self.leg_id, cause=19, **self._known),
        )
        return self

    def hangs_up(self) -> Caller:
        at = now()
        done = said.AgentDone(
            at=at,
            leg_id=self.leg_id,
            queue=self.queue,
            agent=self.agent,
            wait_s=41,
            talk_s=60,
            reason="caller",
            **self._known,
        )
        ends = [said.LegEnded(at=at, leg_id=leg, cause=16, **self._known) for leg in (self.leg_id, self.call_id)]
        self._tell(done, *ends)
        return self
