"""An agent as he is seen, and his spells without gaps."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
)
from cti.agents import State, concerns, hear, newcomer, spell, step
from cti.rows import Agent, Leg, Spell
from tests.facts import CALL, NINE, Told, answered_call

B, C = f"{CALL}-2", f"{CALL}-3"
OTHER = "tel-1795399999.7"


class Seen:
    """One agent, his spells, and the legs as their rows would stand."""

    def __init__(self, extension: str = "1001") -> None:
        self.agent: Agent = newcomer(extension, NINE)
        self.spells: list[Spell] = []
        self._legs: dict[str, Leg] = {}

    def hears(self, *told: Told) -> Seen:
        for fact in sorted((fact for said in told for fact in said.facts), key=lambda fact: fact.at):
            self.hear(fact)
        return self

    def hear(self, fact) -> None:
        leg = self._leg(fact)
        if concerns(fact, leg) == self.agent.extension:
            hear(self.agent, fact, leg)
            begun = spell(self.agent, self.spells[-1] if self.spells else None, fact.at)
            if begun is not None:
                self.spells.append(begun)

    def _leg(self, fact) -> Leg | None:
        leg_id = getattr(fact, "leg_id", None)
        if leg_id is None:
            return None
        leg = self._legs.setdefault(
            leg_id, Leg(leg_id=leg_id, call_id=fact.call_id, agent=getattr(fact, "agent", None))
        )
        leg.agent = leg.agent or getattr(fact, "agent", None)
        if isinstance(fact, LegEnded):
            leg.ended_at = fact.at
        return leg

    def story(self) -> list[tuple[Any, ...]]:
        return [(s.status, s.state, s.queue) for s in self.spells]


@pytest.mark.parametrize(
    ("doing", "kind", "then"),
    [
        (None, LegStarted, (True, State.RINGING)),
        (State.RINGING, AgentRung, (True, State.RINGING)),
        (None, AgentAnswered, (True, State.TALKING)),  # AgentRung was lost
        (State.RINGING, BridgeEntered, (True, State.TALKING)),
        (State.TALKING, BridgeEntered, (True, State.TALKING)),  # with the caller of another call, after a transfer
        (None, BridgeEntered, (False, State.TALKING)),  # after AgentDone: it is over
        (State.RINGING, AgentMissed, (True, None)),
        (State.TALKING, AgentMissed, (False, None)),
        (State.TALKING, AgentDone, (True, None)),
        (State.TALKING, LegEnded, (True, None)),
        (None, LegEnded, (False, None)),
        (State.TALKING, PhoneSeen, (False, None)),
    ],
)
def test_step(doing, kind, then):
    assert step(doing, kind.__new__(kind)) == then


def test_a_call_rings_is_talked_and_wrapped_up():
    said = Told().chooses("1001", "available")
    said.facts += answered_call(at=NINE + timedelta(seconds=10)).facts
    said.at = said.facts[-1].at
    seen = Seen().hears(said.wraps_up("1001"))
    assert seen.story() == [
        ("available", "idle", None),
        ("available", "ringing", "repair"),
        ("available", "talking", "repair"),
        ("available", "wrap_up", "repair"),
        ("available", "idle", None),
    ]
    assert (seen.agent.state, seen.agent.call_id, seen.agent.queue) == ("idle", None, None)


def test_who_misses_is_idle_again():
    seen = Seen("1009").hears(answered_call())
    assert [state for _status, state, _queue in seen.story()] == ["ringing", "idle"]
    assert seen.agent.wrap_up is None


def test_wrap_up_begins_with_the_end_of_the_leg_if_the_switch_does_not_say_done():
    said = Told().rings("1001", B).answers("1001", B).ends(B, 30)
    seen = Seen().hears(said)
    assert (seen.agent.state, seen.agent.state_since, seen.agent.call_id) == ("wrap_up", said.at, CALL)


def test_a_call_of_his_own_needs_no_wrap_up():
    said = Told().leg(CALL, 0, "PJSIP/1001-0000000a", did="13800138000", agent="1001").meets(B).ends(after=30)
    assert [state for _status, state, _queue in Seen().hears(said).story()] == ["talking", "idle"]


def test_a_colleague_who_rings_him_is_talked_to():
    said = Told().leg(B, 0, "PJSIP/1001-0000000b", agent="1001").enters(B, "b-1", 5).ends(B, 30)
    assert [state for _status, state, _queue in Seen().hears(said).story()] == ["ringing", "talking", "idle"]


def test_a_call_made_in_wrap_up_leads_back_to_it():
    said = Told().rings("1001", B).answers("1001", B).done("1001", B).ends(B)
    out = Told(OTHER, at=said.at + timedelta(seconds=5)).leg(
        OTHER, 0, "PJSIP/1001-0000000c", did="13800138000", agent="1001"
    )
    seen = Seen().hears(said, out.ends(after=20))
    assert [state for _status, state, _queue in seen.story()] == ["ringing", "talking", "wrap_up", "talking", "wrap_up"]
    assert seen.agent.call_id == CALL


def test_a_second_line_leaves_him_talking_on_the_first():
    said = Told().rings("1001", B).answers("1001", B)
    consult = Told(OTHER, at=said.at + timedelta(seconds=5)).leg(
        OTHER, 0, "PJSIP/1001-0000000c", did="1002", agent="1001"
    )
    seen = Seen().hears(said, consult)
    assert (seen.agent.state, seen.agent.call_id) == ("talking", CALL)
    said.ends(B, 60)
    seen.hear(said.facts[-1])
    assert (seen.agent.state, seen.agent.call_id) == ("talking", OTHER)
    consult.ends(after=70)
    seen.hear(consult.facts[-1])
    assert (seen.agent.state, seen.agent.call_id) == ("wrap_up", CALL)


def test_a_break_chosen_while_he_talks_is_a_spell_of_its_own():
    said = Told().chooses("1001", "available").rings("1001", B).answers("1001", B)
    seen = Seen().hears(said.chooses("1001", "on_break", 5, "lunch"))
    assert seen.story()[-2:] == [("available", "talking", "repair"), ("on_break", "talking", "repair")]
    assert (seen.agent.status_reason, seen.agent.status_since) == ("lunch", said.at)


def test_the_same_status_chosen_again_changes_nothing():
    seen = Seen().hears(Told().chooses("1001", "available").chooses("1001", "available", 60))
    assert len(seen.spells) == 1
    assert seen.agent.status_since == NINE


def test_a_ringing_told_after_its_leg_has_ended_rings_nobody():
    said = Told().ends(B).say(AgentRung, 0.1, B, caller_leg_id=CALL, queue="repair", agent="1001")
    assert Seen().hears(said).agent.state == "idle"


def test_a_phone_that_goes_away_is_not_a_change_of_state():
    seen = Seen()
    seen.hear(PhoneSeen(at=NINE, agent="1001", reachable=True))
    assert (seen.agent.reachable, seen.agent.state) == (True, "idle")


def day() -> list[Fact]:
    said = Told().chooses("1001", "available")
    said.facts += answered_call(at=NINE + timedelta(seconds=10)).facts
    said.at = said.facts[-1].at
    said.wraps_up("1001").chooses("1001", "on_break", 60, "lunch").chooses("1001", "available", 600)
    again = Told(OTHER, at=said.at).rings("1001", C).misses("1001", C)
    return [*said.facts, *again.facts]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(day()), max_size=60))
def test_whatever_is_lost_doubled_or_out_of_order_leaves_no_gap_and_one_open_spell(facts):
    seen = Seen()
    for fact in facts:
        seen.hear(fact)
    assert all(earlier.ended_at == later.started_at for earlier, later in pairwise(seen.spells))
    assert all(earlier.started_at < later.started_at for earlier, later in pairwise(seen.spells))
    assert all(s.ended_at is None for s in seen.spells[-1:])
    for leg_id in {leg for leg in (getattr(fact, "leg_id", None) for fact in facts) if leg}:
        seen.hear(LegEnded(at=facts[-1].at, call_id=CALL, leg_id=leg_id, cause=0))
    assert seen.agent.legs == {}
    assert seen.agent.state in ("idle", "wrap_up")
