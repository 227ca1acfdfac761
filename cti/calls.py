"""A call as it is seen: the table of its states, and what each fact makes of its rows. Pure; no fact is refused.

The switch is right. What comes late or twice is harmless, and where facts were lost the later one is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from callcenter.database import Base, to_us
from callcenter.events import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    BridgeEntered,
    BridgeLeft,
    CustomerBound,
    Fact,
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
    Transferred,
)
from cti.rows import Call, Leg, Offer, Segment


class State(StrEnum):
    ARRIVED = "arrived"  # the dial plan has him
    IN_MENU = "in_menu"
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


_LIVE = frozenset(State) - {State.ENDED}
_BEFORE_TALK = _LIVE - {State.TALKING}
_NOWHERE: tuple[None, frozenset[State]] = (None, frozenset())

STEPS: dict[type[Fact], tuple[State | None, frozenset[State]]] = {  # what was said: (leads to, believed from)
    LegStarted: _NOWHERE,
    LegAnswered: _NOWHERE,
    MenuStep: (State.IN_MENU, frozenset({State.ARRIVED, State.IN_MENU})),
    MenuLeft: _NOWHERE,
    QueueJoined: (State.WAITING, _LIVE - {State.RINGING}),
    QueueAbandoned: _NOWHERE,  # the hang-up, or QueueExited, follows and says which
    QueueExited: (State.ARRIVED, frozenset({State.WAITING, State.RINGING})),
    AgentRung: (State.RINGING, _BEFORE_TALK),
    AgentMissed: (State.WAITING, frozenset({State.RINGING})),  # if no other agent still rings
    AgentAnswered: (State.TALKING, _LIVE),
    AgentDone: _NOWHERE,  # a hang-up or a transfer follows
    Held: _NOWHERE,
    Resumed: _NOWHERE,
    BridgeEntered: (State.TALKING, _LIVE),  # if there is somebody else in the bridge
    BridgeLeft: _NOWHERE,
    Transferred: (State.ARRIVED, frozenset({State.TALKING})),  # if blind: he waits for whoever is called now
    RecordingStarted: _NOWHERE,
    CustomerBound: _NOWHERE,
    LegEnded: (State.ENDED, _LIVE),  # if it was the last one
}
KINDS = {
    State.ARRIVED: "arrival",
    State.IN_MENU: "menu",
    State.WAITING: "queue",
    State.RINGING: "queue",
    State.TALKING: "talk",
}
SAME_MOMENT = timedelta(milliseconds=200)
"""The switch tells one happening in several events; what is this close belongs together."""
_MILLISECOND = timedelta(milliseconds=1)


def step(state: State, fact: Fact) -> State | None:
    """Where the fact leads, or None where it says nothing new. Never raises: the switch is right."""
    to, believed_from = STEPS.get(type(fact), _NOWHERE)
    return to if state in believed_from else None


@dataclass
class Story:
    """A call with all that belongs to it: the rows as they stand, and those its facts have added."""

    call: Call
    legs: dict[str, Leg] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)  # in order; only the last one may be open
    offers: dict[str, Offer] = field(default_factory=dict)
    added: list[Base] = field(default_factory=list)

    @property
    def state(self) -> State:
        return State(self.call.state)

    @property
    def caller_is_gone(self) -> bool:
        """Nobody is left whose time the segments tell: the first leg, or the outside party of a call out."""
        first = self.legs.get(self.call.call_id)
        if first is None or first.ended_at is None:
            return False
        return self.call.direction == "in" or not any(
            leg.ended_at is None and not leg.agent for leg in self.legs.values()
        )

    @property
    def open_segment(self) -> Segment | None:
        return self.segments[-1] if self.segments and self.segments[-1].ended_at is None else None

    @property
    def ringing(self) -> list[Offer]:
        return [offer for offer in self.offers.values() if offer.ended_at is None]

    def hear(self, fact: Fact) -> None:
        """Let the fact change the rows."""
        counts = _EFFECTS[type(fact)](self, fact)
        to = step(self.state, fact) if counts else None
        if to is State.ENDED:
            self.end(fact.at, getattr(fact, "how", ""))
        elif to is not None:
            self.call.state = to.value
            self.spend(KINDS[to], fact.at)

    # --- the caller's time --------------------------------------------------------------------------------------

    def spend(self, kind: str, at: datetime) -> None:
        """From now on the caller's time is of this kind."""
        queue = self.call.queue if kind == "queue" else None
        agent = self.call.agent if kind in ("talk", "hold") else None
        now = self.open_segment
        if now is not None:
            if kind in ("talk", "hold") and now.kind in ("queue", "talk", "hold"):
                queue = now.queue if now.kind == "queue" or now.agent == agent else None
            if (now.kind, now.queue, now.agent) == (kind, queue, agent):
                return
        if self.caller_is_gone or (now is None and self.segments):
            return
        at = max(at, now.started_at if now is not None else self.call.started_at)
        if now is not None and now.kind == "arrival" and now.started_at == at:  # the dial plan had him for no time
            now.kind, now.queue, now.agent = kind, queue, agent
            return
        self.close(at)
        segment = Segment(
            call_id=self.call.call_id,
            no=len(self.segments),
            kind=kind,
            queue=queue,
            agent=agent,
            started_at=at if self.segments else self.call.started_at,
            ended_at=None,
            outcome="",
        )
        self.segments.append(segment)
        self.added.append(segment)

    def close(self, at: datetime) -> None:
        """The open segment is over; its length goes to the call."""
        segment = self.open_segment
        if segment is None:
            return
        segment.ended_at = max(at, segment.started_at)
        length_ms = (segment.ended_at - segment.started_at) // _MILLISECOND
        match segment.kind:
            case "queue":
                segment.outcome = segment.outcome or "other"  # how he left it was not told
                self.call.wait_ms += length_ms
            case "talk":
                self.call.talk_ms += length_ms
            case "hold":
                self.call.hold_ms += length_ms

    def leave_queue(self, outcome: str) -> None:
        segment = self.open_segment
        if segment is not None and segment.kind == "queue":
            segment.outcome = outcome

    # --- the end ------------------------------------------------------------------------------------------------

    def settle(self, at: datetime) -> None:
        """End the call if its last leg went elsewhere."""
        if self.state is not State.ENDED and not any(leg.ended_at is None for leg in self.legs.values()):
            self.end(at, "")

    def end(self, at: datetime, how: str) -> None:
        call = self.call
        call.ended_at = max(at, call.started_at, *(leg.ended_at for leg in self.legs.values() if leg.ended_at))
        call.outcome = self._outcome(call.ended_at, how)
        last = self.open_segment
        if last is not None and last.kind == "queue":
            last.outcome = last.outcome or how or "abandoned"
        self.close(at)
        for offer in self.ringing:
            offer.ended_at, offer.outcome = max(at, offer.rung_at), "cancelled"
        call.state = State.ENDED.value

    def _outcome(self, at: datetime, how: str) -> str:
        if self.call.answered_at is not None:
            return "answered"
        if how == "lost":
            return "lost"
        if how or self.call.direction != "in":
            return "other"
        queues = [segment for segment in self.segments if segment.kind == "queue"]
        if not queues:
            return "abandoned_menu"
        if queues[-1] is self.segments[-1]:
            rang = any(o.outcome != "missed" and (o.ended_at or at) >= at - SAME_MOMENT for o in self.offers.values())
            return "abandoned_ringing" if rang else "abandoned_queue"
        return "queue_timeout" if queues[-1].outcome == "timeout" else "queue_exit"

    # --- parts --------------------------------------------------------------------------------------------------

    def leg(self, leg_id: str, at: datetime, agent: str | None = None) -> Leg:
        """The leg, made if nobody has told of it yet."""
        leg = self.legs.get(leg_id)
        if leg is None:
            leg = Leg(
                leg_id=leg_id,
                call_id=self.call.call_id,
                channel="",
                agent=agent,
                bridge="",
                started_at=at,
                answered_at=None,
                ended_at=None,
                cause=None,
            )
            self.legs[leg_id] = leg
            self.added.append(leg)
        leg.agent = leg.agent or agent
        return leg

    def offer(self, leg_id: str, queue: str, agent: str, rung_at: datetime) -> Offer:
        """The ringing, made if nobody has told of it yet; that of a leg which is gone is over."""
        offer = self.offers.get(leg_id)
        if offer is None:
            offer = Offer(
                leg_id=leg_id,
                call_id=self.call.call_id,
                queue=queue,
                agent=agent,
                rung_at=rung_at,
                ended_at=None,
                outcome="",
            )
            self.offers[leg_id] = offer
            self.added.append(offer)
            gone_at = self.legs[leg_id].ended_at or self.call.ended_at
            if gone_at is not None:
                offer.ended_at, offer.outcome = max(gone_at, rung_at), "cancelled"
        return offer


