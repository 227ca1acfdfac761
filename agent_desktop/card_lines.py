"""What a card holds, as plain values: no session, nothing that reads when it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ticketing import engines
from ticketing.rows import TicketState


@dataclass(frozen=True, kw_only=True)
class CallFacts:
    call_id: str
    state: str
    direction: str
    number: str  # E.164, or as it arrived: hostile; empty where it is withheld
    name: str  # as it arrived: hostile
    queue: str  # its title in the reader's language
    agent: str
    wished_kind: str
    wished_serial: str
    menu: tuple[tuple[str, str], ...]  # step, what was heard
    started_at: datetime
    moved: bool  # held or handed on: somebody may have said something with it
    waiting_since: datetime | None  # still waiting or ringing
    waited_ms: int
    answered_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PhoneLine:
    number: str
    label: str
    calling: bool  # the call comes from this one
    maybe: bool  # read in a text, nobody has confirmed it


@dataclass(frozen=True, kw_only=True)
class Person:
    id: int
    name: str
    kind: str
    region: str
    address: str
    note: str
    maybe: bool
    phones: tuple[PhoneLine, ...] = ()
    engines: int = 0
    open_tickets: int = 0


@dataclass(frozen=True, kw_only=True)
class EngineLine:
    id: int
    serial: str
    model: str
    vehicle: str
    owner_id: int | None
    owner: str
    dealer: str
    sold_on: date | None
    hours: int | None
    hours_on: date | None
    warranty: str  # in, ends_soon, out, unknown
    warranty_until: date | None
    worn: bool  # out of warranty by its hours, not by the calendar
    hours_limit: int | None
    clause: str
    why: str  # the clause in words
    run_in: str  # due, late or missed where that matters to the warranty; else ""
    open_tickets: int

    @property
    def head(self) -> str:
        return self.serial[: -engines.SERIAL_END]

    @property
    def end(self) -> str:
        """The last six, as people say them."""
        return self.serial[-engines.SERIAL_END :]


@dataclass(frozen=True, kw_only=True)
class TicketLine:
    id: int
    number: str
    kind: str
    state: str
    urgent: bool
    subject: str
    opened_at: datetime
    due_at: datetime | None
    late_s: int | None  # past its promise by; None while there is time, or none was promised
    engine_id: int | None
    engine_end: str
    call_id: str | None

    @property
    def tone(self) -> str:
        if self.state == TicketState.CLOSED:
            return "quiet"
        return "bad" if self.late_s is not None or self.urgent else "act"


@dataclass(frozen=True, kw_only=True)
class PastCall:
    call_id: str
    at: datetime
    direction: str
    outcome: str
    queue: str
    agent: str
    talk_ms: int
    recorded: bool


@dataclass(frozen=True, kw_only=True)
class RecordLine:
    """What was written into the file of the customer or of one of his engines: a note, a reading, another owner."""

    what: str
    text: str
    told: Mapping[str, Any]  # field: [before, after]
    engine_end: str


@dataclass(frozen=True, kw_only=True)
class PromiseLine:
    """What was promised to him, and whether it was kept."""

    text: str
    state: str
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line of the time line: just one of these."""

    at: datetime
    ticket: TicketLine | None = None
    call: PastCall | None = None
    record: RecordLine | None = None
    promise: PromiseLine | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    call: CallFacts
    kind: str  # of ticket: what he asked for, else what his queue is for
    person: Person | None
    others: tuple[Person, ...]  # who else has this number; the choice, while there is no person
    engines: tuple[EngineLine, ...]
    engine: EngineLine | None  # the one most likely meant
    promises: tuple[TicketLine, ...]  # open from before this call: rescues and what is most overdue first
    open_tickets: tuple[TicketLine, ...]
    mine: tuple[TicketLine, ...]  # opened from this very call
    timeline: tuple[Moment, ...]

    @property
    def unknown(self) -> bool:
        return self.person is None and not self.others
