"""A call step by step, as its facts in the ledger tell it: what was heard, who was asked and why, states, sound, end.

Pure over rows and facts, which ``reports.material`` reads. Nothing is guessed: what nobody told is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from callcenter.events import Fact
from callcenter.facts import AgentRung, QueueJoined
from cti import calls
from cti.rows import Call, Spell
from cti.story import State, Story, begin
from reports import steps
from reports.choices import Choice, choose, paused, standing, stood
from reports.material import Material, Told

RECONCILED = frozenset({"queue_log", "cel", "resync"})
"""Sources that tell afterwards what was not seen while it happened."""
UNSEEN = frozenset({"unseen", "lost"})
AT_ONCE = timedelta(milliseconds=200)
"""Phones rung within this are rung together."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened. ``words`` is a text to be translated, with ``values`` to be put into it."""

    at: datetime
    offset_ms: int  # since the call began
    sound_ms: int | None  # into the recording; None where there is none
    seq: int
    type: str  # of the fact
    words: str
    values: Mapping[str, Any]
    source: str  # who told it: ami, queue_log, cel, resync, desk, policy …
    reconciled: bool  # told afterwards, from the switch's logs or by looking again
    minor: bool  # of interest to whoever looks for a fault
    before: str = ""  # the call's state, where the step changed it
    after: str = ""
    agent: str = ""
    queue: str = ""
    choices: Sequence[Choice] = ()


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A state that lasted, as a lane draws it."""

    kind: str
    from_ms: int
    to_ms: int
    queue: str = ""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One row of states: ``of`` is caller, queue or agent; ``name`` the queue or the agent."""

    of: str
    name: str
    stretches: Sequence[Stretch]


@dataclass(frozen=True, kw_only=True)
class Replay:
    call: Call
    steps: Sequence[Step]
    lanes: Sequence[Lane]
    length_ms: int  # of the call; up to now while it lives
    shown_ms: int  # to where the lanes reach: sound and wrap-up behind it, too
    sound_from_ms: int | None  # where in the call the recording begins
    sound_ms: int  # how long it is
    cut: bool


