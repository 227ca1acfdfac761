"""The same house on a real PostgreSQL: migrated, the ledger counts once, jobs are claimed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from callcenter import jobs, ledger, worker
from callcenter.bus import LocalBus
from callcenter.database import Base, Database
from callcenter.errors import DatabaseUnreachable
from callcenter.facts import QueueJoined
from tests.ports import free_port

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


def ours(thing: Any, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
    """The search index is no table of the mapper: ``ticketing.findable`` makes it, each database its own kind."""
    table = name if kind == "table" else thing.table.name
    return not (table or "").startswith("find_")


def test_a_migrated_postgresql_has_just_the_tables_of_the_code(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert compare_metadata(context, Base.metadata) == []


def test_a_fact_told_twice_counts_once(database):
    joined = QueueJoined(at=NOON, switch="tel", call_id="tel-1.1", leg_id="tel-1.1", queue="repair", position=1)
    with database.write() as db:
        assert ledger.append(db, [joined, joined], "ami") == [joined]
    with database.write() as db:
        assert ledger.append(db, [joined], "resync") == []
    with database.read() as db:
        assert [fact for _seq, fact in ledger.read(db)] == [joined]


def test_a_hundred_jobs_and_eight_workers_each_done_once(database):
    with database.write() as db:
        for n in range(100):
            jobs.plan(db, "dial", f"ticket-{n}", {}, NOON)
    done = []

    def work(_):
        idle = 0
        while idle < 3:  # a colleague may have been faster; only several empty looks mean there is nothing left
            did = worker.work_off(
                database, LocalBus(), {"dial": lambda _db, job, _now: done.append(job.key) or []}, NOON
            )
            idle = 0 if did else idle + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sorted(done) == sorted(f"ticket-{n}" for n in range(100))


def test_who_lets_the_database_go_while_he_thinks_takes_it_up_again(database):
    """As the recordings do while sound is joined, an import while it reads, the books while they read the logs."""
    with database.write() as db:
        jobs.plan(db, "recording", "before", {}, NOON)
        db.rollback()
        jobs.plan(db, "recording", "behind", {}, NOON)
    with database.read() as db:
        assert db.scalars(select(jobs.Job.key)).all() == ["behind"]


def test_a_database_that_is_not_there_is_said_in_a_sentence():
    with pytest.raises(DatabaseUnreachable, match="does not answer"):
        Database(f"postgresql+psycopg://callcenter@127.0.0.1:{free_port()}/postgres").migrate()
