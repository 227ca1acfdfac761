"""New databases for tests. The tables are made once in a process, and copied as a file."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import tests.tables  # noqa: F401 - the tables must be known before they are made
from callcenter.database import Database


def fresh(path: Path) -> Database:
    """A new SQLite database with every table, and nothing in them."""
    path.write_bytes(_tables())
    return Database(f"sqlite:///{path}")


@cache
def _tables() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.db"
        database = Database(f"sqlite:///{path}")
        database.create_all()
        database.close()  # its WAL is written back into the file
        return path.read_bytes()
