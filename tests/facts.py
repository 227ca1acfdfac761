"""Facts of one call, told briefly: ``said = Told(); said.arrives(); said.joins(); …``; each a moment after the last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    BridgeEntered,
    BridgeLeft,
    CallerKept,
    CustomerBound,
    Held,
    LegAnswered,
    LegEnded,
    LegStarted,
    MenuLeft,
    MenuStep,
    QueueAbandoned,
    QueueExited,
    QueueJoined,
    RecordingStarted,
    Resumed,
    StatusChosen,
    Transferred,
    WrapUpFinished,
)

NINE = datetime(2026, 11, 23, 1, 0, 0, tzinfo=UTC)  # nine o'clock in Shanghai
CALL = "tel-1795395600.1"


class Told:
    """A clock and the facts told so far. ``after`` is in seconds since the last fact."""

    def __init__(self, call_id: str = CALL, switch: str = "tel", at: datetime = NINE) -> None:
        self.call_id = call_id
        self.switch = switch
        self.at = at
        self.facts: list[Fact] = []

    def say(self, said: type[Fact], after: float, leg_id: str | None = None, /, **more: Any) -> Told:
        self.at += timedelta(seconds=after)
        leg = {} if leg_id is None else {"leg_id": leg_id}
        self.facts.append(said(at=self.at, switch=self.switch, call_id=self.call_id, **leg, **more))
        return self

    def arrives(self, after: float = 0, number: str = "+8613800138000", did: str = "4008") -> Told:
        self.leg(self.call_id, after, "PJSIP/trunk-00000001", did=did, number=number, name="王小明", trunk=True)
        return self.say(LegAnswered, 0.1, self.call_id)

    def leg(
        self, leg_id: str, after: float, channel: str, *, did: str = "s", number: str = "", name: str = "", **more: Any
    ) -> Told:
        context = "from-trunk" if more.get("trunk") else "tel"
        said = {"channel": channel, "context": context, "did": did, "caller_number": number, "caller_name": name}
        return self.say(LegStarted, after, leg_id, **said, number=number, language="zh", **more)

    def presses(self, heard: str, after: float = 2, step: str = "main") -> Told:
        return self.say(MenuStep, after, self.call_id, flow="service", step=step, heard=heard)

    def leaves_menu(self, after: float = 0.1, queue: str = "repair", kind: str = "repair", serial: str = "") -> Told:
        return self.say(MenuLeft, after, self.call_id, flow="service", queue=queue, kind=kind, serial=serial)

    def recorded(self, after: float = 0.1) -> Told:
        return self.say(RecordingStarted, after, self.call_id, file=self.call_id)

    def joins(self, queue: str = "repair", after: float = 1) -> Told:
        return self.say(QueueJoined, after, self.call_id, queue=queue, position=1)

    def rings(self, agent: str, leg_id: str, queue: str = "repair", after: float = 1) -> Told:
        self.leg(leg_id, after, f"PJSIP/{agent}-0000000a", agent=agent)
        return self.say(AgentRung, 0.001, leg_id, caller_leg_id=self.call_id, queue=queue, agent=agent)

    def misses(self, agent: str, leg_id: str, queue: str = "repair", after: float = 15, cause: int = 0) -> Told:
        ring_ms = int(after * 1000)
        self.say(AgentMissed, after, leg_id, queue=queue, agent=agent, ring_ms=ring_ms)
        return self.ends(leg_id, 0.0003, cause=cause)

    def answers(self, agent: str, leg_id: str, queue: str = "repair", after: float = 4, bridge: str = "b-1") -> Told:
        self.say(LegAnswered, after, leg_id)
        self.say(AgentAnswered, 0.01, leg_id, queue=queue, agent=agent, wait_s=5, ring_s=int(after))
        return self.meets(leg_id, bridge)

    def meets(self, leg_id: str, bridge: str = "b-1", after: float = 0.001) -> Told:
        """The leg and the caller are in one bridge."""
        self.say(BridgeEntered, after, leg_id, bridge_id=bridge)
        return self.say(BridgeEntered, 0.001, self.call_id, bridge_id=bridge)

    def enters(self, leg_id: str, bridge: str, after: float = 0.001) -> Told:
        return self.say(BridgeEntered, after, leg_id, bridge_id=bridge)

    def parts(self, leg_id: str, bridge: str = "b-1", after: float = 0.001) -> Told:
        return self.say(BridgeLeft, after, leg_id, bridge_id=bridge)

    def done(self, agent: str, leg_id: str, queue: str = "repair", after: float = 60, reason: str = "caller") -> Told:
        return self.say(AgentDone, after, leg_id, queue=queue, agent=agent, wait_s=5, talk_s=int(after), reason=reason)

    def abandons(self, queue: str = "repair", after: float = 20) -> Told:
        return self.say(QueueAbandoned, after, self.call_id, queue=queue, position=1, wait_s=int(after))

    def exits(self, status: str, queue: str = "repair", after: float = 0.001) -> Told:
        return self.say(QueueExited, after, self.call_id, queue=queue, status=status)

    def ends(self, leg_id: str | None = None, after: float = 0.01, cause: int = 16, how: str = "") -> Told:
        return self.say(LegEnded, after, leg_id or self.call_id, cause=cause, how=how)

    def holds(self, leg_id: str, after: float = 10) -> Told:
        return self.say(Held, after, leg_id)

    def resumes(self, leg_id: str, after: float = 10) -> Told:
        return self.say(Resumed, after, leg_id)

    def kept(self, after: float = 0.001) -> Told:
        return self.say(CallerKept, after, self.call_id)

    def transfers(self, leg_id: str, kind: str, to: str, after: float = 10) -> Told:
        return self.say(Transferred, after, leg_id, kind=kind, to=to)

    def bound(self, customer_id: int, by: str = "", after: float = 0) -> Told:
        return self.say(CustomerBound, after, customer_id=customer_id, by=by)

    def chooses(self, agent: str, status: str, after: float = 0, reason: str = "") -> Told:
        self.at += timedelta(seconds=after)
        self.facts.append(StatusChosen(at=self.at, agent=agent, status=status, reason=reason, by=f"agent{agent}"))
        return self

    def wraps_up(self, agent: str, after: float = 30) -> Told:
        """The wrap-up is finished."""
        self.at += timedelta(seconds=after)
        self.facts.append(WrapUpFinished(at=self.at, agent=agent, by=f"agent{agent}"))
        return self


def answered_call(call_id: str = CALL, agent: str = "1001", at: datetime = NINE) -> Told:
    """Arrival, menu, queue, one agent who misses it and one who takes it, hold, the caller's hang-up."""
    said = Told(call_id, at=at).arrives().presses("3").leaves_menu().recorded().joins()
    said.rings("1009", f"{call_id}-9").misses("1009", f"{call_id}-9").rings(agent, f"{call_id}-2")
    said.answers(agent, f"{call_id}-2").holds(f"{call_id}-2").resumes(f"{call_id}-2")
    said.done(agent, f"{call_id}-2").parts(call_id).parts(f"{call_id}-2").ends(f"{call_id}-2").ends()
    return said
