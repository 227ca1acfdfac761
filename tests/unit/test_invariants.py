"""What must be true of the rows, each law broken once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cti.agents import newcomer
from cti.invariants import Breach, Watch, breaches
from cti.rows import Agent, Call, Leg, Spell
from tests.facts import CALL, NINE

AGENT_LEG = "tel-1795395601.2"


def call(**more: Any) -> Call:
    return Call(**({"call_id": CALL, "state": "talking", "outcome": "", "ended_at": None} | more))


def leg(leg_id: str = CALL, agent: str | None = None, **more: Any) -> Leg:
    said = {"call_id": CALL, "bridge": "b-1", "answered_at": NINE, "started_at": NINE, "ended_at": None}
    return Leg(leg_id=leg_id, agent=agent, **(said | more))


def agent(**more: Any) -> Agent:
    one = newcomer("1001", NINE)
    talks = {"status": "available", "state": "talking", "legs": {AGENT_LEG: ["talking", CALL, "repair"]}}
    for name, value in (talks | more).items():
        setattr(one, name, value)
    return one


def spell(start_s: float, end_s: float | None, **more: Any) -> Spell:
    end = None if end_s is None else NINE + timedelta(seconds=end_s)
    said = {"status": "available", "state": "talking"} | more
    return Spell(extension="1001", started_at=NINE + timedelta(seconds=start_s), ended_at=end, **said)


TALK = [leg(), leg(AGENT_LEG, "1001")]
TIME = [spell(0, 5, state="idle"), spell(5, None)]


def whats(calls: list[Call], legs: list[Leg], agents: list[Agent], spells: list[Spell] = TIME) -> list[str]:
    return [breach.what for breach in breaches({one.call_id: one for one in calls}, legs, agents, spells)]


def test_a_talk_as_it_should_be_breaks_nothing():
    assert whats([call()], TALK, [agent()]) == []


def test_a_call_ends_once_with_an_outcome_and_with_its_last_leg():
    ended = {"state": "ended", "ended_at": NINE}
    assert whats([call(**ended)], [leg(ended_at=NINE)], []) == ["ended with an outcome"]
    assert whats([call(**ended, outcome="answered")], [leg()], []) == ["ended with its last leg"]
    assert whats([call()], [leg(ended_at=NINE)], []) == ["lives with a leg"]
    assert whats([call(outcome="answered")], [leg()], []) == ["no outcome before the end"]


def test_who_is_in_a_bridge_talks_and_who_talks_has_a_channel():
    rings = agent(state="ringing", legs={AGENT_LEG: ["ringing", CALL, "repair"]})
    assert whats([call()], TALK, [rings], [spell(0, None, state="ringing")]) == ["in a bridge is talking"]
    assert whats([call()], [leg()], [agent(legs={})]) == ["talking has a channel"]
    assert "busy with what lives" in whats([call()], [leg()], [agent()])


def test_alone_in_a_bridge_is_no_talk():
    rings = agent(state="ringing", legs={AGENT_LEG: ["ringing", CALL, "repair"]})
    assert whats([call()], [leg(bridge=""), TALK[1]], [rings], [spell(0, None, state="ringing")]) == []


def test_one_call_of_a_queue_at_a_time_but_he_may_ask_a_colleague():
    other = "tel-1795395700.7"
    legs = [*TALK, leg(other, "1001", call_id=other)]
    calls = [call(), call(call_id=other)]
    both = {AGENT_LEG: ["talking", CALL, "repair"], other: ["talking", other, "inquiry"]}
    assert whats(calls, legs, [agent(legs=both)]) == ["one call of a queue at a time"]
    asks = {AGENT_LEG: ["talking", CALL, "repair"], other: ["talking", other, None]}
    assert whats(calls, legs, [agent(legs=asks)]) == []


def test_a_break_has_a_reason():
    away = [spell(0, None, status="on_break")]
    assert whats([call()], TALK, [agent(status="on_break", status_reason="")], away) == ["a break has a reason"]
    assert whats([call()], TALK, [agent(status="on_break", status_reason="午休")], away) == []


def test_his_time_adds_up():
    assert whats([call()], TALK, [agent()], [spell(0, 4, state="idle"), spell(5, None)]) == ["his time adds up"]
    assert whats([call()], TALK, [agent()], [spell(0, 5)]) == ["his time goes on"]
    assert whats([call()], TALK, [agent()], [spell(0, None, state="idle")]) == ["his time goes on"]


def test_only_what_stands_for_two_looks_is_told_and_it_is_told_once():
    watch, breach = Watch(), Breach("a break has a reason", "1001", "")
    assert watch.look([breach]) == []
    assert watch.look([]) == []
    assert watch.look([breach]) == []
    assert watch.look([breach]) == [breach]
    assert watch.look([breach]) == []
    assert (watch.count, len(watch.standing)) == (1, 1)
    assert watch.look([]) == []
    assert not watch.standing