def begin(fact: Fact, call_id: str) -> Story:
    """The story of a call nobody knew, from the first that is told of it."""
    call = Call(
        call_id=call_id,
        switch=fact.switch,
        direction="in" if isinstance(fact, MenuStep | QueueJoined | AgentRung | AgentAnswered) else "internal",
        caller_number="",
        caller_name="",
        did="",
        language="",
        state=State.ARRIVED.value,
        outcome="",
        queue=None,
        agent=None,
        wished_kind="",
        wished_serial="",
        menu=[],
        customer_id=None,
        started_at=fact.at,
        joined_at=None,
        answered_at=None,
        ended_at=None,
        wait_ms=0,
        talk_ms=0,
        hold_ms=0,
        holds=0,
        transfers=0,
        recording="",
    )
    story = Story(call, added=[call])
    if not isinstance(fact, LegEnded):
        story.leg(call_id, fact.at)  # a call is named for its first leg
    story.spend("arrival", fact.at)
    return story


# --- what each fact does; the answer is whether it counts as a step -----------------------------------------------


def _leg_started(story: Story, fact: LegStarted) -> bool:
    call = story.call
    leg = story.leg(fact.leg_id, fact.at)
    leg.channel, leg.agent, leg.started_at = fact.channel, fact.agent, min(leg.started_at, fact.at)
    if fact.leg_id == call.call_id:
        call.did, call.language, call.caller_name = fact.did, fact.language, fact.caller_name
        call.caller_number = (fact.agent or fact.number or fact.caller_number)[:40]
        call.direction = "in" if fact.trunk else "out" if call.direction == "out" else "internal"
        if fact.at < call.started_at:  # told late
            call.started_at = fact.at
            if story.segments:
                story.segments[0].started_at = fact.at
    elif fact.trunk and call.direction == "internal":
        call.direction = "out"
    return False


