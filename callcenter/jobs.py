"""Intentions that survive a restart, as rows: due, void after, claimed by one conditional UPDATE."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, bindparam, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base


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


def plan(
    db: Session, kind: str, key: str, payload: dict[str, Any], due_at: datetime, void_after: datetime | None = None
) -> Job:
    """Intend something once: a job of this key that stands already is the answer."""
    standing = db.execute(select(Job).where(Job.key == key)).scalar_one_or_none()
    if standing is not None:
        return standing
    job = Job(kind=kind, key=key, payload=payload, due_at=due_at, void_after=void_after)
    db.add(job)
    db.flush()
    return job


# Built once: every worker asks this twice a second.
_DUE = (
    select(Job)
    .where(Job.kind.in_(bindparam("kinds", expanding=True)), Job.due_at <= bindparam("now"))
    .where((Job.state == "waiting") | ((Job.state == "running") & (Job.lease_until < bindparam("now"))))
    .order_by(Job.due_at, Job.id)
    .limit(1)
)


def is_due(db: Session, kinds: tuple[str, ...], now: datetime) -> bool:
    """Whether there is something to claim; asked without a lock, so that nobody waits for the answer "no"."""
    return db.execute(_DUE, {"kinds": kinds, "now": now}).first() is not None


def claim(db: Session, kinds: tuple[str, ...], now: datetime, lease_until: datetime) -> Job | None:
    """The oldest due job, now ours until the lease ends; None if nothing is due or a colleague was faster."""
    job = db.execute(_DUE, {"kinds": kinds, "now": now}).scalar_one_or_none()
    if job is None:
        return None
    state = "void" if job.void_after is not None and job.void_after < now else "running"
    took: CursorResult[Any] = db.execute(  # type: ignore[assignment]
        update(Job)
        .where(Job.id == job.id, Job.state == job.state, Job.attempts == job.attempts)
        .values(state=state, lease_until=lease_until, attempts=Job.attempts + 1)
    )
    if took.rowcount != 1 or state == "void":
        return None
    db.refresh(job)
    return job


def finish(db: Session, job: Job) -> None:
    db.execute(update(Job).where(Job.id == job.id).values(state="done", lease_until=None, error=""))


def fail(db: Session, job: Job, error: str, again_at: datetime | None) -> None:
    """Try again at this time, or never (None)."""
    values: dict[str, Any] = {"state": "waiting", "due_at": again_at} if again_at else {"state": "failed"}
    db.execute(update(Job).where(Job.id == job.id).values(error=error[:2000], lease_until=None, **values))
