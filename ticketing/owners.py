"""Who had an engine, from when to when."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from ticketing import customers, entries
from ticketing.kinds import Fault, too_long
from ticketing.record_rows import Ownership
from ticketing.rows import IDS, Customer, Engine
from ticketing.text import line
from ticketing.unfit import RecordUnfit


def history(db: Session, engine_id: int) -> list[Ownership]:
    """Of an engine, today's owner first."""
    rows = select(Ownership).where(Ownership.engine_id == engine_id).options(selectinload(Ownership.customer))
    return list(
        db.scalars(rows.order_by(Ownership.until_on.is_not(None), Ownership.until_on.desc(), Ownership.id.desc()))
    )


def once_of(db: Session, customer_id: int, limit: int = 100) -> list[tuple[Ownership, Engine]]:
    """Engines a customer had and has no longer, the latest first."""
    rows = (
        select(Ownership, Engine)
        .join(Engine, Engine.id == Ownership.engine_id)
        .where(Ownership.customer_id == customer_id, Ownership.until_on.is_not(None))
        .order_by(Ownership.until_on.desc(), Ownership.id.desc())
        .limit(limit)
    )
    return [(ownership, engine) for ownership, engine in db.execute(rows)]


def begin(db: Session, engine: Engine, from_on: date | None, note: str = "") -> None:
    """The first owner on file, as the engine's row names him."""
    if engine.customer_id is not None:
        db.add(Ownership(engine_id=engine.id, customer_id=engine.customer_id, from_on=from_on, note=note))
        db.flush()


def hand_over(
    db: Session,
    engine: Engine,
    customer_id: int | None,
    on: date,
    *,
    by: str,
    now: datetime,
    today: date,
    note: str = "",
) -> None:
    """From that day the engine is another's; None: nobody knows whose. The one before keeps his days."""
    standing = db.scalar(
        select(Ownership).where(Ownership.engine_id == engine.id, Ownership.until_on.is_(None)).limit(1)
    )
    before = db.get(Customer, engine.customer_id) if engine.customer_id is not None else None
    customer_id = customers.standing_id(db, customer_id)
    after = db.get(Customer, customer_id) if customer_id is not None and customer_id in IDS else None
    faults: dict[str, Fault] = {}
    if customer_id is not None and after is None:
        faults["customer"] = Fault("没有这个客户", "There is no such customer")
    elif customer_id == engine.customer_id:
        faults["customer"] = Fault("现在的机主就是他", "He is the owner already")
    if on > today:
        faults["on"] = Fault("日期在将来", "That day is still to come")
    elif standing is not None and standing.from_on is not None and on < standing.from_on:
        faults["on"] = Fault(
            f"现机主自 {standing.from_on} 起才拥有", f"The present owner has it only since {standing.from_on}"
        )
    elif engine.built_on is not None and on < engine.built_on:
        faults["on"] = Fault(f"早于出厂日期 {engine.built_on}", f"Before the engine was built, on {engine.built_on}")
    note = line(note)
    if len(note) > 200:
        faults["note"] = too_long(200)
    if faults:
        raise RecordUnfit(faults)
    if standing is None and before is not None:  # a file older than this history
        standing = Ownership(engine_id=engine.id, customer_id=before.id, from_on=engine.sold_on)
        db.add(standing)
    if standing is not None:
        standing.until_on = on
    engine.customer_id = customer_id
    begin(db, engine, on, note)
    db.flush()
    db.expire(engine, ["customer"])
    told = {
        "owner": (before.name if before else None, after.name if after else None),
        "on": (None, on),
        "engine": (None, f"{engine.model} {engine.serial}"),
    }
    entries.tell(db, "owner", by=by, at=now, engine_id=engine.id, text=note, changes=told)
    for one in (before, after):
        if one is not None:
            entries.tell(db, "owner", by=by, at=now, customer_id=one.id, text=note, changes=told)
