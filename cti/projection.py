"""The one way a fact gets into the house: appended to the ledger, projected on the rows, told after commit.

The rows are loaded, and locked, before the facts are appended: so the ledger's order is the order in which each row
saw its facts, and ``rebuild`` comes to the same rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from sqlalchemy import bindparam, delete, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from callcenter import jobs, ledger, phone
from callcenter.database import Database
from callcenter.events import Event, Fact
from callcenter.facts import AgentRung, CustomerBound, Dialled, LegEnded, LegStarted, MemberChanged, PhoneSeen
from callcenter.nudges import AgentChanged, CallChanged
from cti import agents, calls, members, rollups
from cti.rows import PROJECTIONS, Agent, Call, Leg, Offer, Segment, Spell
from cti.story import State, Story, begin
from ticketing import customers

log = logging.getLogger(__name__)

CHUNK = 2000  # facts projected at once by rebuild


def _among(name: str) -> Any:
    return bindparam(name, expanding=True)


# Built once: putting a statement together costs more than SQLite's answer to it. Locks are always taken in one order.
_LEG = aliased(Leg)
_CALLS = (
    select(Call, Leg)
    .outerjoin(Leg, Leg.call_id == Call.call_id)
    # A leg may have been in another call before a transfer.
    .where(
        or_(
            Call.call_id.in_(_among("call_ids")),
            Call.call_id.in_(select(_LEG.call_id).where(_LEG.leg_id.in_(_among("leg_ids")))),
        )
    )
    .order_by(Call.call_id, Leg.started_at, Leg.leg_id)
    .with_for_update(of=Call)
)
_SEGMENTS = select(Segment).where(Segment.call_id.in_(_among("call_ids"))).order_by(Segment.call_id, Segment.no)
_OFFERS = select(Offer).where(Offer.call_id.in_(_among("call_ids"))).order_by(Offer.rung_at)
_AGENTS = (
    select(Agent, Spell)
    .outerjoin(Spell, (Spell.extension == Agent.extension) & (Spell.started_at == Agent.spell_at))
    .where(Agent.extension.in_(_among("extensions")))
    .order_by(Agent.extension)
    .with_for_update(of=Agent)
)


def record(db: Session, facts: Iterable[Fact], source: ledger.Source) -> list[Event]:
    """Keep what is new of the facts and project it; the answer is what to publish once the caller has committed."""
    told = list(facts)
    ledger.in_turn(db)  # before any row is locked: whoever has the turn waits for nobody
    rows = _Rows.load(db, told)
    new = ledger.append(db, rows.news(told), source)
    rows.hear(new)
    rollups.doubt(db, rows.touched())
    for story in rows.stories.values():
        if story.call.call_id in rows.ended and story.call.recording:
            _plan_recording(db, story.call)
    return [*new, *rows.nudges()]


def recognise(db: Session, facts: Sequence[Fact]) -> list[Fact]:
    """The facts, and behind each first leg the customer whose number it is, if just one known customer has it.

    What was looked up becomes a fact of its own, so that the ledger says it for ever.
    """
    first = [fact for fact in facts if _names_somebody(fact)]
    if not first:
        return list(facts)
    known = customers.known(db, {fact.number for fact in first})
    found: list[Fact] = []
    for fact in facts:
        found.append(fact)
        if _names_somebody(fact):
            whose = known.get(fact.number, ())
            if len(whose) == 1:
                (customer_id,) = whose
                bound = CustomerBound(at=fact.at, switch=fact.switch, call_id=fact.call_id, customer_id=customer_id)
                found.append(bound)
    return found


def _names_somebody(fact: Fact) -> TypeGuard[LegStarted | Dialled]:
    """By a number: of who calls, or of whom an agent calls."""
    return isinstance(fact, LegStarted | Dialled) and bool(fact.number) and fact.leg_id == fact.call_id


def rebuild(database: Database) -> dict[str, int]:
    """Drop calls, segments, offers, agents and their spells and make them again; how many rows each table has."""
    with database.write() as db:
        if not database.is_sqlite:
            db.execute(text("LOCK TABLE ledger IN EXCLUSIVE MODE"))
        rollups.forget(db)
        for table in PROJECTIONS:
            db.execute(delete(table))
        after = 0
        while told := list(ledger.read(db, after=after, limit=CHUNK)):
            facts = [fact for _seq, fact in told]
            rows = _Rows.load(db, facts)
            rows.quiet = True  # these facts were logged when they were told
            rows.hear(facts)
            db.flush()
            db.expunge_all()
            after = told[-1][0]
        return {table.__tablename__: db.scalar(select(func.count()).select_from(table)) or 0 for table in PROJECTIONS}


def _plan_recording(db: Session, call: Call) -> None:
    assert call.ended_at is not None
    jobs.plan(db, "recording", f"recording:{call.call_id}", {"call_id": call.call_id}, call.ended_at)


@dataclass
class _Rows:
    """The rows some facts touch."""

    db: Session
    stories: dict[str, Story] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    spells: dict[str, Spell] = field(default_factory=dict)  # the open ones
    ended: set[str] = field(default_factory=set)  # calls that ended now
    changed: dict[str, datetime] = field(default_factory=dict)  # calls, and the stamp of the last fact
    seen: dict[str, datetime] = field(default_factory=dict)  # agents, and the earliest stamp of a fact
    quiet: bool = False

    # --- loading ------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, db: Session, facts: Sequence[Fact]) -> _Rows:
        """A few SELECTs, however many facts; calls and agents locked, always in the same order."""
        rows = cls(db)
        call_ids = {fact.call_id for fact in facts if fact.call_id}
        leg_ids = {leg_id for fact in facts if (leg_id := getattr(fact, "leg_id", None))}
        leg_ids |= {fact.caller_leg_id for fact in facts if isinstance(fact, AgentRung)}
        if call_ids:
            rows._load_calls(call_ids, leg_ids)
        extensions = {agent for fact in facts if (agent := getattr(fact, "agent", None))}
        rows._load_agents(extensions | {leg.agent for leg in rows.legs.values() if leg.agent})
        return rows

    def _load_calls(self, call_ids: set[str], leg_ids: set[str]) -> None:
        db = self.db
        for call, leg in db.execute(_CALLS, {"call_ids": list(call_ids), "leg_ids": list(leg_ids)}):
            story = self.stories.setdefault(call.call_id, Story(call))
            if leg is not None:
                self.legs[leg.leg_id] = story.legs[leg.leg_id] = leg
        if not self.stories:
            return
        mine = {"call_ids": list(self.stories)}
        for segment in db.scalars(_SEGMENTS, mine):
            self.stories[segment.call_id].segments.append(segment)
        for offer in db.scalars(_OFFERS, mine):
            self.stories[offer.call_id].offers[offer.leg_id] = offer

    def _load_agents(self, extensions: set[str]) -> None:
        if not extensions:
            return
        for agent, spell in self.db.execute(_AGENTS, {"extensions": list(extensions)}):
            self.agents[agent.extension] = agent
            if spell is not None:
                self.spells[agent.extension] = spell

    def news(self, facts: Sequence[Fact]) -> list[Fact]:
        """Without the phones that are seen again as they were: a device tells its state several times in every call."""
        reachable = {extension: agent.reachable for extension, agent in self.agents.items()}
        found: list[Fact] = []
        for fact in facts:
            if isinstance(fact, PhoneSeen):
                if reachable.get(fact.agent, False) == fact.reachable:
                    continue
                reachable[fact.agent] = fact.reachable
            found.append(fact)
        return found

    # --- hearing ------------------------------------------------------------------------------------------------

    def hear(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            leg_id = getattr(fact, "leg_id", "")
            story = self._story(fact, leg_id) if fact.call_id and type(fact) in calls.STEPS else None
            if story is not None:
                self._call_hears(story, fact)
            leg = self.legs.get(leg_id)
            extension = agents.concerns(fact, leg)
            if extension is not None:
                self._agent_hears(extension, fact, leg)
            elif isinstance(fact, MemberChanged):
                members.hear(self.db, fact)

    def _story(self, fact: Fact, leg_id: str) -> Story:
        """The story the fact belongs to. A leg that is told of in another call than before has been transferred."""
        assert fact.call_id is not None
        story = self.stories.get(fact.call_id)
        if story is None:
            story = self.stories[fact.call_id] = begin(fact, fact.call_id)
            self._keep(story)
        leg = self.legs.get(leg_id)
        if leg is not None and leg.call_id != fact.call_id:
            before = self.stories[leg.call_id]
            del before.legs[leg_id]
            leg.call_id = fact.call_id
            story.legs[leg_id] = leg
            was = _stands(before)
            before.settle(fact.at)
            self._note(before, was, fact)
        return story

    def _call_hears(self, story: Story, fact: Fact) -> None:
        was = _stands(story)
        calls.hear(story, fact)
        self._keep(story)
        self._note(story, was, fact)

    def _keep(self, story: Story) -> None:
        for row in story.added:
            self.db.add(row)
            if isinstance(row, Leg):
                self.legs[row.leg_id] = row
        story.added.clear()

    def _note(self, story: Story, was: tuple[State, str | None], fact: Fact) -> None:
        call = story.call
        self.changed[call.call_id] = fact.at
        if story.state is State.ENDED and was[0] is not State.ENDED:
            self.ended.add(call.call_id)
        level = logging.DEBUG if _stands(story) == was else logging.INFO  # most of what is told leaves a call as it was
        if not self.quiet and log.isEnabledFor(level):
            what, number, now = type(fact).__name__, phone.mask(call.caller_number), story.state
            log.log(
                level, "call %s %s %s -> %s agent=%s caller=%s", call.call_id, what, was[0], now, call.agent, number
            )

    def _agent_hears(self, extension: str, fact: Fact, leg: Leg | None) -> None:
        agent = self.agents.get(extension)
        if agent is None:
            agent = self.agents[extension] = self._newcomer(extension, fact.at)
        was = _shown(agent)
        agents.hear(agent, fact, leg, self._served(extension, leg) if isinstance(fact, LegEnded) else None)
        if _shown(agent) == was and extension in self.spells:
            return  # most of what his legs do leaves him as he was
        begun = agents.spell(agent, self.spells.get(extension), fact.at)
        if begun is not None:
            self.spells[extension] = begun
            self.db.add(begun)
        self.seen[extension] = min(self.seen.get(extension, fact.at), fact.at)

    def _served(self, extension: str, leg: Leg | None) -> str | None:
        """The queue of the call the leg is in, if the agent talked with its caller."""
        story = self.stories.get(leg.call_id) if leg is not None else None
        if story is None or story.call.direction != "in":
            return None
        talked = any(part.kind == "talk" and part.agent == extension for part in story.segments)
        return story.call.queue if talked else None

    def _newcomer(self, extension: str, at: datetime) -> Agent:
        """The agent's first row; a colleague's process may be making it at this very moment."""
        new = agents.newcomer(extension, at)
        values = {column.key: getattr(new, column.key) for column in Agent.__table__.columns}
        dialect: Any = sqlite if self.db.get_bind().dialect.name == "sqlite" else postgresql
        self.db.execute(dialect.insert(Agent).values(values).on_conflict_do_nothing())
        return self.db.scalars(select(Agent).where(Agent.extension == extension).with_for_update()).one()

    def touched(self) -> Iterator[tuple[datetime, datetime | None]]:
        """The stretches of which something may have changed; an agent's time changes up to now."""
        for call_id, at in self.changed.items():
            call = self.stories[call_id].call
            yield call.started_at, call.ended_at or max(at, call.started_at)
        if self.seen:
            yield min(self.seen.values()), None

    def nudges(self) -> list[Event]:
        told: list[Event] = []
        for call_id, at in self.changed.items():
            call = self.stories[call_id].call
            told.append(CallChanged(call_id=call_id, state=call.state, queue=call.queue, agent=call.agent, at=at))
        for extension in self.seen:
            agent = self.agents[extension]
            told.append(AgentChanged(agent=extension, status=agent.status, state=agent.state, call_id=agent.call_id))
        return told


def _stands(story: Story) -> tuple[State, str | None]:
    """How far a call is, and with whom."""
    return story.state, story.call.agent


def _shown(agent: Agent) -> tuple[object, ...]:
    """What others see of him, and his spells tell."""
    return agent.status, agent.status_reason, agent.state, agent.call_id, agent.queue, agent.reachable