def _leg_answered(story: Story, fact: LegAnswered) -> bool:
    leg = story.leg(fact.leg_id, fact.at)
    leg.answered_at = leg.answered_at or fact.at
    return False


def _leg_ended(story: Story, fact: LegEnded) -> bool:
    leg = story.leg(fact.leg_id, fact.at)
    if leg.ended_at is None:
        leg.ended_at, leg.cause, leg.bridge = max(fact.at, leg.started_at), fact.cause, ""
    offer = story.offers.get(fact.leg_id)
    if offer is not None and offer.ended_at is None:
        offer.ended_at, offer.outcome = max(leg.ended_at, offer.rung_at), "cancelled"
    if story.state is State.ENDED:
        if story.call.ended_at is not None:
            story.call.ended_at = max(story.call.ended_at, leg.ended_at)
        return False
    if not any(leg.ended_at is None for leg in story.legs.values()):
        return True
    if story.state is State.RINGING and not story.ringing:
        story.call.state = State.WAITING.value
    if story.caller_is_gone:
        last = story.open_segment
        if last is not None and last.kind == "queue":
            last.outcome = last.outcome or fact.how or "abandoned"
        story.close(fact.at)
    return False


def _menu_step(story: Story, fact: MenuStep) -> bool:
    said = {"flow": fact.flow, "step": fact.step, "heard": fact.heard, "at_us": to_us(fact.at)}
    story.call.menu = [*story.call.menu, said]
    return True


def _menu_left(story: Story, fact: MenuLeft) -> bool:
    story.call.wished_kind, story.call.wished_serial = fact.kind, fact.serial
    return False


def _queue_joined(story: Story, fact: QueueJoined) -> bool:
    story.leg(fact.leg_id, fact.at)
    call = story.call
    call.joined_at = call.joined_at or fact.at
    if step(story.state, fact) is not None:
        call.queue = fact.queue
    return True


def _queue_abandoned(story: Story, fact: QueueAbandoned) -> bool:
    story.leave_queue("abandoned")
    for offer in story.offers.values():
        # The switch calls it unanswered, but the caller hung up, or his time in the queue was over.
        if offer.outcome == "missed" and offer.ended_at and fact.at - offer.ended_at < SAME_MOMENT:
            offer.outcome = "cancelled"
    return False


def _queue_exited(story: Story, fact: QueueExited) -> bool:
    story.leave_queue(fact.status.lower())
    return True


def _agent_rung(story: Story, fact: AgentRung) -> bool:
    story.leg(fact.caller_leg_id, fact.at)
    story.leg(fact.leg_id, fact.at, fact.agent)
    offer = story.offer(fact.leg_id, fact.queue, fact.agent, fact.at)
    counts = offer.ended_at is None and step(story.state, fact) is not None
    if counts:
        story.call.queue, story.call.agent = fact.queue, fact.agent
        story.call.joined_at = story.call.joined_at or fact.at
    return counts


def _agent_missed(story: Story, fact: AgentMissed) -> bool:
    story.leg(fact.leg_id, fact.at, fact.agent)
    offer = story.offer(fact.leg_id, fact.queue, fact.agent, fact.at - timedelta(milliseconds=fact.ring_ms))
    if offer.ended_at is None:
        offer.ended_at, offer.outcome = max(fact.at, offer.rung_at), "missed"
    if story.state is State.RINGING:
        ringing = story.ringing
        story.call.agent = ringing[-1].agent if ringing else None
    return not story.ringing


