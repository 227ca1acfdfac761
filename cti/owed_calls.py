"""Callers who asked to be called back and were not yet spoken to."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.orm import Session

from callcenter.phone import normalise
from cti.rows import Call

OWED_FOR = timedelta(days=7)  # then nobody waits for it any more


def owed(db: Session, now: datetime, country: str, area_code: str, limit: int = 50) -> list[Call]:
    """The longest waiting first; each number once, by its first asking since anybody last talked with it."""
    # As the index says it: a database uses a partial index only for a condition it can read.
    asked: ColumnElement[bool] = literal_column("call_back != ''")
    since = now - OWED_FOR
    rows = select(Call).where(asked, Call.started_at >= since, Call.answered_at.is_(None)).order_by(Call.started_at)
    found: dict[str, Call] = {}
    calls = list(db.scalars(rows))
    if not calls:
        return []
    talked = _talked(db, calls[0].started_at, {call.call_back for call in calls}, country, area_code)
    for call in calls:
        if call.started_at >= talked.get(call.call_back, since):
            found.setdefault(call.call_back, call)
    return list(found.values())[:limit]


def _talked(db: Session, since: datetime, numbers: set[str], country: str, area_code: str) -> dict[str, datetime]:
    """When somebody last talked with each number: it called again and was answered, or was called and answered."""
    columns = select(Call.caller_number, Call.did, Call.direction, Call.answered_at)
    answered = columns.where(Call.started_at >= since, Call.answered_at.is_not(None))
    found: dict[str, datetime] = {}
    called_again = Call.caller_number.in_(numbers)
    for caller, did, direction, at in db.execute(answered.where(called_again | (Call.direction == "out"))):
        number = normalise(did, country, area_code) if direction == "out" else caller
        if number in numbers and at is not None:
            found[number] = max(at, found.get(number, at))
    return found
