"""When the switch was not heard. All of that time is counted, but talk and hold are not told apart there."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.orm import Session

from callcenter.ledger import LedgerRow
from reports.periods import Period

_LONGEST = timedelta(days=3)  # before the period: a gap that began then reaches into it


def gaps(db: Session, period: Period, now: datetime) -> list[Period]:
    """From each moment a link was lost to the one it was found again, oldest first; one that stands ends now."""
    # Said as the index says it: a database uses a partial index only for a condition it can read.
    told: ColumnElement[bool] = literal_column("type IN ('SwitchLost', 'SwitchFound')")
    rows = (
        select(LedgerRow.switch, LedgerRow.type, LedgerRow.at)
        .where(told, LedgerRow.at >= period.start - _LONGEST, LedgerRow.at < period.end)
        .order_by(LedgerRow.at, LedgerRow.seq)
    )
    lost: dict[str, datetime] = {}
    found: list[Period] = []
    for switch, kind, at in db.execute(rows):
        if kind == "SwitchLost":
            lost.setdefault(switch, at)
        elif switch in lost:
            found.append(Period(lost.pop(switch), at))
    found += [Period(at, now) for at in lost.values()]
    return sorted((gap for gap in found if touches(gap, period)), key=lambda gap: gap.start)


def touches(one: Period, other: Period) -> bool:
    return one.start < other.end and other.start < one.end
