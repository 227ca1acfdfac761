"""Alembic runs the versions beside this file against the database it is told."""

from __future__ import annotations

from alembic import context

from callcenter.database import Base, Database

config = context.config
connection = config.attributes.get("connection")
if connection is None:
    database = Database(config.attributes["url"])
    with database.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=database.is_sqlite)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    database.close()
else:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
