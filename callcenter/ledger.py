"""The ledger: every fact is one append-only row with a unique key, so a fact told twice counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, to_us
from callcenter.events import Fact
from callcenter.payloads import as_payload, from_payload

_COLUMNS = ("at", "switch", "call_id")


_TELLS_GAPS = text("type IN ('SwitchLost', 'SwitchFound')")
_GAPS = Index("ix_ledger_gaps", "at", sqlite_where=_TELLS_GAPS, postgresql_where=_TELLS_GAPS)


class LedgerRow(Base):
    __tablename__ = "ledger"

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(16))  # ami, queue_log, cel, desk, policy, resync …
    switch: Mapped[str] = mapped_column(String(40))
    call_id: Mapped[str | None] = mapped_column(String(150))
    type: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(String(400), unique=True)

    __table_args__ = (Index("ix_ledger_call_id_seq", "call_id", "seq"), Index("ix_ledger_at", "at"), _GAPS)


Source = str | Callable[[Fact], str]
"""Who told the facts; where they come from several, which told each."""


_TURN = 0x1ED6E4  # the name of PostgreSQL's lock around appending


def in_turn(db: Session) -> None:
    """Until the end of this transaction nobody else appends: so facts become visible in the order of their numbers.

    Whoever reads on from number N, and knows only N, then misses none. SQLite's writers take turns anyway.
    """
    if db.get_bind().dialect.name != "sqlite":
        db.execute(select(func.pg_advisory_xact_lock(_TURN)))


# Of the table, not the class: SQLAlchemy's bulk insert of objects costs half as much again. Built once: every batch
# says it.
_NEW = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(cast(Table, LedgerRow.__table__))
    .on_conflict_do_nothing(index_elements=["key"])
    .returning(LedgerRow.key)
    for dialect in (sqlite, postgresql)
}


def append(db: Session, facts: Sequence[Fact], source: Source) -> list[Fact]:
    """Keep the facts; the answer are those that were new, in the order given."""
    if not facts:
        return []
    in_turn(db)
    rows = [
        {
            "at": fact.at,
            "source": source if isinstance(source, str) else source(fact),
            "switch": fact.switch,
            "call_id": fact.call_id,
            "type": type(fact).__name__,
            "payload": as_payload(fact, without=_COLUMNS),
            "key": fact.key,
        }
        for fact in facts
    ]
    fresh = set(db.execute(_NEW[db.get_bind().dialect.name], rows).scalars())
    new: list[Fact] = []
    for fact, row in zip(facts, rows, strict=True):
        if row["key"] in fresh:
            fresh.discard(cast(str, row["key"]))
            new.append(fact)
    return new


def read(
    db: Session, after: int = 0, call_id: str | None = None, limit: int | None = None
) -> Iterator[tuple[int, Fact]]:
    """(seq, fact) from the row behind ``after`` on, oldest first; one call's only if asked."""
    rows = select(LedgerRow).where(LedgerRow.seq > after).order_by(LedgerRow.seq).limit(limit)
    if call_id is not None:
        rows = rows.where(LedgerRow.call_id == call_id)
    for row in db.execute(rows.execution_options(yield_per=1000)).scalars():
        yield row.seq, as_fact(row)


def newest(db: Session) -> int:
    """The number of the last fact; 0 where there is none."""
    return db.scalar(select(func.max(LedgerRow.seq))) or 0


def last_at(db: Session, switch: str) -> datetime | None:
    """When the last fact of this switch happened; None if it never told one."""
    return db.scalar(select(LedgerRow.at).where(LedgerRow.switch == switch).order_by(LedgerRow.at.desc()).limit(1))


def as_fact(row: LedgerRow) -> Fact:
    held = row.payload | {"at": to_us(row.at), "switch": row.switch, "call_id": row.call_id}
    return cast(Fact, from_payload(row.type, held))