def _agent_answered(story: Story, fact: AgentAnswered) -> bool:
    call = story.call
    story.leg(fact.leg_id, fact.at, fact.agent)
    answered = story.offer(fact.leg_id, fact.queue, fact.agent, fact.at - timedelta(seconds=fact.ring_s))
    if answered.outcome != "answered":
        answered.ended_at, answered.outcome = max(fact.at, answered.rung_at), "answered"
    for offer in story.ringing:
        offer.ended_at, offer.outcome = max(fact.at, offer.rung_at), "cancelled"
    if story.state is State.ENDED:
        return False
    now = story.open_segment
    if now is not None and now.kind not in ("queue", "talk", "hold"):  # nobody told that he joined
        joined_at = max(now.started_at, fact.at - timedelta(seconds=fact.wait_s))
        call.queue, call.joined_at = fact.queue, call.joined_at or joined_at
        story.spend("queue", joined_at)
        now = story.open_segment
    story.leave_queue("answered")
    call.queue, call.agent, call.answered_at = fact.queue, fact.agent, call.answered_at or fact.at
    if now is not None and now.kind in ("talk", "hold") and now.agent == fact.agent:
        now.queue = fact.queue  # the bridge was told first
        return False
    return True


def _held(story: Story, fact: Held) -> bool:
    leg, now = story.legs.get(fact.leg_id), story.open_segment
    if leg is not None and leg.agent and now is not None and now.kind == "talk":
        story.call.holds += 1
        story.spend("hold", fact.at)
    return False


def _resumed(story: Story, fact: Resumed) -> bool:
    leg, now = story.legs.get(fact.leg_id), story.open_segment
    if leg is not None and leg.agent and now is not None and now.kind == "hold":
        story.spend("talk", fact.at)
    return False


def _bridge_entered(story: Story, fact: BridgeEntered) -> bool:
    """Talk begins when the caller and somebody else are in one bridge."""
    call = story.call
    leg = story.leg(fact.leg_id, fact.at)
    if leg.ended_at is not None:
        return False
    leg.bridge = fact.bridge_id
    inside = [other for other in story.legs.values() if other.bridge == fact.bridge_id]
    caller = story.legs.get(call.call_id)
    if len(inside) < 2 or (call.direction != "out" and (caller is None or caller not in inside)):
        return False
    others = [other for other in inside if other is not caller and other.agent]
    partner = leg if leg in others else others[-1] if others else caller
    if partner is None or partner.agent is None:
        return False
    offer = story.offers.get(partner.leg_id)
    if offer is not None and offer.ended_at is None:  # nobody told that he answered
        offer.ended_at, offer.outcome = max(fact.at, offer.rung_at), "answered"
    now = story.open_segment
    if now is not None and now.kind in ("talk", "hold") and now.agent == partner.agent:
        return False
    if story.state is State.ENDED:
        return False
    story.leave_queue("answered")
    call.agent, call.answered_at = partner.agent, call.answered_at or fact.at
    return True


def _bridge_left(story: Story, fact: BridgeLeft) -> bool:
    leg = story.legs.get(fact.leg_id)
    if leg is not None and leg.bridge == fact.bridge_id:
        leg.bridge = ""
    return False


def _transferred(story: Story, fact: Transferred) -> bool:
    story.call.transfers += 1
    return fact.kind == "blind"


def _recording_started(story: Story, fact: RecordingStarted) -> bool:
    story.call.recording = story.call.recording or fact.file
    return False


def _customer_bound(story: Story, fact: CustomerBound) -> bool:
    if fact.by or story.call.customer_id is None:  # what a person chose stands
        story.call.customer_id = fact.customer_id
    return False


def _nothing(story: Story, fact: Fact) -> bool:
    return False


_EFFECTS: dict[type[Fact], Callable[[Story, Any], bool]] = {
    LegStarted: _leg_started,
    LegAnswered: _leg_answered,
    LegEnded: _leg_ended,
    MenuStep: _menu_step,
    MenuLeft: _menu_left,
    QueueJoined: _queue_joined,
    QueueAbandoned: _queue_abandoned,
    QueueExited: _queue_exited,
    AgentRung: _agent_rung,
    AgentMissed: _agent_missed,
    AgentAnswered: _agent_answered,
    AgentDone: _nothing,
    Held: _held,
    Resumed: _resumed,
    BridgeEntered: _bridge_entered,
    BridgeLeft: _bridge_left,
    Transferred: _transferred,
    RecordingStarted: _recording_started,
    CustomerBound: _customer_bound,
}
