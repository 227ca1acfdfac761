"""What a call's replay is made of: its facts, its rows, and those who could have taken it. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter import phone
from callcenter.errors import NotFound
from callcenter.events import Fact
from callcenter.facts import (
    AgentRung,
    LegStarted,
    MemberChanged,
    MemberPaused,
    PhoneSeen,
    QueueJoined,
    StatusChosen,
    SwitchFound,
    SwitchLost,
    WrapUpFinished,
)
from callcenter.ledger import LedgerRow, as_fact
from config.people import QueueMember
from config.queues import Queue
from config.settings import Centre
from cti.members import serving
from cti.rows import Agent, Call, Offer, Segment, Spell
from recordings import catalogue
from ticketing.rows import Ticket

MOST_FACTS = 2000
"""Of one call; beyond it the replay says that it is cut."""
LOOK_BACK = 20_000
"""Facts before the call in which phones and pauses are looked for."""

_OF_NO_CALL = [
    kind.__name__
    for kind in (StatusChosen, WrapUpFinished, PhoneSeen, MemberPaused, MemberChanged, SwitchLost, SwitchFound)
]

Phones = Mapping[str, Sequence[tuple[datetime, bool]]]
"""By agent, oldest first: since when his phone is reachable, or not."""
Pauses = Mapping[tuple[str, str], Sequence[tuple[datetime, str | None]]]
"""By agent and queue, oldest first: since when the switch has him paused, with its reason; None: not paused."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A fact as it stands in the ledger."""

    seq: int
    source: str
    fact: Fact


@dataclass(frozen=True, kw_only=True)
class Sound:
    """The recording of a call: from when on, and how much of it there is."""

    started_at: datetime
    length_ms: int


@dataclass(frozen=True, kw_only=True)
class Member:
    """Who serves a queue, as declared at the time; as declared now for calls from before that was told."""

    queue: str
    agent: str
    penalty: int = 0
    since: datetime | None = None
    until: datetime | None = None

    def serves(self, queue: str, at: datetime) -> bool:
        began = self.since is None or self.since <= at
        return self.queue == queue and began and (self.until is None or at < self.until)


@dataclass(kw_only=True)
class Material:
    """All a replay is made of."""

    call: Call
    told: Sequence[Told]  # the call's own, in the ledger's order
    around: Sequence[Told] = ()  # of its agents, their phones and the link to the switch, while it went on
    segments: Sequence[Segment] = ()
    offers: Sequence[Offer] = ()
    spells: Mapping[str, Sequence[Spell]] = field(default_factory=dict)  # by agent, oldest first
    members: Sequence[Member] = ()
    strategies: Mapping[str, str] = field(default_factory=dict)  # by queue
    phones: Phones = field(default_factory=dict)
    pauses: Pauses = field(default_factory=dict)
    came_from: Mapping[str, str] = field(default_factory=dict)  # leg: the call it began in
    sound: Sound | None = None
    cut: bool = False  # there are more facts than were read

    @property
    def involved(self) -> list[str]:
        """Agents who were rung or talked, in the order they came in."""
        talked = [(one.started_at, one.agent) for one in self.segments if one.agent]
        rung = [(offer.rung_at, offer.agent) for offer in self.offers]
        return list(dict.fromkeys(agent for _at, agent in sorted([*talked, *rung]) if agent))

    @property
    def own_spells(self) -> list[Spell]:
        """Spells of ringing, talking and wrap-up for this very call."""
        return [spell for spells in self.spells.values() for spell in spells if spell.call_id == self.call.call_id]


def find(db: Session, text: str, centre: Centre) -> Call:
    """The call of this id, of this ticket's number, or the last one of this caller's number."""
    text = text.strip()
    call = db.get(Call, text)
    if call is not None:
        return call
    ticket = db.scalar(select(Ticket).where(Ticket.number == text.upper()))
    if ticket is not None:
        call = db.get(Call, ticket.call_id) if ticket.call_id else None
        if call is None:
            raise NotFound("ticket %(number)s came from no call", number=ticket.number)
        return call
    number = phone.normalise(text, centre.country, centre.area_code)
    mine = select(Call).where(Call.caller_number.in_({number, text})).order_by(Call.started_at.desc()).limit(1)
    call = db.scalar(mine) if number else None
    if call is None:
        raise NotFound("call %(text)s", text=text[:150])
    return call


def load(db: Session, call: Call, now: datetime) -> Material:
    """Everything told of the call, and of those who could have taken it."""
    mine = select(LedgerRow).where(LedgerRow.call_id == call.call_id).order_by(LedgerRow.seq).limit(MOST_FACTS + 1)
    told = [_told(row) for row in db.scalars(mine)]
    cut, told = len(told) > MOST_FACTS, told[:MOST_FACTS]
    segments = list(db.scalars(select(Segment).where(Segment.call_id == call.call_id).order_by(Segment.no)))
    offers = list(db.scalars(select(Offer).where(Offer.call_id == call.call_id).order_by(Offer.rung_at, Offer.leg_id)))
    queues = {one.fact.queue for one in told if isinstance(one.fact, QueueJoined | AgentRung)}
    members = _members(db, queues, call.started_at, call.ended_at or now)
    material = Material(call=call, told=told, segments=segments, offers=offers, members=members, cut=cut)
    material.strategies = {row.name: row.strategy for row in db.scalars(select(Queue).where(Queue.name.in_(queues)))}
    material.came_from = _came_from(db, material)
    material.sound = _sound(db, call)
    involved = set(material.involved)
    everybody = involved | {member.agent for member in members}
    until = call.ended_at or now
    material.spells = _spells(db, everybody, call.started_at, until, call.call_id)
    wraps = [spell.ended_at or now for spell in material.own_spells]
    material.around = _around(db, involved, call, max([until, *wraps]))
    if told:
        material.phones, material.pauses = _hindered(db, everybody, told[0].seq, told[-1].seq)
    return material


