"""What was done to the records of customers and engines, and changes that overwrite nobody's work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from callcenter.database import changed
from callcenter.errors import CallCenterError
from config import people
from ticketing import findable
from ticketing.kinds import MISSING, Fault, too_long
from ticketing.record_rows import Entry
from ticketing.rows import Customer, Engine
from ticketing.text import clean
from ticketing.unfit import RecordUnfit

LONGEST_NOTE = 20_000


class StaleRecord(CallCenterError):
    """Somebody changed this record while you had it open; yours was not saved over it."""

    status = 409

    def __init__(self, theirs: Mapping[str, Any], by: Mapping[str, str], called: Mapping[str, str]) -> None:
        self.theirs = dict(theirs)
        """What the fields that both have changed hold now."""
        self.by = dict(by)
        """Who changed each last; "" is a program."""
        self.who = {name: called.get(login, login) or "API" for name, login in by.items()}
        super().__init__(f"{', '.join(self.theirs)}, {', '.join(sorted(set(self.by.values())))}")

    def as_json(self) -> dict[str, object]:
        return {"changed": {name: _told(value) for name, value in self.theirs.items()}, "by": self.by}

    @property
    def faults(self) -> dict[str, Fault]:
        """To be shown beside what was typed; saving again replaces theirs knowingly."""
        return {
            name: Fault(
                f"{self.who[name]} 已改为“{_told(value) or ''}”",
                f"{self.who[name]} made it “{_told(value) or ''}”",
            )
            for name, value in self.theirs.items()
        }


def tell(
    db: Session,
    what: str,
    *,
    by: str,
    at: datetime,
    customer_id: int | None = None,
    engine_id: int | None = None,
    text: str = "",
    changes: Mapping[str, Sequence[Any]] | None = None,
    version: int = 0,
) -> Entry:
    told = {name: [_told(before), _told(after)] for name, (before, after) in (changes or {}).items()}
    entry = Entry(
        customer_id=customer_id, engine_id=engine_id, at=at, by=by, what=what, text=text, changes=told, version=version
    )
    db.add(entry)
    db.flush()
    return entry


def note(db: Session, record: Customer | Engine, text: str, *, by: str, now: datetime) -> Entry:
    """Dated words about a customer or an engine."""
    words = clean(text)
    if not words or len(words) > LONGEST_NOTE:
        raise RecordUnfit({"text": too_long(LONGEST_NOTE) if words else MISSING})
    customer_id, engine_id = _of(record)
    entry = tell(db, "noted", by=by, at=now, text=words, customer_id=customer_id, engine_id=engine_id)
    if isinstance(record, Customer):
        findable.keep_customer(db, record)
    else:
        findable.keep_engine(db, record)
    return entry


def change(
    db: Session, record: Customer | Engine, values: Mapping[str, Any], *, version: int | None, by: str, now: datetime
) -> dict[str, tuple[Any, Any]]:
    """Set columns; what differed, before and after.

    ``version`` is what the changer was looking at: a field he left alone keeps what others wrote since, and one that
    both have changed is StaleRecord. None: what is given is meant, whatever it replaces.
    """
    row = type(record)
    while True:
        db.refresh(record, [*values, "version"])
        given = dict(values)
        if version is not None and version < record.version:
            seen, by_whom = _seen(db, record, version)
            given = {name: value for name, value in given.items() if name not in seen or _told(value) != seen[name]}
            clash = {
                name: getattr(record, name) for name in given if name in seen and getattr(record, name) != given[name]
            }
            if clash:
                raise StaleRecord(clash, {name: by_whom[name] for name in clash}, people.names(db))
        differing = {
            name: (getattr(record, name), value) for name, value in given.items() if getattr(record, name) != value
        }
        if not differing:
            return {}
        set_ = {name: after for name, (_before, after) in differing.items()} | {"version": row.version + 1}
        if isinstance(record, Customer):
            set_["changed_at"] = now
        own = update(row).where(row.id == record.id, row.version == record.version)
        if changed(db, own.values(**set_)) == 1:
            break
    db.refresh(record)
    customer_id, engine_id = _of(record)
    tell(
        db,
        "changed",
        by=by,
        at=now,
        changes=differing,
        version=record.version,
        customer_id=customer_id,
        engine_id=engine_id,
    )
    return differing


def _seen(db: Session, record: Customer | Engine, version: int) -> tuple[dict[str, Any], dict[str, str]]:
    """What the fields that were changed since this version held then, and who changed each last."""
    whose = Entry.customer_id == record.id if isinstance(record, Customer) else Entry.engine_id == record.id
    rows = select(Entry).where(whose, Entry.version > version).order_by(Entry.version)
    seen: dict[str, Any] = {}
    by: dict[str, str] = {}
    for entry in db.scalars(rows):
        for name, (before, _after) in entry.changes.items():
            seen.setdefault(name, before)
            by[name] = entry.by
    return seen, by


def _of(record: Customer | Engine) -> tuple[int | None, int | None]:
    """The customer's id or the engine's."""
    return (record.id, None) if isinstance(record, Customer) else (None, record.id)


def _told(value: Any) -> Any:
    """As JSON keeps it."""
    return value.isoformat() if isinstance(value, date) else value
