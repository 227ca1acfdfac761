"""What customers, engines and tickets can be found by: the short pieces of their words, in an index of their own.

Chinese is cut into pairs of characters, everything else into threes, so that any part of a name, a number, a serial
or a note is found, and no longer after ten years than on the first day. One design for both databases: SQLite keeps
the pieces in FTS5, PostgreSQL in an array with a GIN index.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session, selectinload

from callcenter.database import Base
from ticketing import pinyin
from ticketing.part_rows import Part
from ticketing.record_rows import Entry
from ticketing.rows import Customer, Engine, Ticket, TicketKind

Kind = Literal["customer", "engine", "ticket", "part"]
_TABLES: dict[Kind, str] = {
    "customer": "find_customers",
    "engine": "find_engines",
    "ticket": "find_tickets",
    "part": "find_parts",
}
LONGEST = 20_000
"""Characters of one text that are looked at."""
_BATCH = 2000
_NEWEST = 10_000

SQLITE = tuple(
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(tokens, detail=none, columnsize=0)"
    for table in _TABLES.values()
)
POSTGRESQL = tuple(
    statement
    for table in _TABLES.values()
    for statement in (
        f"CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, tokens TEXT[] NOT NULL)",
        f"CREATE INDEX IF NOT EXISTS ix_{table}_tokens ON {table} USING gin (tokens)",
    )
)


def _when(dialect: str, statement: str) -> Callable[..., None]:
    """For ``create_all``: a database that is migrated has it from a migration."""

    def make(_tables: Any, connection: Connection, **_rest: Any) -> None:
        if connection.dialect.name == dialect:
            connection.execute(text(statement))

    return make


for _statement in SQLITE:
    event.listen(Base.metadata, "after_create", _when("sqlite", _statement))
for _statement in POSTGRESQL:
    event.listen(Base.metadata, "after_create", _when("postgresql", _statement))


# --- words to pieces ---------------------------------------------------------------------------------------------


def plain(words: str) -> str:
    """Small letters, half width, no accents: as words are compared."""
    bare = unicodedata.normalize("NFKD", words[:LONGEST].lower())
    return unicodedata.normalize("NFKC", "".join(char for char in bare if not unicodedata.combining(char)))


def grams(words: str) -> Iterator[str]:
    """The pieces of a text, as the index keeps them and as it is asked."""
    for kind, run in groupby(plain(words), _kind_of):
        if kind:
            piece, size = "".join(run), 2 if kind == "han" else 3
            if len(piece) <= size:
                yield piece
            else:
                yield from (piece[at : at + size] for at in range(len(piece) - size + 1))


def signs(words: str) -> Iterator[str]:
    """Each sign that is neither letter nor space, alone and with what stands before or behind it, as words of its own.

    The index drops signs; so that 100% is found by %, it is kept by its number, longer than any piece.
    """
    bare = plain(words)
    for at, char in enumerate(bare):
        if not char.isalnum() and not char.isspace() and char.isprintable():
            spelt = f"sign{ord(char):x}"
            yield spelt
            for near in (bare[at - 1 : at] + "b" if at else "", bare[at + 1 : at + 2] + "f"):
                if near[:1].isalnum() and len(near) == 2:
                    yield f"{spelt}{near[1]}{near[0]}"


def _kind_of(char: str) -> str:
    if "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\u3040" <= char <= "\u30ff":
        return "han"
    return "other" if char.isalnum() else ""


def askable(words: str) -> bool:
    """Whether every word of it is long enough to be looked for inside others."""
    runs = [(kind, len(list(run))) for kind, run in groupby(plain(words), _kind_of) if kind]
    return bool(runs) and all(length >= (2 if kind == "han" else 3) for kind, length in runs)


def _askable_grams(words: str) -> Iterator[str]:
    """Of words with signs between them: the pieces that are long enough, whatever stands beside them."""
    for kind, run in groupby(plain(words), _kind_of):
        piece = "".join(run)
        if kind and len(piece) >= (2 if kind == "han" else 3):
            yield from grams(piece)


# --- keeping -----------------------------------------------------------------------------------------------------


def keep_customer(db: Session, customer: Customer) -> None:
    """To be called after each change of what he can be found by: his words, and those of records merged into his."""
    if customer.merged_into_id is not None:
        forget(db, "customer", customer.id)
        kept = db.get(Customer, customer.merged_into_id)
        if kept is not None:
            keep_customer(db, kept)
        return
    merged = [customer.id, *_merged_into(db, [customer.id])]
    noted = select(Entry.text).where(Entry.customer_id.in_(merged), Entry.what == "noted")
    pieces = _of_customer(customer, db.scalars(noted))
    for one in db.scalars(select(Customer).where(Customer.id.in_(merged[1:]))) if merged[1:] else ():
        pieces |= _of_customer(one)
    _put(db, "customer", [(customer.id, pieces)])


def _merged_into(db: Session, ids: list[int]) -> Iterator[int]:
    while ids:
        ids = list(db.scalars(select(Customer.id).where(Customer.merged_into_id.in_(ids))))
        yield from ids


def keep_engine(db: Session, engine: Engine) -> None:
    noted = select(Entry.text).where(Entry.engine_id == engine.id, Entry.what == "noted")
    _put(db, "engine", [(engine.id, _of_engine(engine, db.scalars(noted)))])


def keep_ticket(db: Session, ticket: Ticket) -> None:
    _put(db, "ticket", [(ticket.id, _of_ticket(ticket))])


def keep_part(db: Session, part: Part) -> None:
    _put(db, "part", [(part.id, _of_part(part))])


def forget(db: Session, kind: Kind, record_id: int) -> None:
    column = "rowid" if _is_sqlite(db) else "id"
    db.execute(text(f"DELETE FROM {_TABLES[kind]} WHERE {column} = :id"), {"id": record_id})


def _of_customer(customer: Customer, noted: Iterable[str] = ()) -> set[str]:
    joined = customer.pinyin.replace(" ", "")
    words = [customer.name, customer.code, customer.region, customer.address, customer.note, joined, customer.initials]
    found = _pieces([*words, *(phone.number for phone in customer.phones), *noted])
    return found.union(*map(signs, (customer.name, customer.code, customer.address)))


def _of_engine(engine: Engine, noted: Iterable[str] = ()) -> set[str]:
    words = [engine.serial, engine.vin, engine.model, engine.vehicle, engine.plant, *noted]
    return _pieces(words).union(signs(engine.vehicle))


def _of_ticket(ticket: Ticket) -> set[str]:
    said = [value for value in ticket.fields.values() if isinstance(value, str)]
    noted = [entry.text for entry in ticket.entries]
    return _pieces([ticket.subject, ticket.notes, *said, *noted]) | {kind_token(ticket.kind)}


def _of_part(part: Part) -> set[str]:
    sound, first = pinyin.full(part.zh).replace(" ", ""), pinyin.initials(part.zh)
    return _pieces([part.spelt, part.number, part.zh, part.en, sound, first])


def kind_token(kind: str) -> str:
    """Longer than any piece, so that it is mistaken for none: what narrows tickets to a kind."""
    return "kind" + kind.replace("_", "")


def _pieces(words: Iterable[str]) -> set[str]:
    return {piece for one in words if one for piece in grams(one)}


def _put(db: Session, kind: Kind, rows: Collection[tuple[int, set[str]]]) -> None:
    table = _TABLES[kind]
    if _is_sqlite(db):
        statement = f"INSERT OR REPLACE INTO {table}(rowid, tokens) VALUES (:id, :tokens)"
        values: list[dict[str, Any]] = [{"id": number, "tokens": " ".join(sorted(said))} for number, said in rows]
    else:
        statement = (
            f"INSERT INTO {table} (id, tokens) VALUES (:id, :tokens) "
            "ON CONFLICT (id) DO UPDATE SET tokens = excluded.tokens"
        )
        values = [{"id": number, "tokens": sorted(said)} for number, said in rows]
    if values:
        db.execute(text(statement), values)


def complete(db: Session) -> int:
    """Index what was kept before there was an index, or was written past it; how many records. Nothing, as a rule."""
    return sum(fill(db, kind) for kind in _TABLES if _holds(db, kind) and not _indexed(db, kind))


def fill(db: Session, kind: Kind) -> int:
    """Index every record of a kind anew."""
    ways: dict[Kind, tuple[Any, Callable[[Any], set[str]], Any, Any]] = {
        "customer": (Customer, _of_customer, Customer.phones, Entry.customer_id),
        "engine": (Engine, _of_engine, None, Entry.engine_id),
        "ticket": (Ticket, _of_ticket, Ticket.entries, None),
        "part": (Part, _of_part, None, None),
    }
    row, pieces, loaded, whose = ways[kind]
    last, count = 0, 0
    while True:
        rows = select(row).where(row.id > last).order_by(row.id).limit(_BATCH)
        if loaded is not None:
            rows = rows.options(selectinload(loaded))
        found = db.scalars(rows).all()
        if not found:
            return count
        said = {one.id: pieces(one) for one in found}
        if whose is not None:
            noted = select(whose, Entry.text).where(whose.in_(said), Entry.what == "noted")
            for record_id, words in db.execute(noted):
                said[record_id] |= _pieces([words])
        merged = [one for one in found if getattr(one, "merged_into_id", None) is not None]
        for one in merged:
            del said[one.id]
        _put(db, kind, list(said.items()))
        for one in merged:
            keep_customer(db, one)
        last, count = found[-1].id, count + len(found)
        db.expunge_all()


def _holds(db: Session, kind: Kind) -> bool:
    table = {"customer": Customer, "engine": Engine, "ticket": Ticket, "part": Part}[kind].__tablename__
    return db.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None


def _indexed(db: Session, kind: Kind) -> bool:
    return db.execute(text(f"SELECT 1 FROM {_TABLES[kind]} LIMIT 1")).first() is not None


# --- asking ------------------------------------------------------------------------------------------------------


def having(db: Session, kind: Kind, words: str, limit: int, *, only: TicketKind | None = None) -> list[int]:
    """The newest records that have every piece of these words; the words themselves are for the asker to see.

    Signs are asked for, too, where names are: of tickets they are not kept.
    """
    asked = list(dict.fromkeys(signs(words))) if kind != "ticket" else []
    asked += dict.fromkeys(_askable_grams(words) if asked else grams(words))
    if not asked or not ((kind != "ticket" and any(signs(words))) or askable(words)):
        return []
    if only is not None:
        asked.append(kind_token(only))
    table = _TABLES[kind]
    if _is_sqlite(db):
        statement = f"SELECT rowid FROM {table} WHERE {table} MATCH :asked ORDER BY rowid DESC LIMIT :limit"
        values: dict[str, Any] = {"asked": " ".join(f'"{piece}"' for piece in asked), "limit": limit}
        return [row[0] for row in db.execute(text(statement), values)]
    return _having_in_postgresql(db, table, asked, limit)


def _having_in_postgresql(db: Session, table: str, asked: list[str], limit: int) -> list[int]:
    """What many records have is found among the newest; what few have, by the index of pieces.

    Asked for both at once the planner cannot know which it is, and reads millions of records from the newest on for a
    word that none of them has.
    """
    has = f"SELECT id FROM {table} WHERE tokens @> CAST(:asked AS TEXT[])"
    newest = f"{has} AND id > (SELECT max(id) - {_NEWEST} FROM {table}) ORDER BY id DESC LIMIT :limit"
    values = {"asked": asked, "limit": limit}
    found = [row[0] for row in db.execute(text(newest), values)]
    if len(found) == limit:
        return found
    # of a word that half of all records have, some will do; it is never read for from end to end
    limits = "SELECT set_config('gin_fuzzy_search_limit', '5000', true), set_config('enable_seqscan', :may, true)"
    db.execute(text(limits), {"may": "off"})
    found = [row[0] for row in db.execute(text(f"{has} ORDER BY id + 0 DESC LIMIT :limit"), values)]
    db.execute(text(limits), {"may": "on"})
    return found


def _is_sqlite(db: Session) -> bool:
    return db.get_bind().dialect.name == "sqlite"
