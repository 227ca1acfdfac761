"""A call as it is seen: the table of its states, and what each fact makes of its rows. Pure; no fact is refused.

The switch is right. What comes late or twice is harmless, and where facts were lost the later one is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from callcenter.database import to_us
from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    BridgeEntered,
    BridgeLeft,
    CallBackAsked,
    CallerKept,
    CustomerBound,
    Dialled,
    Held,
    LegAnswered,
    LegEnded,
    LegStarted,
    LineMeasured,
    MenuLeft,
    MenuStep,
    PutAside,
    QueueAbandoned,
    QueueExited,
    QueueJoined,
    RecordingStarted,
    Resumed,
    Transferred,
)
from cti.rows import Call
from cti.story import SAME_MOMENT, State, Story

_LIVE = frozenset(State) - {State.ENDED}
_BEFORE_TALK = _LIVE - {State.TALKING}
_NOWHERE: tuple[None, frozenset[State]] = (None, frozenset())
PAGE_GONE = 27  # Q.850, as a page says it that is loaded again: nobody hung up or refused, so his customer is kept
UNWISHED = (PAGE_GONE, 44)  # 44: the phone fell silent

STEPS: dict[type[Fact], tuple[State | None, frozenset[State]]] = {  # what was said: (leads to, believed from)
    LegStarted: _NOWHERE,
    LegAnswered: _NOWHERE,
    MenuStep: (State.IN_MENU, frozenset({State.ARRIVED, State.IN_MENU})),
    MenuLeft: _NOWHERE,
    QueueJoined: (State.WAITING, _LIVE - {State.RINGING}),
    QueueAbandoned: _NOWHERE,  # the hang-up, or QueueExited, follows and says which
    QueueExited: (State.ARRIVED, frozenset({State.WAITING, State.RINGING})),
    CallBackAsked: _NOWHERE,
    AgentRung: (State.RINGING, _BEFORE_TALK),
    AgentMissed: (State.WAITING, frozenset({State.RINGING})),  # if no other agent still rings
    AgentAnswered: (State.TALKING, _LIVE),
    AgentDone: _NOWHERE,  # a hang-up or a transfer follows
    Held: _NOWHERE,
    Resumed: _NOWHERE,
    BridgeEntered: (State.TALKING, _LIVE),  # if there is somebody else in the bridge
    BridgeLeft: _NOWHERE,
    CallerKept: (State.KEPT, frozenset({State.TALKING, State.ARRIVED})),
    Transferred: (State.ARRIVED, frozenset({State.TALKING})),  # if blind: he waits for whoever is called now
    PutAside: (State.PARKED, _LIVE),  # if he is parked; else his agent only asks somebody
    Dialled: _NOWHERE,
    LineMeasured: _NOWHERE,
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
    State.PARKED: "hold",
    State.KEPT: "kept",
}


def step(state: State, fact: Fact) -> State | None:
    """Where the fact leads, or None where it says nothing new. Never raises: the switch is right."""
    to, believed_from = STEPS.get(type(fact), _NOWHERE)
    return to if state in believed_from else None


def hear(story: Story, fact: Fact) -> None:
    """Let the fact change the rows."""
    counts = _EFFECTS[type(fact)](story, fact)
    to = step(story.state, fact) if counts else None
    if to is State.ENDED:
        story.end(fact.at, getattr(fact, "how", ""))
    elif to is not None:
        story.call.state = to.value
        story.spend(KINDS[to], fact.at)


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
    elif offer is not None and offer.outcome == "missed" and fact.cause == PAGE_GONE:
        offer.outcome = "cancelled"  # the switch calls it unanswered
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
    call.joined_at = call.joined_at or max(fact.at, call.started_at)
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


def _call_back_asked(story: Story, fact: CallBackAsked) -> bool:
    story.call.call_back, story.call.queue = fact.number, story.call.queue or fact.queue
    return False


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
        outcome = "cancelled" if _has_left(story, fact.at) else "missed"  # the logs tell his leaving first
        offer.ended_at, offer.outcome = max(fact.at, offer.rung_at), outcome
    if story.state is State.RINGING:
        ringing = story.ringing
        story.call.agent = ringing[-1].agent if ringing else None
    return not story.ringing


def _has_left(story: Story, at: datetime) -> bool:
    """Whether the caller has just left the queue unanswered."""
    last = next((segment for segment in reversed(story.segments) if segment.kind == "queue"), None)
    if last is None or last.outcome in ("", "answered"):
        return False
    return last.ended_at is None or at - last.ended_at < SAME_MOMENT


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
    call.queue, call.agent, call.answered_at = fact.queue, fact.agent, call.answered_at or _met(call, fact.at)
    if now is not None and now.kind in ("talk", "hold") and now.agent == fact.agent:
        now.queue = fact.queue  # the bridge was told first
        return False
    return True


def _met(call: Call, at: datetime) -> datetime:
    """When he was answered: not before he joined, should the clock have been set back meanwhile."""
    return max(at, call.joined_at or call.started_at)


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
    told_again, leg.bridge = leg.bridge == fact.bridge_id, fact.bridge_id
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
    on = now.kind if now is not None and now.agent == partner.agent else ""
    if on == "talk" or (on == "hold" and told_again):  # who was put aside is back when he enters it anew
        return False
    if story.state is State.ENDED:
        return False
    story.leave_queue("answered")
    call.agent, call.answered_at = partner.agent, call.answered_at or _met(call, fact.at)
    return True


def _bridge_left(story: Story, fact: BridgeLeft) -> bool:
    leg = story.legs.get(fact.leg_id)
    if leg is not None and leg.bridge == fact.bridge_id:
        leg.bridge = ""
    return False


def _transferred(story: Story, fact: Transferred) -> bool:
    story.call.transfers += 1
    return fact.kind == "blind"


def _put_aside(story: Story, fact: PutAside) -> bool:
    now = story.open_segment
    if now is not None and now.kind == "talk":
        story.call.holds += 1
        story.spend("hold", fact.at)
    return fact.why == "parked"


def _dialled(story: Story, fact: Dialled) -> bool:
    if story.call.direction != "in":
        story.call.did = fact.number[:40]
    return False


def _line_measured(story: Story, fact: LineMeasured) -> bool:
    leg = story.leg(fact.leg_id, fact.at)
    said = {"packets": fact.packets, "loss": fact.loss, "jitter_ms": fact.jitter_ms, "rtt_ms": fact.rtt_ms}
    leg.line = {**(leg.line or {}), fact.by: said}
    return False


def _recording_started(story: Story, fact: RecordingStarted) -> bool:
    story.call.recording = story.call.recording or fact.file
    return False


def _customer_bound(story: Story, fact: CustomerBound) -> bool:
    if fact.by or story.call.customer_id is None:  # what a person chose stands
        story.call.customer_id = fact.customer_id
    return False


def _caller_kept(story: Story, fact: CallerKept) -> bool:
    """For the agent whose phone went last: of those who met in a room it may be any."""
    legs = [leg for leg in story.legs.values() if leg.agent]
    gone = [leg for leg in legs if leg.ended_at is not None and leg.cause in UNWISHED]
    if gone and not any(leg.agent == story.call.agent and leg.ended_at is None for leg in legs):
        story.call.agent = max(gone, key=lambda leg: leg.ended_at or fact.at).agent
    return True


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
    CallBackAsked: _call_back_asked,
    AgentRung: _agent_rung,
    AgentMissed: _agent_missed,
    AgentAnswered: _agent_answered,
    AgentDone: _nothing,
    Held: _held,
    Resumed: _resumed,
    BridgeEntered: _bridge_entered,
    BridgeLeft: _bridge_left,
    CallerKept: _caller_kept,
    Transferred: _transferred,
    Dialled: _dialled,
    PutAside: _put_aside,
    LineMeasured: _line_measured,
    RecordingStarted: _recording_started,
    CustomerBound: _customer_bound,
}
