"""Every night the day before is reconciled, and what came of it is kept for the supervisor."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.events import Event
from callcenter.worker import Work
from config.settings import Settings
from cti.resync import LogFiles
from reports import periods
from reports.reconcile import Account, reconcile
from reports.rows import Reconciliation

SHOWN = 200  # differences kept of one day
JOB = "reconcile"
AT = timedelta(hours=3)  # after midnight, local time

log = logging.getLogger(__name__)


def of_day(db: Session, settings: Settings, local: date, now: datetime) -> Account:
    """One local day of this centre's switch."""
    zone = settings.centre.zone
    files = LogFiles(settings.switch_home / "log", str, settings.centre.language)
    tolerance_ms = settings.recording.tolerance_ms
    period = periods.day(local, zone)
    return reconcile(db, files, settings.recordings, settings.switch.name, period, now, tolerance_ms)


def work(settings: Settings) -> Work:
    """The worker's part: yesterday is reconciled in the small hours, and tomorrow's look is planned."""

    def do(db: Session, job: jobs.Job, now: datetime) -> list[Event]:
        local = date.fromisoformat(job.payload["day"])
        db.rollback()  # nobody shall wait for the database while logs are read
        account = of_day(db, settings, local, now)
        db.rollback()
        keep(db, local.isoformat(), account, now)
        plan(db, settings.centre.zone, now)
        for one in account.differences[:SHOWN]:
            log.warning("reconcile %s: %s", local, one)
        return []

    return do


def plan(db: Session, zone: tzinfo, now: datetime) -> None:
    """The next look: at today, once it is over."""
    today = now.astimezone(zone).date()
    due_at = periods.day(today + timedelta(days=1), zone).start + AT
    jobs.plan(db, JOB, f"{JOB}:{today}", {"day": today.isoformat()}, due_at)


def last(db: Session) -> Reconciliation | None:
    """The latest day that was reconciled."""
    return db.scalars(select(Reconciliation).order_by(Reconciliation.day.desc()).limit(1)).first()


def keep(db: Session, day: str, account: Account, now: datetime) -> None:
    """Put the day's outcome on record; the last one counts."""
    shown = [asdict(one) for one in account.differences[:SHOWN]]
    count = len(account.differences)
    db.merge(Reconciliation(day=day, looked_at=now, calls=account.calls, differences=shown, count=count))
