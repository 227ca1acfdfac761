"""An import undone: what it made goes, what it changed goes back – unless somebody has worked with it since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from callcenter.database import Database
from callcenter.errors import BadInput, NotFound
from ticketing import customers, duplicates, engines, findable, imports, parts, pointing, readings, relations
from ticketing.kinds import Fault
from ticketing.part_rows import Part
from ticketing.record_rows import Entry, Import, ImportStep, Ownership, Reading, Relation
from ticketing.rows import Customer, Engine, Phone

_BATCH = 100
_MOST_KEPT = 1000


def undo(database: Database, import_id: int, *, by: str, now: datetime) -> Import:
    """Step by step backwards, some at a time; ``kept`` names what was left as it is, and why."""
    with database.write() as db:
        undone = imports.load(db, import_id)
        if undone.state not in ("done", "running", "undoing"):
            raise BadInput("only what was taken over can be undone")
        steps = select(ImportStep.id).where(ImportStep.import_id == import_id).order_by(ImportStep.id.desc())
        ids = list(db.scalars(steps))
        undone.state, undone.undone_at, undone.undone_by = "undoing", now, by  # to be gone on with, if it is cut off
    kept: list[dict[str, Any]] = []
    for at in range(0, len(ids), _BATCH):
        with database.write() as db:
            for step in db.scalars(
                select(ImportStep).where(ImportStep.id.in_(ids[at : at + _BATCH])).order_by(ImportStep.id.desc())
            ):
                why = _WAYS[step.what, step.engine_id is not None](db, step, by, now)
                if why is not None and len(kept) < _MOST_KEPT:
                    kept.append({"title": _title(db, step), "zh": why.zh, "en": why.en})
    with database.write() as db:
        undone = imports.load(db, import_id)
        undone.state, undone.kept = "undone", kept
    return undone


def _title(db: Session, step: ImportStep) -> str:
    engine = db.get(Engine, step.engine_id) if step.engine_id else None
    if engine is not None:
        return engine.serial
    customer = db.get(Customer, step.customer_id) if step.customer_id else None
    part = db.get(Part, step.ref_id) if step.what.startswith("part") else None
    return customer.name if customer else part.number if part else ""


def _made_customer(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    customer = db.get(Customer, step.customer_id)
    if customer is None:
        return None
    worked_on = _worked_on(db, Entry.customer_id == customer.id, step, now)
    if worked_on or _used(db, "customers", customer.id, {"phones", "record_entries", "likenesses"}):
        return Fault("之后已有人使用此客户，予以保留", "The customer was worked with since; he stays")
    findable.forget(db, "customer", customer.id)
    duplicates.forget(db, customer.id)
    db.execute(delete(Entry).where(Entry.customer_id == customer.id))
    db.delete(customer)
    db.flush()
    return None


def _made_engine(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    engine = db.get(Engine, step.engine_id)
    if engine is None:
        return None
    own = {"ownerships", "readings", "record_entries"}
    if _used(db, "engines", engine.id, own) or _worked_on(db, Entry.engine_id == engine.id, step, now):
        return Fault("之后已有人使用此发动机，予以保留", "The engine was worked with since; it stays")
    findable.forget(db, "engine", engine.id)
    for row in (Ownership, Reading, Entry):
        db.execute(delete(row).where(row.engine_id == engine.id))
    db.delete(engine)
    db.flush()
    return None


def _worked_on(db: Session, whose: Any, step: ImportStep, now: datetime) -> bool:
    """Whether somebody wrote into the record after the import was there; undoing writes into it, too."""
    done = imports.load(db, step.import_id)
    return db.scalar(select(Entry.id).where(whose, Entry.at > done.at, Entry.at != now).limit(1)) is not None


def _used(db: Session, table: str, number: int, own: set[str]) -> bool:
    """Whether another row points to it; ``own`` are the tables that go with it. Calls know customers by number, too."""
    columns = pointing.to(db, table) + ([("calls", "customer_id")] if table == "customers" else [])
    return any(
        db.execute(text(f"SELECT 1 FROM {other} WHERE {column} = :number LIMIT 1"), {"number": number}).first()
        is not None
        for other, column in columns
        if other not in own
    )


def _changed_customer(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    customer = db.get(Customer, step.customer_id)
    if customer is None:
        return None
    back = {name: pair[0] for name, pair in step.changes.items() if getattr(customer, name) == pair[1]}
    customers.change(db, customer, now, by=by, **back)
    return _left(step, back)


def _changed_engine(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    engine = db.get(Engine, step.engine_id)
    if engine is None:
        return None
    back: dict[str, Any] = {}
    for name, (before, after) in step.changes.items():
        held = getattr(engine, name)
        if (held.isoformat() if hasattr(held, "isoformat") else held) == after:
            back[name] = type(held).fromisoformat(before) if hasattr(held, "isoformat") and before else before
    engines.change(db, engine, now, by=by, as_on_plate=True, **back)
    return _left(step, back)


def _left(step: ImportStep, back: dict[str, Any]) -> Fault | None:
    left = ", ".join(sorted(step.changes.keys() - back.keys()))
    return Fault(f"之后又改过：{left}", f"Changed again since: {left}") if left else None


def _number(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    own = db.get(Phone, step.ref_id)
    customer = db.get(Customer, step.customer_id)
    if own is None or customer is None or own.customer_id != customer.id:
        return None
    before = step.changes["level"][0]
    if before is None:
        customers.remove_phone(db, customer, own.id, now, by=by)
    else:
        own.level = before
    return None


def _reading(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    engine = db.get(Engine, step.engine_id)
    try:
        if engine is not None and step.ref_id is not None:
            readings.take_back(db, engine, step.ref_id, by=by, now=now)
    except NotFound:  # somebody has taken it back already
        return None
    return None


def _owner(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    engine, made = db.get(Engine, step.engine_id), db.get(Ownership, step.ref_id)
    if engine is None or made is None:
        return None
    before, after = step.changes["customer_id"]
    if engine.customer_id != after or made.until_on is not None:
        return Fault("之后机主又有变更", "The owner changed again since")
    rows = select(Ownership).where(
        Ownership.engine_id == engine.id, Ownership.id != made.id, Ownership.customer_id == before
    )
    standing = db.scalar(rows.order_by(Ownership.id.desc()).limit(1))
    if standing is not None and standing.until_on == made.from_on:
        standing.until_on = None
    db.delete(made)
    engine.customer_id = before
    db.flush()
    db.expire(engine, ["customer"])
    return None


def _related(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    """A relation that came in goes, unless somebody has ended it since."""
    made = db.get(Relation, step.ref_id)
    if made is None:
        return None
    until = made.until_on.isoformat() if made.until_on else None
    if until != step.changes["until_on"][1]:
        return Fault("之后又改过关系日期", "Its days were changed again since")
    relations.take_back(db, made, by=by, now=now)
    return None


def _relation(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    row = db.get(Relation, step.ref_id)
    before, after = (date.fromisoformat(day) if day else None for day in step.changes["until_on"])
    if row is None:
        return None
    if row.until_on != after:
        return Fault("之后又改过关系日期", "Its days were changed again since")
    row.until_on = before
    return None


def _part(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    part = db.get(Part, step.ref_id)
    if part is None:
        return None
    if part.version != step.changes["version"][1]:
        return Fault("之后又改过此配件，予以保留", "The part was changed since; it stays")
    findable.forget(db, "part", part.id)
    db.delete(part)
    db.flush()
    return None


def _part_as(db: Session, step: ImportStep, by: str, now: datetime) -> Fault | None:
    part = db.get(Part, step.ref_id)
    if part is None:
        return None
    back: dict[str, Any] = {}
    for name, (before, after) in step.changes.items():
        held = " ".join(part.families) if name == "fits" else getattr(part, name)
        if (held.isoformat() if isinstance(held, date) else held) == after:
            back[name] = before.split() if name == "fits" else before
            if name.endswith("_on") and before:
                back[name] = date.fromisoformat(before)
    parts.change(db, part, by=by, now=now, **back)
    return _left(step, back)


_WAYS: dict[tuple[str, bool], Callable[[Session, ImportStep, str, datetime], Fault | None]] = {
    ("created", False): _made_customer,
    ("created", True): _made_engine,
    ("changed", False): _changed_customer,
    ("changed", True): _changed_engine,
    ("number", False): _number,
    ("reading", True): _reading,
    ("owner", True): _owner,
    ("part", False): _part,
    ("part_as", False): _part_as,
    ("related", False): _related,
    ("relation", False): _relation,
}