def compose(material: Material, now: datetime) -> Replay:
    call, sound = material.call, material.sound
    length_ms = _ms((call.ended_at or max(now, call.started_at)) - call.started_at)
    ends = [spell.ended_at or now for spell in material.own_spells]
    after_ms = max((_ms(end - call.started_at) for end in ends), default=0)
    sound_from_ms = None if sound is None else _ms(sound.started_at - call.started_at)
    sound_to_ms = 0 if sound is None or sound_from_ms is None else sound_from_ms + sound.length_ms
    shown_ms = max(1, length_ms, min(after_ms, length_ms * 5 // 4), sound_to_ms)
    return Replay(
        call=call,
        steps=sorted(_steps(material), key=lambda step: (step.at, step.seq)),
        lanes=_lanes(material, shown_ms, now),
        length_ms=length_ms,
        shown_ms=shown_ms,
        sound_from_ms=sound_from_ms,
        sound_ms=0 if sound is None else sound.length_ms,
        cut=material.cut,
    )


# --- steps ------------------------------------------------------------------------------------------------------


def _steps(material: Material) -> list[Step]:
    """The call's own facts, heard by the table that projects them, and what its agents and the link did meanwhile."""
    call = material.call
    known = steps.known(call.call_id, [told.fact for told in material.told], material.came_from)
    story: Story | None = None
    found: list[Step | None] = []
    for told in material.told:
        before = after = None
        if type(told.fact) in calls.STEPS:
            story = story or begin(told.fact, call.call_id)
            before = story.state
            calls.hear(story, told.fact)
            after = story.state
        outcome = call.outcome if after is State.ENDED and before is not after else ""
        said = steps.words(told.fact, known, outcome)
        moved = (before.value, after.value) if before and after and before is not after else ("", "")
        found.append(_step(material, told, said, *moved))
    found += [_step(material, told, steps.words(told.fact, known), "", "") for told in material.around]
    return [step for step in found if step is not None]


def _step(material: Material, told: Told, said: steps.Said | None, before: str, after: str) -> Step | None:
    if said is None:
        return None
    fact, sound = told.fact, material.sound
    sound_ms = -1 if sound is None else _ms(fact.at - sound.started_at)
    return Step(
        at=fact.at,
        offset_ms=_ms(fact.at - material.call.started_at),
        sound_ms=sound_ms if sound is not None and 0 <= sound_ms <= sound.length_ms else None,
        seq=told.seq,
        type=type(fact).__name__,
        words=said.words,
        values=said.values,
        source=told.source,
        reconciled=told.source in RECONCILED or getattr(fact, "how", "") in UNSEEN,
        minor=said.minor and not after,
        before=before,
        after=after,
        agent=str(said.values.get("agent", "")),
        queue=getattr(fact, "queue", ""),
        choices=_choices(material, fact),
    )


def _choices(material: Material, fact: Fact) -> list[Choice]:
    """How everybody who serves the queue stood when the caller joined it, and whenever it rang somebody."""
    if not isinstance(fact, QueueJoined | AgentRung):
        return []
    asked: set[str] = set()
    at = fact.at
    if isinstance(fact, AgentRung):
        asked = {
            offer.agent for offer in material.offers if offer.queue == fact.queue and abs(offer.rung_at - at) <= AT_ONCE
        } | {fact.agent}
    penalties = {member.agent: member.penalty for member in material.members if member.serves(fact.queue, at)}
    standings = []
    for agent in sorted(penalties.keys() | asked):
        spell = stood(material.spells.get(agent, ()), at, material.call.call_id)
        seen = [reachable for told_at, reachable in material.phones.get(agent, ()) if told_at < at]
        reachable = seen[-1] if seen else None
        held = paused(material.pauses.get((agent, fact.queue), ()), at, spell.started_at if spell else None)
        standings.append(standing(spell, agent, penalties.get(agent, 0), reachable, held))
    return choose(standings, asked, material.strategies.get(fact.queue, ""), at)


# --- lanes ------------------------------------------------------------------------------------------------------


def _lanes(material: Material, shown_ms: int, now: datetime) -> list[Lane]:
    """The caller's time, his time in each queue, and each agent of the call."""
    call = material.call

    def stretch(kind: str, begun: datetime, ended: datetime | None, queue: str | None = None) -> Stretch:
        from_ms, to_ms = (_ms(at - call.started_at) for at in (begun, ended or now))
        return Stretch(
            kind=kind, from_ms=min(max(0, from_ms), shown_ms), to_ms=min(max(0, to_ms), shown_ms), queue=queue or ""
        )

    found = [
        Lane(
            of="caller",
            name="",
            stretches=[stretch(one.kind, one.started_at, one.ended_at, one.queue) for one in material.segments],
        )
    ]
    for queue in dict.fromkeys(one.queue for one in material.segments if one.kind == "queue" and one.queue):
        waits = [one for one in material.segments if one.kind == "queue" and one.queue == queue]
        waiting = [stretch("waiting", one.started_at, one.ended_at) for one in waits]
        rings = [stretch("ringing", one.rung_at, one.ended_at) for one in material.offers if one.queue == queue]
        found.append(Lane(of="queue", name=queue, stretches=_laid_over(waiting, rings)))
    for agent in material.involved:
        seen = [
            stretch(_seen(spell, call.call_id), spell.started_at, spell.ended_at)
            for spell in material.spells.get(agent, ())
        ]
        held = [one for one in material.segments if one.kind == "hold" and one.agent == agent]
        holds = [stretch("hold", one.started_at, one.ended_at) for one in held]
        found.append(Lane(of="agent", name=agent, stretches=_laid_over(seen, holds)))
    return found


def _laid_over(under: Sequence[Stretch], over: Sequence[Stretch]) -> list[Stretch]:
    """One row without overlaps: what lies over takes its place from what is under it, and the rest is left standing."""
    left = list(under)
    for top in over:
        parts = []
        for one in left:
            parts.append(replace(one, to_ms=min(one.to_ms, top.from_ms)))
            parts.append(replace(one, from_ms=max(one.from_ms, top.to_ms)))
        left = [*(one for one in parts if one.from_ms < one.to_ms), top]
    return sorted((one for one in left if one.from_ms < one.to_ms), key=lambda one: one.from_ms)


def _seen(spell: Spell, call_id: str) -> str:
    """What an agent's lane shows: the call's own states, and what kept him otherwise."""
    if spell.state != "idle":
        return spell.state if spell.call_id == call_id else "elsewhere"
    return {"available": "idle", "on_break": "on_break"}.get(spell.status, "offline")


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
