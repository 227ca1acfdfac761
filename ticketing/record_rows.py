"""The rows around customers and engines: who stood how to whom and when, owners, readings, rules, and what was done."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callcenter.database import Base
from ticketing.rows import Customer


class Entry(Base):
    """What was done to the record of a customer or an engine, by whom and when; never changed.

    A change of owner belongs to both sides, so it is an entry of each customer and of the engine.
    """

    __tablename__ = "record_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    engine_id: Mapped[int | None] = mapped_column(ForeignKey("engines.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))  # login; "" for a program
    what: Mapped[str] = mapped_column(String(20))  # changed, noted, reading, owner, run_in, related, merged …
    text: Mapped[str] = mapped_column(Text, default="")
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # field: [before, after]
    version: Mapped[int] = mapped_column(default=0)  # the record's from here on; 0: nothing another would overwrite

    __table_args__ = (
        Index("ix_record_entries_customer_id_at", "customer_id", "at"),
        Index("ix_record_entries_engine_id_at", "engine_id", "at"),
    )


class Relation(Base):
    """How one customer stands to another, and from when to when: a dealer sells to a fleet, a man drives for it."""

    __tablename__ = "relations"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    one_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)  # who supplies, sells, owns, drives …
    other_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)  # … to, for, or of whom
    from_on: Mapped[date | None] = mapped_column(Date)
    until_on: Mapped[date | None] = mapped_column(Date)  # its last day
    note: Mapped[str] = mapped_column(String(200), default="")

    one: Mapped[Customer] = relationship(foreign_keys=[one_id])
    other: Mapped[Customer] = relationship(foreign_keys=[other_id])


class Ownership(Base):
    """Who had an engine from when to when; the engine's own row names today's owner."""

    __tablename__ = "ownerships"

    id: Mapped[int] = mapped_column(primary_key=True)
    engine_id: Mapped[int] = mapped_column(ForeignKey("engines.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    from_on: Mapped[date | None] = mapped_column(Date)  # None: nobody knows since when
    until_on: Mapped[date | None] = mapped_column(Date)  # the day the next one took over
    note: Mapped[str] = mapped_column(String(200), default="")

    customer: Mapped[Customer] = relationship()


class Reading(Base):
    """What a meter showed on a day. ``hours_before`` is what earlier hour meters of the engine had counted."""

    __tablename__ = "readings"

    id: Mapped[int] = mapped_column(primary_key=True)
    engine_id: Mapped[int] = mapped_column(ForeignKey("engines.id"))
    on: Mapped[date] = mapped_column("on_day", Date)
    hours: Mapped[int | None]
    km: Mapped[int | None]
    hours_before: Mapped[int] = mapped_column(default=0)
    new_meter: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(String(10))  # agent, ticket, import, record
    ticket_id: Mapped[int | None]  # which said so; no foreign key: none is ever looked for by it alone
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime | None]

    __table_args__ = (Index("ix_readings_engine_id_on_day", "engine_id", "on_day"),)

    @property
    def life_hours(self) -> int | None:
        return None if self.hours is None else self.hours_before + self.hours


class WarrantyRule(Base):
    """What is promised with engines sold from a day on. A rule is never rewritten: it ends, and another is entered."""

    __tablename__ = "warranty_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    clause: Mapped[str] = mapped_column(String(12))
    sold_from: Mapped[date] = mapped_column(Date)
    sold_until: Mapped[date | None] = mapped_column(Date)  # the last day of sale it holds for
    family: Mapped[str] = mapped_column(String(20), default="")  # "" all; else how the model begins: 6D, 6D138
    months: Mapped[int]
    hours: Mapped[int | None]
    km: Mapped[int | None]
    run_in_clause: Mapped[str] = mapped_column(String(12), default="")
    run_in_days: Mapped[int | None]  # after the sale
    run_in_hours: Mapped[int | None]
    zh: Mapped[str] = mapped_column(String(200))
    en: Mapped[str] = mapped_column(String(200))
    entered_at: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(String(40))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(40), default="")


class Import(Base):
    """A file of records that was sent in: first looked at, then taken over, perhaps undone."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))  # customers, engines, relations, parts
    state: Mapped[str] = mapped_column(String(10))  # looked_at, running, done, undoing, undone
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    file_name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)  # until it is taken over
    rows: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    same: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    faults: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # {line, field, zh, en}
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str] = mapped_column(String(40), default="")
    kept: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # what undoing left: {title, zh, en}


class ImportStep(Base):
    """One thing an import did, so that it can be undone."""

    __tablename__ = "import_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), index=True)
    what: Mapped[str] = mapped_column(String(10))  # one of import_undo._WAYS
    customer_id: Mapped[int | None]  # no foreign keys: what is undone is gone
    engine_id: Mapped[int | None]
    ref_id: Mapped[int | None]  # of the number, ownership or reading
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # field: [before, after]
