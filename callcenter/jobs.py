"""Intentions that survive a restart, as rows: due, void after, claimed by one conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import JSON, Index, String, Table, Text, bindparam, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from callcenter.database import Base

Leases = Mapping[str, timedelta]
"""By kind, for work that never takes long: what a worker that died had begun is begun again so soon."""
NO_LEASES: Leases = {}


class Job(Base):
    """waiting → running → done | failed; void when it is too late to do it at all."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    due_at: Mapped[datetime]
    void_after: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index("ix_jobs_state_due_at", "state", "due_at"),)


_OF_KEY = select(Job).where(Job.key == bindparam("key"))


def plan(
    db: Session, kind: str, key: str, payload: dict[str, Any], due_at: datetime, void_after: datetime | None = None
) -> Job:
    """Intend something once: a job of this key that stands already is the answer."""
    standing = db.execute(_OF_KEY, {"key": key}).scalar_one_or_none()
    if standing is not None:
        return standing
    job = Job(kind=kind, key=key, payload=payload, due_at=due_at, void_after=void_after)
    db.add(job)
    db.flush()
    return job


# Built once: every worker asks this every second.
_DUE = (
    select(Job)
    .where(Job.kind.in_(bindparam("kinds", expanding=True)), Job.due_at <= bindparam("now"))
    .where((Job.state == "waiting") | ((Job.state == "running") & (Job.lease_until < bindparam("now"))))
    .order_by(Job.due_at, Job.id)
)
_OLDEST_DUE = _DUE.limit(1)
_DUE_IDS = _DUE.with_only_columns(Job.id).limit(bindparam("at_most"))
_JOBS = cast(Table, Job.__table__)
_TOOK = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job"), _JOBS.c.state == bindparam("was"), _JOBS.c.attempts == bindparam("tried"))
    .values(state=bindparam("now_is"), lease_until=bindparam("until"), attempts=_JOBS.c.attempts + 1)
)
_DONE = update(_JOBS).where(_JOBS.c.id == bindparam("job")).values(state="done", lease_until=None, error="")


def due(db: Session, kinds: tuple[str, ...], now: datetime, at_most: int = 1) -> int:
    """How many, up to so many, could be claimed; asked without a lock, so that nobody waits for the answer "none"."""
    return len(db.execute(_DUE_IDS, {"kinds": kinds, "now": now, "at_most": at_most}).all())


def claim(
    db: Session, kinds: tuple[str, ...], now: datetime, lease: timedelta, leases: Leases = NO_LEASES
) -> Job | None:
    """The oldest due job, now ours until its lease ends; None if nothing is due or a colleague was faster.

    ``leases``: of kinds that have one of their own.
    """
    job = db.execute(_OLDEST_DUE, {"kinds": kinds, "now": now}).scalar_one_or_none()
    if job is None:
        return None
    state = "void" if job.void_after is not None and job.void_after < now else "running"
    until = now + leases.get(job.kind, lease)
    took: CursorResult[Any] = db.execute(  # type: ignore[assignment]
        _TOOK, {"job": job.id, "was": job.state, "tried": job.attempts, "now_is": state, "until": until}
    )
    if took.rowcount != 1 or state == "void":
        return None
    for name, value in (("state", state), ("lease_until", until), ("attempts", job.attempts + 1)):
        set_committed_value(job, name, value)
    return job


def finish(db: Session, job: Job) -> None:
    db.execute(_DONE, {"job": job.id})


def fail(db: Session, job: Job, error: str, again_at: datetime | None) -> None:
    """Try again at this time, or never (None)."""
    values: dict[str, Any] = {"state": "waiting", "due_at": again_at} if again_at else {"state": "failed"}
    db.execute(update(Job).where(Job.id == job.id).values(error=error[:2000], lease_until=None, **values))
