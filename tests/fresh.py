"""New databases for tests. The tables are made once in a process, and copied as a file."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import String

import tests.tables  # noqa: F401 - the tables must be known before they are made
from callcenter.database import Base, Database


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
        _keep_to_lengths(database)
        database.close()  # its WAL is written back into the file
        return path.read_bytes()


def _keep_to_lengths(database: Database) -> None:
    """What PostgreSQL refuses as too long, SQLite would keep: here it refuses it, too."""
    with database.engine.begin() as connection:
        for table in Base.metadata.tables.values():
            lengths = {c.name: c.type.length for c in table.columns if isinstance(c.type, String) and c.type.length}
            for name, longest in lengths.items():
                for step in ("INSERT", "UPDATE"):
                    connection.exec_driver_sql(
                        f'CREATE TRIGGER "{step}_{table.name}_{name}" BEFORE {step} ON "{table.name}"'
                        f' WHEN length(NEW."{name}") > {longest}'
                        f" BEGIN SELECT RAISE(ABORT, '{table.name}.{name} holds {longest}'); END"
                    )
