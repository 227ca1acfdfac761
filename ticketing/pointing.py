"""Which columns of the database point to the rows of a table, whoever's table they are in."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import inspect
from sqlalchemy.orm import Session

_held: WeakKeyDictionary[Any, dict[str, list[tuple[str, str]]]] = WeakKeyDictionary()


def to(db: Session, table: str) -> list[tuple[str, str]]:
    """Table and column of each foreign key to it, as the database itself has them."""
    bind = db.get_bind()
    known = _held.setdefault(bind, {})
    if table not in known:
        looked = inspect(db.connection())
        known[table] = [
            (other, key["constrained_columns"][0])
            for other in looked.get_table_names()
            if not other.startswith("find_")
            for key in looked.get_foreign_keys(other)
            if key["referred_table"] == table
        ]
    return known[table]
