"""One dated list of everything that happened with a customer or an engine, the newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, selectinload

from agent_desktop import calls
from config import queues
from config.people import User
from cti.rows import Call
from recordings.rows import Recording
from ticketing import tickets
from ticketing.duties import Duty
from ticketing.record_rows import Entry
from ticketing.rows import Engine, Ticket, TicketEntry

AT_ONCE = 60
SHOWN = ("all", "calls", "tickets", "notes", "record")
"""What the list can be narrowed to."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One line; exactly one of call, ticket, step, entry and promise is there."""

    at: datetime
    call: Call | None = None
    ticket: Ticket | None = None  # opened then; of a step the ticket it belongs to
    step: TicketEntry | None = None
    entry: Entry | None = None
    promise: Duty | None = None  # made to the customer beside any ticket; of a ticket it is a step


@dataclass(frozen=True, kw_only=True)
class Timeline:
    moments: Sequence[Moment]
    more: datetime | None  # ask again with ``before`` this
    recorded: frozenset[str] = frozenset()  # calls of which there is a recording
    names: dict[str, str] = field(default_factory=dict)  # of people, by log-in and by extension
    queues: dict[str, str] = field(default_factory=dict)


def of_customer(
    db: Session, user: User, customer_ids: Collection[int], *, language: str, show: str = "all", before: datetime | None
) -> Timeline:
    """``customer_ids``: the customer's, and those of records merged into his."""
    return _gathered(
        db,
        user,
        language,
        show,
        before,
        whose_calls=Call.customer_id.in_(customer_ids),
        whose_tickets=Ticket.customer_id.in_(customer_ids),
        whose_entries=Entry.customer_id.in_(customer_ids),
        whose_promises=Duty.customer_id.in_(customer_ids),
    )


def of_engine(
    db: Session, user: User, engine: Engine, *, language: str, show: str = "all", before: datetime | None
) -> Timeline:
    """The calls of its tickets, whoever called."""
    about = select(Ticket.call_id).where(Ticket.engine_id == engine.id, Ticket.call_id.is_not(None))
    return _gathered(
        db,
        user,
        language,
        show,
        before,
        whose_calls=Call.call_id.in_(about),
        whose_tickets=Ticket.engine_id == engine.id,
        whose_entries=Entry.engine_id == engine.id,
    )


def _gathered(
    db: Session,
    user: User,
    language: str,
    show: str,
    before: datetime | None,
    *,
    whose_calls: ColumnElement[bool],
    whose_tickets: ColumnElement[bool],
    whose_entries: ColumnElement[bool],
    whose_promises: ColumnElement[bool] | None = None,
) -> Timeline:
    found: list[Moment] = []
    if show in ("all", "calls"):
        found += _calls(db, and_(whose_calls, calls.visible(user)), before)
    if show in ("all", "tickets", "notes"):
        may_see = and_(whose_tickets, tickets.visible(user))
        found += _steps(db, may_see, before, ("noted",) if show == "notes" else ())
        if show != "notes":
            found += _tickets(db, may_see, before)
    if show in ("all", "tickets") and whose_promises is not None:
        found += _promises(db, whose_promises, before)
    if show in ("all", "notes", "record"):
        found += _entries(db, whose_entries, before, show)
    found.sort(key=lambda moment: moment.at, reverse=True)
    shown = found[:AT_ONCE]
    heard = [moment.call for moment in shown if moment.call is not None]
    recorded = select(Recording.call_id).where(Recording.call_id.in_([call.call_id for call in heard]))
    return Timeline(
        moments=shown,
        more=shown[-1].at if len(found) > AT_ONCE else None,
        recorded=frozenset(db.scalars(recorded)) if heard else frozenset(),
        names=_names(db, shown),
        queues=queues.titles(db, language) if heard else {},
    )


def _calls(db: Session, whose: ColumnElement[bool], before: datetime | None) -> Iterable[Moment]:
    rows = select(Call).where(whose)
    if before is not None:
        rows = rows.where(Call.started_at < before)
    for call in db.scalars(rows.order_by(Call.started_at.desc()).limit(AT_ONCE + 1)):
        yield Moment(at=call.started_at, call=call)


def _tickets(db: Session, whose: ColumnElement[bool], before: datetime | None) -> Iterable[Moment]:
    rows = select(Ticket).where(whose).options(selectinload(Ticket.engine), selectinload(Ticket.customer))
    if before is not None:
        rows = rows.where(Ticket.opened_at < before)
    for ticket in db.scalars(rows.order_by(Ticket.opened_at.desc()).limit(AT_ONCE + 1)):
        yield Moment(at=ticket.opened_at, ticket=ticket)


def _steps(db: Session, whose: ColumnElement[bool], before: datetime | None, only: Sequence[str]) -> Iterable[Moment]:
    """What was done to tickets after they were opened."""
    rows = select(TicketEntry, Ticket).join(Ticket, Ticket.id == TicketEntry.ticket_id).where(whose)
    rows = rows.where(TicketEntry.what.in_(only) if only else TicketEntry.what != "opened")
    if before is not None:
        rows = rows.where(TicketEntry.at < before)
    rows = rows.options(selectinload(Ticket.engine), selectinload(Ticket.customer))
    for step, ticket in db.execute(rows.order_by(TicketEntry.at.desc()).limit(AT_ONCE + 1)):
        yield Moment(at=step.at, step=step, ticket=ticket)


def _entries(db: Session, whose: ColumnElement[bool], before: datetime | None, show: str) -> Iterable[Moment]:
    rows = select(Entry).where(whose)
    if show != "all":
        rows = rows.where(Entry.what == "noted" if show == "notes" else Entry.what != "noted")
    if before is not None:
        rows = rows.where(Entry.at < before)
    for entry in db.scalars(rows.order_by(Entry.at.desc()).limit(AT_ONCE + 1)):
        yield Moment(at=entry.at, entry=entry)


def _promises(db: Session, whose: ColumnElement[bool], before: datetime | None) -> Iterable[Moment]:
    """At the time they were to be kept by."""
    rows = select(Duty).where(whose, Duty.kind == "promise", Duty.ticket_id.is_(None))
    if before is not None:
        rows = rows.where(Duty.due_at < before)
    for duty in db.scalars(rows.order_by(Duty.due_at.desc()).limit(AT_ONCE + 1)):
        yield Moment(at=duty.due_at, promise=duty)


def _names(db: Session, moments: Sequence[Moment]) -> dict[str, str]:
    asked: set[Any] = set()
    for moment in moments:
        if moment.call is not None:
            asked.add(moment.call.agent)
        elif moment.step is not None:
            asked.add(moment.step.by)
        elif moment.ticket is not None:
            asked.add(moment.ticket.opened_by)
        elif moment.entry is not None:
            asked.add(moment.entry.by)
        elif moment.promise is not None:
            asked.add(moment.promise.created_by)
    asked.discard(None)
    if not asked:
        return {}
    people = db.scalars(select(User).where(or_(User.login.in_(asked), User.extension.in_(asked))))
    names: dict[str, str] = {}
    for one in people:
        names[one.login] = one.name
        if one.extension:
            names[one.extension] = one.name
    return names
