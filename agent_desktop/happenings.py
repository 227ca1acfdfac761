"""What other programs are told: facts of the ledger in public words, in the order of their numbers.

The ledger's number is the only thing a program has to remember: whoever knows N goes on behind N, misses nothing and
is told nothing twice. What a program may not see is left out of what it is told, not renumbered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_desktop import calls
from callcenter import facts, ledger
from callcenter.events import Fact
from callcenter.ledger import LedgerRow
from config.people import User
from cti.rows import Call
from ticketing import tickets
from ticketing.rows import Ticket

May = Callable[[str], bool]
"""Whether the program may do what a permission allows."""


@dataclass(frozen=True)
class Words:
    """How a kind of fact is told: its public name, and which of its fields."""

    name: str
    fields: tuple[str, ...] = ()


TOLD: Mapping[type[Fact], Words] = {
    facts.LegStarted: Words("call.started", ("caller_number", "caller_name", "number", "did", "language")),
    facts.MenuLeft: Words("call.menu_left", ("flow", "queue", "kind", "serial")),
    facts.QueueJoined: Words("call.queued", ("queue", "position")),
    facts.AgentRung: Words("call.ringing", ("queue", "agent")),
    facts.AgentMissed: Words("call.missed", ("queue", "agent", "ring_ms")),
    facts.AgentAnswered: Words("call.answered", ("queue", "agent", "wait_s", "ring_s")),
    facts.AgentDone: Words("call.talked", ("queue", "agent", "wait_s", "talk_s", "reason")),
    facts.Held: Words("call.held"),
    facts.Resumed: Words("call.resumed"),
    facts.Transferred: Words("call.transferred", ("kind", "to")),
    facts.RecordingStarted: Words("call.recorded", ("file",)),
    facts.CustomerBound: Words("call.customer", ("customer_id", "by")),
    facts.LegEnded: Words("call.ended"),
    facts.StatusChosen: Words("agent.status", ("agent", "status", "reason", "by")),
    facts.WrapUpFinished: Words("agent.wrapped_up", ("agent", "by")),
    facts.PhoneSeen: Words("agent.phone", ("agent", "reachable")),
    facts.TicketStepped: Words("ticket.", ("ticket_id", "version", "kind", "by")),
    facts.SwitchLost: Words("switch.lost"),
    facts.SwitchFound: Words("switch.found", ("restarted",)),
}
"""What is not here is between the switch and us."""

ENDED = ("direction", "caller_number", "outcome", "queue", "agent", "customer_id", "wait_ms", "talk_ms", "hold_ms")
"""What is told of a call that is over, from its row."""
AREAS = ("call", "agent", "ticket", "switch")
TYPES = tuple(sorted({words.name for words in TOLD.values()}))
"""``ticket.`` stands for every step a ticket takes: ticket.opened, ticket.closed …"""
STEPS = ("ticket.opened", "ticket.changed", "ticket.moved", "ticket.noted", "ticket.closed", "ticket.reopened")
"""Those offered for choice; a form's own stages may bring others, which ``ticket`` tells too."""


def is_type(name: str) -> bool:
    """Whether something can be asked for by this name: a type, or an area."""
    step = name.removeprefix("ticket.")
    return name in AREAS or name in TYPES or (step != name and step.isidentifier() and step.isascii())


@dataclass(frozen=True)
class Happening:
    seq: int
    type: str  # call.answered
    at: datetime
    switch: str
    call_id: str | None
    data: Mapping[str, Any]

    @property
    def area(self) -> str:
        return self.type.partition(".")[0]


def read(db: Session, after: int, limit: int) -> tuple[list[Happening], int]:
    """What happened behind ``after``, and how far was looked: ``limit`` facts at most, most of them untold."""
    told = list(ledger.read(db, after=after, limit=limit))
    reached = told[-1][0] if told else after
    return _with_ends(db, [_put(seq, fact) for seq, fact in told if _is_told(fact)]), reached


def between(db: Session, first: int, last: int, limit: int) -> list[Happening]:
    """What happened from number ``first`` to ``last``."""
    found: list[Happening] = []
    after = first - 1
    while after < last and len(found) < limit:
        some, reached = read(db, after, min(1000, last - after))
        found += [one for one in some if one.seq <= last]
        if reached == after:
            break
        after = reached
    return found[:limit]


def _is_told(fact: Fact) -> bool:
    return type(fact) in TOLD and not (isinstance(fact, facts.LegStarted) and fact.leg_id != fact.call_id)


def _put(seq: int, fact: Fact) -> Happening:
    words = TOLD[type(fact)]
    name = words.name + (fact.what if isinstance(fact, facts.TicketStepped) else "")
    data = {field: getattr(fact, field) for field in words.fields}
    return Happening(seq, name, fact.at, fact.switch, fact.call_id, data)


def _with_ends(db: Session, told: list[Happening]) -> list[Happening]:
    """A call is over with its last leg; the ends of its other legs are nobody's business."""
    ids = {one.call_id for one in told if one.type == "call.ended"}
    if not ids:
        return told
    last = select(LedgerRow.call_id, func.max(LedgerRow.seq)).where(LedgerRow.call_id.in_(ids))
    last_of = {
        row[0]: row[1] for row in db.execute(last.where(LedgerRow.type == "LegEnded").group_by(LedgerRow.call_id))
    }
    over = {call.call_id: call for call in db.scalars(select(Call).where(Call.call_id.in_(ids), Call.state == "ended"))}
    found = []
    for one in told:
        if one.type != "call.ended":
            found.append(one)
        elif one.call_id in over and last_of[one.call_id] == one.seq:
            found.append(replace(one, data={name: getattr(over[one.call_id], name) for name in ENDED}))
    return found


# --- whom it concerns -------------------------------------------------------------------------------------------


def wanted(told: Iterable[Happening], types: Sequence[str]) -> list[Happening]:
    """Those of the types named: ``call.ended``, or ``ticket`` for all about tickets; all, where none is named."""
    return [one for one in told if not types or one.type in types or one.area in types]


def visible(db: Session, told: Sequence[Happening], user: User, may: May) -> list[Happening]:
    """Those this user's program may be told of: calls and tickets as the user sees them, agents as the board does."""
    call_ids = {one.call_id for one in told if one.area == "call"}
    ticket_ids = {one.data["ticket_id"] for one in told if one.area == "ticket"}
    own_calls, own_tickets = set[str | None](), set[int]()
    if call_ids and may("calls"):
        own_calls = set(db.scalars(select(Call.call_id).where(Call.call_id.in_(call_ids), calls.visible(user))))
    if ticket_ids and may("tickets"):
        own_tickets = set(db.scalars(select(Ticket.id).where(Ticket.id.in_(ticket_ids), tickets.visible(user))))
    board = may("agents")

    def sees(one: Happening) -> bool:
        match one.area:
            case "call":
                return one.call_id in own_calls
            case "ticket":
                return one.data["ticket_id"] in own_tickets
            case "agent":
                return board or one.data["agent"] == user.extension
            case _:
                return board

    return [one for one in told if sees(one)]
