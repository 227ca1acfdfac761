"""Answers of a ticket that are also facts of another record: what a meter showed, and which article was used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ticketing import knowledge, readings
from ticketing.kinds import Fault, Form, TicketIncomplete
from ticketing.knowledge_rows import Article
from ticketing.record_rows import Reading
from ticketing.rows import IDS, Engine, Ticket
from ticketing.unfit import RecordUnfit

METERS = ("hours", "km")


def keep(
    db: Session,
    form: Form,
    ticket: Ticket,
    *,
    before: Mapping[str, Any],
    engine_before: int | None,
    by: str,
    now: datetime,
    zone: tzinfo,
) -> None:
    """Write on what the ticket says now and did not say ``before``; what it no longer says is taken back.

    TicketIncomplete by the question's name, where a meter cannot have shown that or there is no such article.
    """
    meters = [name for name in METERS if form.field(name)]
    shown = {name: ticket.fields[name] for name in meters if name in ticket.fields}
    if ticket.engine_id != engine_before or shown != {name: before[name] for name in meters if name in before}:
        _read(db, ticket, shown, engine_before, by, now, zone)
    for field in form.fields:
        if field.shape == "article" and ticket.fields.get(field.name) != before.get(field.name):
            _use(db, ticket, field.name, before.get(field.name), by, now)


def _read(
    db: Session,
    ticket: Ticket,
    shown: Mapping[str, int],
    engine_before: int | None,
    by: str,
    now: datetime,
    zone: tzinfo,
) -> None:
    """The reading of the day it was said, also when it is corrected later."""
    on = today = now.astimezone(zone).date()
    had = db.get(Engine, engine_before) if engine_before is not None else None
    if had is not None:
        said = select(Reading).where(Reading.engine_id == had.id, Reading.ticket_id == ticket.id)
        for reading in db.scalars(said).all():
            on = reading.on
            readings.take_back(db, had, reading.id, by=by, now=now)
    engine = db.get(Engine, ticket.engine_id) if ticket.engine_id is not None else None
    if engine is None or not shown:
        return
    try:
        readings.add(
            db,
            engine,
            on,
            hours=shown.get("hours"),
            km=shown.get("km"),
            by=by,
            now=now,
            today=today,
            source="ticket",
            ticket_id=ticket.id,
        )
    except RecordUnfit as fault:
        first = next(iter(shown))
        raise TicketIncomplete({name if name in shown else first: why for name, why in fault.faults.items()}) from None


def _use(db: Session, ticket: Ticket, name: str, before: int | None, by: str, now: datetime) -> None:
    if before is not None:
        knowledge.unsolved(db, before, ticket.id)
    number = ticket.fields.get(name)
    if number is None:
        return
    article = db.get(Article, number) if number in IDS else None
    if article is None:
        raise TicketIncomplete({name: Fault("没有这篇知识文章", "There is no such article")})
    knowledge.solved(db, article, by=by, now=now, call_id=ticket.call_id, ticket_id=ticket.id)
