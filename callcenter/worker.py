"""The worker: claims due jobs one after the other and does each by the function its kind names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.events import Event
from callcenter.jobs import NO_LEASES, Leases

log = logging.getLogger(__name__)

Work = Callable[[Session, jobs.Job, datetime], list[Event]]
"""Does one job; the caller commits, then publishes the events returned."""

POLL_S = 1.0
LEASE = timedelta(minutes=10)
AGAIN_AFTER_S = (2, 10, 60, 600)
"""Pauses between tries; a job that fails once more than this is failed for good and shown."""


def work_off(database: Database, bus: Bus, works: Mapping[str, Work], at: datetime, leases: Leases = NO_LEASES) -> bool:
    """Do the next due job; False when nothing is due."""
    with database.read() as db:
        if not jobs.due(db, tuple(works), at):
            return False
    with database.write() as db:
        job = jobs.claim(db, tuple(works), at, LEASE, leases)
    if job is None:
        return False
    try:
        with database.write() as db:
            events = works[job.kind](db, job, at)
            jobs.finish(db, job)
    except Exception as fault:
        log.exception("job %s %s failed, try %d", job.kind, job.key, job.attempts)
        again = AGAIN_AFTER_S[job.attempts - 1] if job.attempts <= len(AGAIN_AFTER_S) else None
        with database.write() as db:
            jobs.fail(db, job, f"{type(fault).__name__}: {fault}", at + timedelta(seconds=again) if again else None)
        return True
    for event in events:
        bus.publish(event)
    return True


def run(
    database: Database,
    bus: Bus,
    works: Mapping[str, Work],
    stop: threading.Event,
    poll_s: float = POLL_S,
    leases: Leases = NO_LEASES,
) -> None:
    """Work until told to stop; a database that does not answer is asked again at the next poll."""
    while not stop.is_set():
        try:
            while not stop.is_set() and work_off(database, bus, works, now(), leases):
                pass
        except Exception:
            log.exception("the worker could not read its jobs")
        stop.wait(poll_s)
