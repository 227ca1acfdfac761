"""Intentions: claimed once, never done late, tried again with patience."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from callcenter import jobs, worker
from callcenter.bus import LocalBus
from callcenter.jobs import Job

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_what_is_planned_twice_is_done_once(database):
    with database.write() as db:
        first = jobs.plan(db, "dial", "ticket-1", {}, NOON)
        assert jobs.plan(db, "dial", "ticket-1", {"other": 1}, NOON + MINUTE).id == first.id


def test_two_hundred_jobs_and_eight_workers_each_done_once(database):
    with database.write() as db:
        for n in range(200):
            jobs.plan(db, "dial", f"ticket-{n}", {"n": n}, NOON)
    done = []

    def work(_):
        while worker.work_off(database, LocalBus(), {"dial": lambda _db, job, _now: done.append(job.key) or []}, NOON):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sorted(done) == sorted(f"ticket-{n}" for n in range(200))


def test_too_late_is_void_and_not_done(database):
    with database.write() as db:
        jobs.plan(db, "dial", "late", {}, NOON, void_after=NOON + MINUTE)
        assert jobs.claim(db, ("dial",), NOON + 2 * MINUTE, MINUTE) is None
        assert db.query(Job).one().state == "void"


def test_a_worker_that_died_leaves_its_job_to_the_next_when_the_lease_ends(database):
    with database.write() as db:
        jobs.plan(db, "dial", "held", {}, NOON)
        assert jobs.claim(db, ("dial",), NOON, MINUTE)
        assert jobs.claim(db, ("dial",), NOON, MINUTE) is None
        again = jobs.claim(db, ("dial",), NOON + 2 * MINUTE, MINUTE)
        assert again is not None
        assert again.attempts == 2


def test_what_a_dead_worker_had_begun_and_never_takes_long_is_begun_again_soon(database):
    class Killed(BaseException):
        """As a kill -9 looks from inside: nothing is tidied up."""

    def dies(_db, _job, _now):
        raise Killed

    with database.write() as db:
        jobs.plan(db, "recording", "recording:tel-1", {}, NOON)
    leases = {"recording": 2 * MINUTE}
    with pytest.raises(Killed):
        worker.work_off(database, LocalBus(), {"recording": dies}, NOON, leases)
    done = []
    works = {"recording": lambda _db, job, _now: done.append(job.key) or []}
    assert not worker.work_off(database, LocalBus(), works, NOON + MINUTE, leases)
    assert worker.work_off(database, LocalBus(), works, NOON + 3 * MINUTE, leases)
    assert done == ["recording:tel-1"]


def test_a_job_that_keeps_failing_is_failed_with_the_reason(database):
    def broken(_db, _job, _now):
        raise OSError("disk full")

    with database.write() as db:
        jobs.plan(db, "dial", "broken", {}, NOON)
    at = NOON
    for _ in range(len(worker.AGAIN_AFTER_S) + 1):
        assert worker.work_off(database, LocalBus(), {"dial": broken}, at)
        at += timedelta(hours=1)
    with database.read() as db:
        job = db.query(Job).one()
    assert (job.state, job.error) == ("failed", "OSError: disk full")
    assert not worker.work_off(database, LocalBus(), {"dial": broken}, at)
