"""Every row of every projection, to be compared."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect, select

from callcenter.database import Database
from cti.rows import PROJECTIONS


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as db:
        return {
            table.__tablename__: [
                tuple(row) for row in db.execute(select(*table.__table__.columns).order_by(*inspect(table).primary_key))
            ]
            for table in PROJECTIONS
        }
