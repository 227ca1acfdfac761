"""An agent as he is seen: what his legs do, whether he is in wrap-up, and his spells. Pure; no fact is refused.

Status is what a person chose, state is what the switch shows; each moves by its own facts.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    BridgeEntered,
    LegEnded,
    LegStarted,
    PhoneSeen,
    StatusChosen,
    WrapUpExtended,
    WrapUpFinished,
)
from cti.rows import Agent, Leg, Spell


class State(StrEnum):
    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    WRAP_UP = "wrap_up"


Doing = State | None

STEPS: dict[type[Fact], tuple[Doing, frozenset[Doing]]] = {  # what was said of a leg: (it does, believed from)
    LegStarted: (State.RINGING, frozenset({None})),  # TALKING if he dials himself
    AgentRung: (State.RINGING, frozenset({None, State.RINGING})),
    AgentAnswered: (State.TALKING, frozenset({None, State.RINGING, State.TALKING})),
    BridgeEntered: (State.TALKING, frozenset({State.RINGING, State.TALKING})),  # in another call, if transferred
    AgentMissed: (None, frozenset({State.RINGING})),
    AgentDone: (None, frozenset({State.RINGING, State.TALKING})),
    LegEnded: (None, frozenset({State.RINGING, State.TALKING})),
}


def step(doing: Doing, fact: Fact) -> tuple[bool, Doing]:
    """Whether the fact is believed of a leg that does this, and what the leg does then (None: gone or not begun)."""
    to, believed_from = STEPS.get(type(fact), (None, frozenset()))
    return doing in believed_from, to


def newcomer(extension: str, at: datetime | None = None) -> Agent:
    """One nobody has told of yet is offline and idle; ``at`` is when somebody does."""
    return Agent(
        extension=extension,
        status="offline",
        status_reason="",
        status_since=at,
        state=State.IDLE.value,
        state_since=at,
        call_id=None,
        queue=None,
        reachable=False,
        legs={},
        wrap_up=None,
        spell_at=None,
    )


def concerns(fact: Fact, leg: Leg | None) -> str | None:
    """The agent a fact is about: named in it, or the one whose leg it tells of."""
    if type(fact) in STEPS:
        named: str | None = getattr(fact, "agent", None)
        return named or (leg.agent if leg is not None else None)
    return fact.agent if isinstance(fact, StatusChosen | WrapUpFinished | WrapUpExtended | PhoneSeen) else None


def hear(agent: Agent, fact: Fact, leg: Leg | None, served: str | None = None) -> None:
    """Let the fact change the agent; ``leg`` is the row of the leg it tells of, ``served`` the queue its customer came
    from, if this agent talked with him."""
    match fact:
        case StatusChosen():
            if (agent.status, agent.status_reason) != (fact.status, fact.reason):
                agent.status, agent.status_reason, agent.status_since = fact.status, fact.reason, fact.at
        case WrapUpFinished():
            agent.wrap_up = None
        case WrapUpExtended():
            if agent.wrap_up is not None:
                call_id, queue = agent.wrap_up[:2]
                agent.wrap_up = [call_id, queue, more_s(agent) + fact.more_s]
        case PhoneSeen():
            agent.reachable = fact.reachable
        case _ if leg is not None:
            _leg_does(agent, fact, leg, served)
    _look(agent, fact.at)


MORE_S = 60
"""By so much a wrap-up is extended at a time."""
MOST_MORE_S = 600
"""How much longer a wrap-up may become."""


def more_s(agent: Agent) -> int:
    """By how much his wrap-up was extended, in seconds."""
    return int(agent.wrap_up[2]) if agent.wrap_up is not None and len(agent.wrap_up) > 2 else 0


def may_extend(agent: Agent) -> bool:
    return more_s(agent) + MORE_S <= MOST_MORE_S


def _leg_does(agent: Agent, fact: Fact, leg: Leg, served: str | None) -> None:
    if isinstance(fact, LegStarted) and fact.did.startswith("*"):
        return  # a code in place of a button is no talk
    doing, _call_id, queue = agent.legs.get(leg.leg_id, (None, None, None))
    believed, to = step(State(doing) if doing else None, fact)
    if not believed:
        return
    if isinstance(fact, LegStarted) and leg.leg_id == leg.call_id:
        to = State.TALKING
    legs = {leg_id: does for leg_id, does in agent.legs.items() if leg_id != leg.leg_id}
    queue = getattr(fact, "queue", queue)
    if to is None:
        queue = queue or served  # whoever took a customer over writes down what was said, too
        if doing == State.TALKING and queue is not None:
            agent.wrap_up = [leg.call_id, queue]
    elif leg.ended_at is None:  # else it was told late
        legs[leg.leg_id] = [to.value, leg.call_id, queue]
        if to is State.TALKING and queue is not None:
            agent.wrap_up = None  # the next call's follows
    agent.legs = legs


def _look(agent: Agent, at: datetime) -> None:
    """What the legs and the wrap-up amount to."""
    state, call_id, queue = _seen(agent)
    if agent.state != state or (agent.call_id != call_id and state is not State.IDLE):
        agent.state_since = at
    agent.state, agent.call_id, agent.queue = state.value, call_id, queue


def _seen(agent: Agent) -> tuple[State, str | None, str | None]:
    for doing in (State.TALKING, State.RINGING):
        for does, call_id, queue in agent.legs.values():
            if does == doing:
                return doing, call_id, queue
    if agent.wrap_up is not None:
        return State.WRAP_UP, agent.wrap_up[0], agent.wrap_up[1]
    return State.IDLE, None, None


def spell(agent: Agent, standing: Spell | None, at: datetime) -> Spell | None:
    """The agent's new spell if what he is has changed; the standing one ends where it begins."""
    if standing is not None:
        if (standing.status, standing.reason, standing.state, standing.call_id) == (
            agent.status,
            agent.status_reason,
            agent.state,
            agent.call_id,
        ):
            standing.queue = agent.queue
            return None
        at = max(at, standing.started_at)
        if at == standing.started_at:  # told in the same microsecond
            standing.status, standing.reason, standing.state = agent.status, agent.status_reason, agent.state
            standing.call_id, standing.queue = agent.call_id, agent.queue
            return None
        standing.ended_at = at
    agent.spell_at = at
    return Spell(
        extension=agent.extension,
        started_at=at,
        ended_at=None,
        status=agent.status,
        reason=agent.status_reason,
        state=agent.state,
        call_id=agent.call_id,
        queue=agent.queue,
    )
