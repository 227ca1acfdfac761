"""The installation file (产品安装档案) of an engine: built into which machine, by whom, checked how, put to work when.

An entry is never changed: one that was wrong is withdrawn, stays told, and another is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from callcenter.database import Base
from callcenter.errors import CallCenterError, NotFound
from ticketing import customers, entries, readings
from ticketing.kinds import MISSING, Fault
from ticketing.rows import IDS, Customer, Engine
from ticketing.text import clean, line
from ticketing.unfit import RecordUnfit, overlong

KINDS = ("installed", "commissioned", "reinstalled")
CHECKS = ("mounting", "cooling", "fuel", "oil", "intake", "exhaust", "belt", "wiring", "instruments", "test_run")
RESULTS = ("ok", "not_ok")
_LENGTHS = {"place": 200, "machine": 120, "technician": 40, "note": entries.LONGEST_NOTE}


class Installation(Base):
    """One entry of the file."""

    __tablename__ = "installations"

    id: Mapped[int] = mapped_column(primary_key=True)
    engine_id: Mapped[int] = mapped_column(ForeignKey("engines.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))  # installed, commissioned, reinstalled
    on: Mapped[date] = mapped_column("on_day", Date)
    machine: Mapped[str] = mapped_column(String(120), default="")
    place: Mapped[str] = mapped_column(String(200), default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)  # who did it: OEM, station
    technician: Mapped[str] = mapped_column(String(40), default="")
    hours: Mapped[int | None]
    checks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of CHECKS: ok, not_ok
    note: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str] = mapped_column(String(40), default="")

    customer: Mapped[Customer | None] = relationship()

    @property
    def wrong(self) -> list[str]:
        """What was found not in order."""
        return [name for name in CHECKS if self.checks.get(name) == "not_ok"]

    @property
    def right(self) -> list[str]:
        return [name for name in CHECKS if self.checks.get(name) == "ok"]


class WithdrawnAlready(CallCenterError):
    """A colleague has withdrawn this entry already; nothing was changed."""

    status = 409


def of(db: Session, engine_id: int) -> Sequence[Installation]:
    """The whole file, the latest day first."""
    rows = select(Installation).where(Installation.engine_id == engine_id)
    return db.scalars(rows.order_by(Installation.on.desc(), Installation.id.desc()).limit(200)).all()


def add(
    db: Session,
    engine: Engine,
    kind: str,
    on: date,
    *,
    by: str,
    now: datetime,
    today: date,
    machine: str = "",
    place: str = "",
    customer_id: int | None = None,
    technician: str = "",
    hours: int | None = None,
    checks: Mapping[str, str] | None = None,
    note: str = "",
) -> Installation:
    """RecordUnfit names every field at fault. Hours are a reading of the meter, too."""
    texts = {"machine": line(machine), "place": line(place), "technician": line(technician)}
    note, kept = clean(note), {name: result for name, result in (checks or {}).items() if result}
    faults = overlong(texts | {"note": note}, _LENGTHS)
    if kind not in KINDS:
        faults["kind"] = MISSING
    if set(kept) - set(CHECKS) or set(kept.values()) - set(RESULTS):
        faults["checks"] = Fault("没有这一检查项", "There is no such check")
    customer_id = customers.standing_id(db, customer_id)
    if customer_id is not None and (customer_id not in IDS or db.get(Customer, customer_id) is None):
        faults["customer"] = Fault("没有这个客户", "There is no such customer")
    if on > today:
        faults["on"] = Fault("日期在将来", "That day is still to come")
    elif engine.built_on is not None and on < engine.built_on:
        faults["on"] = Fault(f"早于出厂日期 {engine.built_on}", f"Before the engine was built, on {engine.built_on}")
    if faults:
        raise RecordUnfit(faults)
    if hours is not None:
        readings.add(db, engine, on, by=by, now=now, today=today, hours=hours, source="record")
    row = Installation(
        engine_id=engine.id,
        kind=kind,
        on=on,
        customer_id=customer_id,
        hours=hours,
        checks=kept,
        note=note,
        at=now,
        by=by,
        **texts,
    )
    db.add(row)
    db.flush()
    _tell(db, "installation", row, by, now)
    return row


def load(db: Session, engine: Engine, installation_id: int) -> Installation:
    row = db.get(Installation, installation_id) if installation_id in IDS else None
    if row is None or row.engine_id != engine.id:
        raise NotFound("installation %(id)s", id=installation_id)
    return row


def withdraw(db: Session, engine: Engine, installation_id: int, *, by: str, now: datetime) -> Installation:
    """It was wrong; it stays to be seen as that. A reading that came with it is taken back on its own."""
    row = load(db, engine, installation_id)
    if row.withdrawn_at is not None:
        raise WithdrawnAlready
    row.withdrawn_at, row.withdrawn_by = now, by
    db.flush()
    _tell(db, "uninstalled", row, by, now)
    return row


def _tell(db: Session, what: str, row: Installation, by: str, now: datetime) -> None:
    told = {"installation": (None, row.kind), "on": (None, row.on), "wrong": (None, row.wrong)}
    told |= {name: (None, text) for name in ("machine", "place") if (text := getattr(row, name))}
    entries.tell(
        db, what, by=by, at=now, engine_id=row.engine_id, changes=told, text=row.note if what != "uninstalled" else ""
    )
