"""What hour meters and odometers showed, day by day. What cannot be right is refused, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import NotFound
from ticketing import entries
from ticketing.kinds import MISSING, Fault
from ticketing.record_rows import Reading
from ticketing.rows import Engine
from ticketing.unfit import RecordUnfit

MOST_HOURS = 100_000
MOST_KM = 5_000_000
KM_A_DAY = 2_000
"""Two drivers who do not sleep."""


class ImplausibleReading(RecordUnfit):
    """This reading of the meter cannot be right; it was not kept."""


def add(
    db: Session,
    engine: Engine,
    on: date,
    *,
    by: str,
    now: datetime,
    today: date,
    hours: int | None = None,
    km: int | None = None,
    new_meter: bool = False,
    source: str = "agent",
    ticket_id: int | None = None,
) -> Reading:
    """Keep a reading of a day, which may be a day long past. The same reading twice is one.

    ImplausibleReading if a meter ran backwards, or faster than the time between two readings allows. ``new_meter``:
    the hour meter was replaced, so it counts from the start; what the old one had counted is kept.
    """
    if hours is None and km is None:
        raise RecordUnfit({"hours": MISSING})
    faults = _day(engine, on, today)
    past = history(db, engine.id)
    before = _before(past, on, new_meter)
    same = next((one for one in past if (one.on, one.hours, one.km) == (on, hours, km)), None)
    if same is not None:
        return same
    if hours is not None:
        faults |= _hours(engine, past, on, hours, before, new_meter)
    if km is not None:
        faults |= _km(engine, past, on, km)
    if faults:
        raise ImplausibleReading(faults)
    reading = Reading(
        engine_id=engine.id,
        on=on,
        hours=hours,
        km=km,
        hours_before=before,
        new_meter=new_meter,
        source=source,
        ticket_id=ticket_id,
        by=by,
        at=now,
    )
    db.add(reading)
    was = engine.hours, engine.km
    _latest(engine, [*past, reading])
    db.flush()
    told = {name: (b, value) for name, b, value in (("hours", was[0], hours), ("km", was[1], km)) if value is not None}
    if new_meter:
        told["new_meter"] = (None, True)
    entries.tell(db, "reading", by=by, at=now, engine_id=engine.id, changes=told | {"on": (None, on)})
    return reading


def take_back(db: Session, engine: Engine, reading_id: int, *, by: str, now: datetime) -> None:
    """Remove a reading that was wrong; that it was there stays told."""
    past = history(db, engine.id)
    wrong = next((one for one in past if one.id == reading_id), None)
    if wrong is None:
        raise NotFound("reading %(reading_id)s", reading_id=reading_id)
    db.delete(wrong)
    _latest(engine, [one for one in past if one is not wrong])
    db.flush()
    told = {"hours": (wrong.hours, None), "km": (wrong.km, None), "on": (wrong.on, None)}
    entries.tell(db, "reading_removed", by=by, at=now, engine_id=engine.id, changes=told)


def history(db: Session, engine_id: int) -> list[Reading]:
    """By day, the oldest first."""
    return list(db.scalars(select(Reading).where(Reading.engine_id == engine_id).order_by(Reading.on, Reading.id)))


def _latest(engine: Engine, readings: Sequence[Reading]) -> None:
    engine.hours = engine.hours_on = engine.km = engine.km_on = None
    for one in sorted(readings, key=lambda one: one.on):
        if one.hours is not None:
            engine.hours, engine.hours_on = one.life_hours, one.on
        if one.km is not None:
            engine.km, engine.km_on = one.km, one.on


def _day(engine: Engine, on: date, today: date) -> dict[str, Fault]:
    if on > today:
        return {"on": Fault("日期在将来", "That day is still to come")}
    if engine.built_on is not None and on < engine.built_on:
        return {"on": Fault(f"早于出厂日期 {engine.built_on}", f"Before the engine was built, on {engine.built_on}")}
    return {}


def _before(past: Sequence[Reading], on: date, new_meter: bool) -> int:
    """What earlier meters had counted by that day."""
    last = next((one for one in reversed(past) if one.hours is not None and one.on <= on), None)
    if last is None:
        return 0
    return (last.life_hours or 0) if new_meter else last.hours_before


def _hours(
    engine: Engine, past: Sequence[Reading], on: date, hours: int, before: int, new_meter: bool
) -> dict[str, Fault]:
    if not 0 <= hours <= MOST_HOURS:
        return {"hours": Fault(f"小时数应在 0 到 {MOST_HOURS} 之间", f"Hours are 0 to {MOST_HOURS:,}")}
    life = before + hours
    read = [(one.on, one.life_hours) for one in past if one.life_hours is not None]
    fault = _between(read, on, life, 24, "小时", "h")
    if fault is None and new_meter is False and not read:
        fault = _since_built(engine.built_on, on, life, 24, "小时", "h")
    if fault is None and new_meter and any(one.on > on and one.hours is not None for one in past):
        fault = Fault("此后已有读数，换表只能按先后登记", "There are later readings; enter a new meter in its turn")
    return {"hours": fault} if fault else {}


def _km(engine: Engine, past: Sequence[Reading], on: date, km: int) -> dict[str, Fault]:
    if not 0 <= km <= MOST_KM:
        return {"km": Fault(f"里程应在 0 到 {MOST_KM} 之间", f"Kilometres are 0 to {MOST_KM:,}")}
    read = [(one.on, one.km) for one in past if one.km is not None]
    fault = _between(read, on, km, KM_A_DAY, "公里", "km")
    if fault is None and not read:
        fault = _since_built(engine.built_on, on, km, KM_A_DAY, "公里", "km")
    return {"km": fault} if fault else {}


def _between(read: Sequence[tuple[date, int]], on: date, value: int, a_day: int, zh: str, en: str) -> Fault | None:
    """Against the last reading before and the first one after."""
    earlier = next((one for one in reversed(read) if one[0] <= on), None)
    later = next((one for one in read if one[0] > on), None)
    if earlier is not None:
        day, stood = earlier
        if value < stood:
            return Fault(
                f"读数倒退：{day} 已是 {stood} {zh}；若换过表请勾选",
                f"It ran backwards: {stood:,} {en} on {day} already; tick it if the meter is new",
            )
        days = (on - day).days + 1
        if value - stood > a_day * days:
            return Fault(
                f"走得太快：自 {day} 的 {stood} {zh}起 {days} 天内不可能增加 {value - stood}",
                f"Too fast: {value - stood:,} {en} more than on {day}, in {days} days",
            )
    if later is not None:
        day, stood = later
        if value > stood:
            return Fault(f"比之后 {day} 的 {stood} {zh}还多", f"More than the {stood:,} {en} of a later day, {day}")
        if stood - value > a_day * ((day - on).days + 1):
            return Fault(f"与之后 {day} 的 {stood} {zh}相差太大", f"Too little for the {stood:,} {en} it had on {day}")
    return None


def _since_built(built: date | None, on: date, value: int, a_day: int, zh: str, en: str) -> Fault | None:
    if built is None or on < built or value <= a_day * ((on - built).days + 1):
        return None
    days = (on - built).days
    return Fault(
        f"走得太快：{built} 出厂，{days} 天内不可能有 {value} {zh}",
        f"Too fast: built on {built}, it cannot have {value:,} {en} after {days} days",
    )
