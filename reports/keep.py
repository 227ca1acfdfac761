"""Which days and months are to be kept: all local ones from the first call to yesterday."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from callcenter.database import Database
from callcenter.database import now as clock
from cti import rollups
from reports import periods
from reports.periods import Period

log = logging.getLogger(__name__)


def keep_days(database: Database, zone: ZoneInfo, now: datetime, stopped: Callable[[], bool] = lambda: False) -> int:
    """Count what is over and not kept yet; how many days. It can be stopped after any day."""
    with database.read() as db:
        first = rollups.since(db)
    if first is None:
        return 0
    whole = Period(periods.today(first, zone).start, periods.today(now, zone).start)
    days = [(day.start, day.end) for day in periods.days(whole, zone)]
    count = rollups.keep(database, days, zone, now, stopped)
    rollups.keep_months(database, months(whole, zone), zone, now, stopped)
    return count


def months(whole: Period, zone: ZoneInfo) -> list[list[tuple[datetime, datetime]]]:
    """The calendar months of these whole days, those cut off at either end left out; each as its days."""
    found = []
    for piece in periods.pieces(whole, zone, "month"):
        first, behind = piece.start.astimezone(zone).date(), piece.end.astimezone(zone).date()
        if first.day == 1 and behind.day == 1:
            found.append([(day.start, day.end) for day in periods.days(piece, zone)])
    return found


def keep_always(database: Database, zone: ZoneInfo, stop: threading.Event, every_s: float = 600) -> None:
    """Again and again until told to stop; the worker does it in a thread of its own."""
    while not stop.is_set():
        try:
            count = keep_days(database, zone, clock(), stop.is_set)
            if count:
                log.info("%d finished days counted for reports", count)
        except Exception:
            log.exception("finished days could not be counted")
        stop.wait(every_s)
