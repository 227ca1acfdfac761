"""The migrations lead from nothing to exactly the tables the code knows."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from callcenter.database import Base, Database


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """The search index is no table of the mapper: ``ticketing.findable`` makes it, each database its own kind."""
    return not (kind == "table" and name is not None and name.startswith("find_"))


def test_a_migrated_database_has_just_the_tables_of_the_code(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    database.migrate()
    database.migrate()  # a second start changes nothing
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
        assert compare_metadata(context, Base.metadata) == []
    database.close()
