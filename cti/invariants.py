"""What must be true of our rows at every moment; each breach with its evidence. Pure but for ``load`` and ``keep``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import cast

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from callcenter.database import UtcTime
from cti.rows import Agent, BreachRow, Call, Leg, Spell

LATELY = timedelta(seconds=10)  # several looks: what stands for two is told of

# Built once, and of a few columns: they are asked every second.
_SINCE: BindParameter[datetime] = bindparam("since", type_=UtcTime)
_HERE = (Call.switch == bindparam("switch")) & (Call.ended_at.is_(None) | (Call.ended_at > _SINCE))
_CALLS = select(Call.call_id, Call.state, Call.outcome, Call.ended_at).where(_HERE)
_LEGS = (
    select(Leg.leg_id, Leg.call_id, Leg.agent, Leg.bridge, Leg.answered_at, Leg.ended_at)
    .join(Call, Call.call_id == Leg.call_id)
    .where(_HERE)
)
_AGENTS = select(Agent.extension, Agent.status, Agent.status_reason, Agent.status_since, Agent.state, Agent.legs)
_SPELLS = select(Spell.extension, Spell.status, Spell.state, Spell.started_at, Spell.ended_at).where(
    Spell.ended_at.is_(None) | (Spell.ended_at > _SINCE)
)


@dataclass(frozen=True)
class Breach:
    """``what`` names the invariant, ``whose`` the call or the agent."""

    what: str
    whose: str
    evidence: str


class Watch:
    """Breaches seen one look after another: only what stands for two looks is one; what comes between is on its way."""

    def __init__(self) -> None:
        self.count = 0  # breaches that stood, since we started
        self.standing: frozenset[tuple[str, str]] = frozenset()
        self.healed: frozenset[tuple[str, str]] = frozenset()  # at the last look
        self._suspected: frozenset[tuple[str, str]] = frozenset()

    @property
    def suspects(self) -> bool:
        """Something was seen at the last look; the next one decides."""
        return bool(self._suspected)

    def look(self, found: Sequence[Breach]) -> list[Breach]:
        """The breaches that are news: they stood at the last look too, and were not told yet."""
        seen = frozenset((breach.what, breach.whose) for breach in found)
        stand = seen & self._suspected
        news = [breach for breach in found if (breach.what, breach.whose) in stand - self.standing]
        self.healed = self.standing - seen
        self._suspected, self.standing = seen, stand
        self.count += len(news)
        return news


def load(db: Session, switch: str, at: datetime) -> list[Breach]:
    """The breaches in our rows now, of the calls that live or have just ended."""
    asked = {"switch": switch, "since": at - LATELY}
    calls, legs, agents, spells = (db.execute(rows, asked).all() for rows in (_CALLS, _LEGS, _AGENTS, _SPELLS))
    of = cast("tuple[Sequence[Call], Sequence[Leg], Sequence[Agent], Sequence[Spell]]", (calls, legs, agents, spells))
    return breaches({call.call_id: call for call in of[0]}, *of[1:])


def beside(db: Session, switch: str, channels: Mapping[str, str]) -> list[Breach]:
    """Where our live legs are not the switch's channels; ``channels`` is the bridge each is in, empty for none."""
    rows = select(Leg).join(Call, Call.call_id == Leg.call_id).where(Call.switch == switch, Leg.ended_at.is_(None))
    live = {leg.leg_id: leg for leg in db.scalars(rows)}
    found = [
        Breach("a live leg is at the switch", leg_id, f"{live[leg_id].channel} since {live[leg_id].started_at}")
        for leg_id in sorted(live.keys() - channels.keys())
    ]
    for leg_id, bridge in sorted(channels.items()):
        leg = live.get(leg_id)
        if leg is None:
            found.append(Breach("a channel of the switch is a live leg", leg_id, f"in bridge {bridge!r}"))
        elif leg.bridge != bridge:
            found.append(Breach("bridged as at the switch", leg_id, f"here {leg.bridge!r}, there {bridge!r}"))
    return found


def keep(
    db: Session, switch: str, news: Sequence[Breach], standing: Collection[tuple[str, str]], at: datetime
) -> list[BreachRow]:
    """Put the news on record; the answer are the breaches on record that stand no longer."""
    open_rows = db.scalars(select(BreachRow).where(BreachRow.switch == switch, BreachRow.healed_at.is_(None))).all()
    healed = [row for row in open_rows if (row.what, row.whose) not in standing]
    for row in healed:
        row.healed_at = at
    known = {(row.what, row.whose) for row in open_rows}
    for one in news:
        if (one.what, one.whose) not in known:
            evidence = one.evidence[:1000]
            told = {"what": one.what, "whose": one.whose, "evidence": evidence, "seen_at": at, "healed_at": None}
            db.add(BreachRow(switch=switch, **told))
    return healed


