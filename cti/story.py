"""A call with all that belongs to it: how the caller's time is told in segments, and how it ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from callcenter.database import Base
from callcenter.events import Fact
from callcenter.facts import AgentAnswered, AgentRung, LegEnded, MenuStep, QueueJoined
from cti.rows import Call, Leg, Offer, Segment


class State(StrEnum):
    ARRIVED = "arrived"  # the dial plan has him
    IN_MENU = "in_menu"
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    PARKED = "parked"  # waits with music until somebody fetches him
    KEPT = "kept"  # the agent's phone is gone, the caller is not
    ENDED = "ended"


WITH_AGENT = ("talk", "hold", "kept")
SAME_MOMENT = timedelta(milliseconds=200)
"""The switch tells one happening in several events; what is this close belongs together."""
_MILLISECOND = timedelta(milliseconds=1)


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

    # --- the caller's time --------------------------------------------------------------------------------------

    def spend(self, kind: str, at: datetime) -> None:
        """From now on the caller's time is of this kind."""
        queue = self.call.queue if kind == "queue" else None
        agent = self.call.agent if kind in WITH_AGENT else None
        now = self.open_segment
        if now is not None:
            if kind in WITH_AGENT and (now.kind == "queue" or now.kind in WITH_AGENT):
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
        gone = (leg.ended_at for leg in self.legs.values() if leg.ended_at)
        # Not before its last part began: the switch's clock may have been set back meanwhile.
        call.ended_at = max(at, call.started_at, *gone, *(segment.started_at for segment in self.segments[-1:]))
        call.outcome = self._outcome(call.ended_at, how)
        last = self.open_segment
        if last is not None and last.kind == "queue":
            last.outcome = last.outcome or how or "abandoned"
        self.close(self._talked_until(at) if last is not None and last.kind == "talk" else at)
        for offer in self.ringing:
            offer.ended_at, offer.outcome = max(at, offer.rung_at), "cancelled"
        call.state = State.ENDED.value

    def _talked_until(self, at: datetime) -> datetime:
        """When the last but one left: whom the dial plan still looks after talks with nobody."""
        gone = sorted(leg.ended_at for leg in self.legs.values() if leg.ended_at is not None)
        return gone[-2] if len(gone) > 1 else at

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
        if self.call.call_back:
            return "call_back"
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
        call_back="",
    )
    story = Story(call, added=[call])
    if not isinstance(fact, LegEnded):
        story.leg(call_id, fact.at)  # a call is named for its first leg
    story.spend("arrival", fact.at)
    return story
