"""Alembic runs the versions beside this file against the database it is told."""

from __future__ import annotations

from alembic import context

from callcenter.database import Base, Database


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Drafts leave the search index alone: ``ticketing.findable`` makes it, each database its own kind."""
    return not (kind == "table" and name is not None and name.startswith("find_"))


config = context.config
connection = config.attributes.get("connection")
if connection is None:
    database = Database(config.attributes["url"])
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=database.is_sqlite,
            include_name=ours,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    database.close()
else:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