def breaches(
    calls: Mapping[str, Call], legs: Sequence[Leg], agents: Iterable[Agent], spells: Iterable[Spell]
) -> list[Breach]:
    """Over the calls that live or have just ended, their legs, all agents, and each agent's latest spells."""
    found: list[Breach] = []
    legs_of: dict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        legs_of[leg.call_id].append(leg)
    for call in calls.values():
        found += _of_call(call, legs_of[call.call_id])
    spells_of: dict[str, list[Spell]] = defaultdict(list)
    for spell in spells:
        spells_of[spell.extension].append(spell)
    live = {leg.leg_id: leg for leg in legs if leg.ended_at is None}
    phones: dict[str, list[Leg]] = defaultdict(list)
    for leg in live.values():
        if leg.agent:
            phones[leg.agent].append(leg)
    for agent in agents:
        found += _of_agent(agent, phones[agent.extension], live)
        found += _of_spells(agent, sorted(spells_of[agent.extension], key=lambda spell: spell.started_at))
    return found


def _of_call(call: Call, legs: Sequence[Leg]) -> list[Breach]:
    """A call that lives has a leg that lives and no outcome; one that ended has one outcome and no such leg."""
    live = [leg.leg_id for leg in legs if leg.ended_at is None]
    found = []
    if call.state == "ended":
        if not call.outcome or call.ended_at is None:
            found.append(Breach("ended with an outcome", call.call_id, f"outcome={call.outcome!r} end={call.ended_at}"))
        if live:
            found.append(Breach("ended with its last leg", call.call_id, f"live legs {live}"))
    else:
        if call.outcome or call.ended_at is not None:
            found.append(Breach("no outcome before the end", call.call_id, f"{call.state} outcome={call.outcome!r}"))
        if not live:
            found.append(Breach("lives with a leg", call.call_id, f"{call.state}, no leg lives"))
    return found


def _of_agent(agent: Agent, mine: Sequence[Leg], live: Mapping[str, Leg]) -> list[Breach]:
    """He talks if, and only if, a channel of his is in a bridge; one queued call at a time; a break has a reason."""
    found = []
    bridged = [leg for leg in mine if leg.bridge and _with_others(leg, live)]
    if bridged and agent.state != "talking":
        evidence = f"{agent.state}, in bridge with {[leg.leg_id for leg in bridged]}"
        found.append(Breach("in a bridge is talking", agent.extension, evidence))
    if agent.state == "talking" and not any(leg.answered_at or leg.bridge or leg.leg_id == leg.call_id for leg in mine):
        found.append(
            Breach("talking has a channel", agent.extension, f"legs {agent.legs}, live {[leg.leg_id for leg in mine]}")
        )
    gone = [leg_id for leg_id in agent.legs if leg_id not in live]
    if gone:
        found.append(Breach("busy with what lives", agent.extension, f"busy with {gone}, which are gone"))
    queued = {does[1] for does in agent.legs.values() if does[2] is not None}
    if len(queued) > 1:
        found.append(Breach("one call of a queue at a time", agent.extension, f"calls {sorted(queued)}"))
    if agent.status == "on_break" and not agent.status_reason:
        found.append(Breach("a break has a reason", agent.extension, f"on a break since {agent.status_since}"))
    return found


def _with_others(leg: Leg, live: Mapping[str, Leg]) -> bool:
    return any(other.bridge == leg.bridge and other is not leg for other in live.values())


def _of_spells(agent: Agent, spells: Sequence[Spell]) -> list[Breach]:
    """His spells follow each other without a gap, so the time he is there is the sum of what he does; one is open."""
    found = []
    for one, two in pairwise(spells):
        if one.ended_at != two.started_at:
            evidence = f"{one.state} ends {one.ended_at}, {two.state} begins {two.started_at}"
            found.append(Breach("his time adds up", agent.extension, evidence))
    if spells:
        last = spells[-1]
        if last.ended_at is not None or (last.status, last.state) != (agent.status, agent.state):
            evidence = f"last {last.status}/{last.state} until {last.ended_at}, is {agent.status}/{agent.state}"
            found.append(Breach("his time goes on", agent.extension, evidence))
    return found
