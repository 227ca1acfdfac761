"""The carrier's own record of calls, held against ours: the third witness beside the switch's logs."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import BadInput
from cti.rows import Call, Leg
from reports.periods import Period
from reports.reconcile import NEAR, Account, calls_of


@dataclass(frozen=True)
class CarrierCall:
    """One line of a carrier's record."""

    started_at: datetime
    caller: str
    called: str
    seconds: float


def carrier_calls(path: Path, zone: tzinfo) -> list[CarrierCall]:
    """A CSV with the columns start, caller, called and duration (s); start in ISO 8601, local where it names no zone.

    BadInput names the line that cannot be read.
    """
    found = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                at = datetime.fromisoformat(row["start"].strip())
                seconds = float(row["duration"])
                found.append(
                    CarrierCall(at if at.tzinfo else at.replace(tzinfo=zone), row["caller"], row["called"], seconds)
                )
            except (KeyError, TypeError, ValueError, AttributeError) as fault:
                raise BadInput(
                    "%(name)s, line %(number)s: %(fault)s", name=path.name, number=number, fault=f"{fault!s:.80}"
                ) from fault
    return found


def compare(db: Session, account: Account, switch: str, carrier: Sequence[CarrierCall], period: Period) -> None:
    """Each call over the trunk has one line of the carrier's, and each line a call; they last as long."""
    calls = [call for call in calls_of(db, switch, period).values() if call.direction != "internal" and call.ended_at]
    calls = sorted((call for call in calls if call.started_at in period), key=lambda call: call.started_at)
    times = [call.started_at for call in calls]
    taken: set[str] = set()
    for line in sorted(carrier, key=lambda line: line.started_at):
        if line.started_at not in period:
            continue
        here = bisect_right(times, line.started_at)
        near = [
            call for call in _around(calls, here, line.started_at) if call.call_id not in taken and _same(call, line)
        ]
        label = f"{line.caller} → {line.called}"
        if not near:
            account.differs("", "call", "", f"{line.started_at:%H:%M:%S} {label}", "the carrier has it, we do not")
            continue
        call = min(near, key=lambda one: abs(one.started_at - line.started_at))
        taken.add(call.call_id)
        length_s = _trunk_s(db, call)
        if abs(length_s - line.seconds) > NEAR.total_seconds():
            account.differs(
                call.call_id, "duration", f"{length_s:.1f} s", f"{line.seconds:.1f} s", "the carrier counts otherwise"
            )
    for call in calls:
        if call.call_id not in taken:
            account.differs(call.call_id, "call", call.started_at, "", "we have it, the carrier does not")


def _around(calls: Sequence[Call], here: int, at: datetime) -> Iterator[Call]:
    reach = NEAR * 5  # carriers' clocks
    for way in (range(here - 1, -1, -1), range(here, len(calls))):
        for place in way:
            if abs(calls[place].started_at - at) > reach:
                break
            yield calls[place]


def _same(call: Call, line: CarrierCall) -> bool:
    """By the last eight digits of the outside number: everybody writes the rest in his own way."""
    outside = (call.caller_number, line.caller) if call.direction == "in" else (call.did, line.called)
    ours, theirs = ("".join(filter(str.isdigit, number))[-8:] for number in outside)
    return ours == theirs


def _trunk_s(db: Session, call: Call) -> float:
    """How long the outside leg was connected."""
    legs = db.scalars(select(Leg).where(Leg.call_id == call.call_id, Leg.agent.is_(None))).all()
    lengths = [(leg.ended_at - leg.answered_at).total_seconds() for leg in legs if leg.answered_at and leg.ended_at]
    return max(lengths, default=0.0)
