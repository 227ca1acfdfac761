"""Which days are to be kept: all local days from the first call to yesterday."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from callcenter.database import Database
from cti import rollups
from reports import periods
from reports.periods import Period


def keep_days(database: Database, zone: ZoneInfo, now: datetime) -> int:
    """Count what is over and not kept yet; how many days."""
    with database.read() as db:
        first = rollups.since(db)
    if first is None:
        return 0
    whole = Period(periods.today(first, zone).start, periods.today(now, zone).start)
    return rollups.keep(database, [(day.start, day.end) for day in periods.days(whole, zone)], zone, now)
