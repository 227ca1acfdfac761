"""Every night the day before is reconciled, and what came of it is kept for the supervisor."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter import jobs
from callcenter.events import Event
from callcenter.ledger import LedgerRow
from callcenter.worker import Work
from config.settings import Settings
from cti.resync import LogFiles
from reports import periods
from reports.reconcile import Account, reconcile
from reports.rows import Reconciliation

SHOWN = 200  # differences kept of one day
JOB = "reconcile"
AT = timedelta(hours=3)  # after midnight, local time
CAUGHT_UP = timedelta(days=31)  # the switch puts its logs aside, and not for ever

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
    """The next looks: at today, once it is over, and at every day the centre's computer was off, each once."""
    today = now.astimezone(zone).date()
    for local in [*_missed(db, zone, today), today]:
        due_at = periods.day(local + timedelta(days=1), zone).start + AT
        jobs.plan(db, JOB, f"{JOB}:{local}", {"day": local.isoformat()}, due_at)


def _missed(db: Session, zone: tzinfo, today: date) -> list[date]:
    """The days before today that nobody has looked at, from the first the switch was seen on, a month back at most."""
    first = db.scalar(select(func.min(LedgerRow.at)).where(LedgerRow.type.in_(("SwitchLost", "SwitchFound"))))
    if first is None:
        return []
    since = max(first.astimezone(zone).date(), today - CAUGHT_UP)
    looked = set(db.scalars(select(Reconciliation.day).where(Reconciliation.day >= since.isoformat())))
    days = (since + timedelta(days=number) for number in range((today - since).days))
    return [day for day in days if day.isoformat() not in looked]


def lately(db: Session, days: int = 7) -> list[Reconciliation]:
    """The days reconciled last, the latest first."""
    return list(db.scalars(select(Reconciliation).order_by(Reconciliation.day.desc()).limit(days)))


def keep(db: Session, day: str, account: Account, now: datetime) -> None:
    """Put the day's outcome on record; the last one counts."""
    shown = [asdict(one) for one in account.differences[:SHOWN]]
    count = len(account.differences)
    db.merge(Reconciliation(day=day, looked_at=now, calls=account.calls, differences=shown, count=count))