def _members(db: Session, queues: Collection[str], start: datetime, end: datetime) -> list[Member]:
    then = serving(db, queues, start, end)
    if then is None:
        now = db.scalars(select(QueueMember).where(QueueMember.queue.in_(queues)))
        return [Member(queue=row.queue, agent=row.extension, penalty=row.penalty) for row in now]
    return [
        Member(queue=row.queue, agent=row.extension, penalty=row.penalty, since=row.started_at, until=row.ended_at)
        for row in then
    ]


def _told(row: LedgerRow) -> Told:
    return Told(seq=row.seq, source=row.source, fact=as_fact(row))


def _came_from(db: Session, material: Material) -> dict[str, str]:
    """The call in which a leg began that was told of in this one without beginning in it."""
    call = material.call
    begun = {told.fact.leg_id for told in material.told if isinstance(told.fact, LegStarted)}
    legs = {leg for told in material.told if (leg := getattr(told.fact, "leg_id", None))} - begun
    keys = [f"LegStarted:{call.switch}:{leg}" for leg in legs]
    rows = db.scalars(select(LedgerRow).where(LedgerRow.key.in_(keys)))
    return {row.payload["leg_id"]: row.call_id for row in rows if row.call_id and row.call_id != call.call_id}


def _sound(db: Session, call: Call) -> Sound | None:
    row = catalogue.of_call(db, call.call_id)
    if row is None or row.state == "missing":
        return None
    return Sound(started_at=row.started_at, length_ms=row.length_ms)


def _spells(
    db: Session, agents: Collection[str], start: datetime, end: datetime, call_id: str
) -> dict[str, list[Spell]]:
    """Each agent's from the one he was in when the call began to its end, and his wrap-up of it."""
    last = (
        select(func.max(Spell.started_at))
        .where(Spell.extension == Agent.extension, Spell.started_at < start)
        .correlate(Agent)
        .scalar_subquery()
    )
    of_them = select(Spell).join(Agent, Agent.extension == Spell.extension).where(Agent.extension.in_(agents))
    when = (Spell.started_at == last, (Spell.started_at >= start) & (Spell.started_at <= end))
    found: dict[str, list[Spell]] = {}
    for condition in when:
        for spell in sorted(db.scalars(of_them.where(condition)), key=lambda spell: spell.started_at):
            found.setdefault(spell.extension, []).append(spell)
    wraps = select(Spell).where(Spell.state == "wrap_up", Spell.call_id == call_id, Spell.started_at > end)
    for spell in db.scalars(wraps):
        found.setdefault(spell.extension, []).append(spell)
    return found


def _around(db: Session, agents: Collection[str], call: Call, until: datetime) -> list[Told]:
    """What belongs to no call but happened in this one's time to its agents and its switch."""
    rows = (
        select(LedgerRow)
        .where(LedgerRow.at >= call.started_at, LedgerRow.at <= until, LedgerRow.type.in_(_OF_NO_CALL))
        .order_by(LedgerRow.at)
        .limit(MOST_FACTS)
    )
    found = []
    for row in db.scalars(rows):
        link = row.type in (SwitchLost.__name__, SwitchFound.__name__) and row.switch == call.switch
        if link or row.payload.get("agent") in agents:
            found.append(_told(row))
    return found


def _hindered(db: Session, agents: Collection[str], first_seq: int, last_seq: int) -> tuple[Phones, Pauses]:
    """What phones and the switch's pauses were told to be, from some time before the call to its last fact.

    Both are told when they change. Looking back ends after so many facts: what was told earlier is not known.
    """
    rows = (
        select(LedgerRow.at, LedgerRow.type, LedgerRow.payload)
        .where(
            LedgerRow.call_id.is_(None),
            LedgerRow.seq > first_seq - LOOK_BACK,
            LedgerRow.seq <= last_seq,
            LedgerRow.type.in_((PhoneSeen.__name__, MemberPaused.__name__)),
        )
        .order_by(LedgerRow.seq)
    )
    phones: dict[str, list[tuple[datetime, bool]]] = {}
    pauses: dict[tuple[str, str], list[tuple[datetime, str | None]]] = {}
    for at, kind, said in sorted(db.execute(rows), key=lambda row: row[0]):
        agent = said.get("agent")
        if agent not in agents:
            continue
        if kind == PhoneSeen.__name__:
            phones.setdefault(agent, []).append((at, said["reachable"]))
        else:
            pauses.setdefault((agent, said["queue"]), []).append((at, said["reason"] if said["paused"] else None))
    return phones, pauses
