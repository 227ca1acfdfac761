"""Engines by serial number (机号): the file of each, and how one is found by what people say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from callcenter.errors import BadInput, NotFound
from config.people import User
from ticketing import customers, entries, findable, owners, vin
from ticketing.kinds import MISSING, Fault
from ticketing.record_rows import Reading
from ticketing.rows import IDS, Customer, Engine
from ticketing.text import line
from ticketing.unfit import RecordUnfit, overlong

SERIAL_END = 6
"""People say the last six characters of a serial number."""
_HAVING = 1000
"""Engines that have four or five characters somewhere; of these few end with them."""
_LENGTHS = {"model": 40, "plant": 40, "vehicle": 120, "vin": 40}
_DAYS = ("built_on", "sold_on", "warranty_until", "run_in_on")
_NUMBERS = ("warranty_hours", "run_in_hours")
_PEOPLE = ("dealer_id", "run_in_station_id")


class SerialTaken(BadInput):
    """An engine of this serial number is on file already."""


def spell(serial: str) -> str:
    """A serial number as it is kept: capitals, letters and digits only."""
    return re.sub(r"[^0-9A-Z]", "", serial.upper())


def create(
    db: Session,
    serial: str,
    model: str,
    *,
    customer_id: int | None = None,
    dealer_id: int | None = None,
    vehicle: str = "",
    vin: str = "",
    plant: str = "",
    built_on: date | None = None,
    sold_on: date | None = None,
    warranty_until: date | None = None,
    warranty_hours: int | None = None,
    hours: int | None = None,
    hours_on: date | None = None,
) -> Engine:
    """A new engine on file; its first owner has it from the day it was sold. Hours are its first reading."""
    kept, texts = spell(serial), _texts({"model": model, "vehicle": vehicle, "vin": vin, "plant": plant})
    if not 4 <= len(kept) <= 40 or not texts["model"]:
        raise BadInput("an engine needs a serial number of 4 to 40 letters and digits, and a model")
    for name, text in texts.items():
        if len(text) > _LENGTHS[name]:
            raise BadInput("%(name)s: %(longest)s characters at most", name=name, longest=_LENGTHS[name])
    customer_id, dealer_id = customers.standing_id(db, customer_id), customers.standing_id(db, dealer_id)
    for name, owner in (("owner", customer_id), ("dealer", dealer_id)):
        if owner is not None and (owner not in IDS or db.get(Customer, owner) is None):
            raise BadInput("%(name)s: there is no customer %(owner)s", name=name, owner=owner)
    if db.scalar(select(Engine.id).where(Engine.serial == kept)) is not None:
        raise SerialTaken(kept)
    engine = Engine(
        serial=kept,
        serial_end=kept[-SERIAL_END:],
        customer_id=customer_id,
        dealer_id=dealer_id,
        built_on=built_on,
        sold_on=sold_on,
        warranty_until=warranty_until,
        warranty_hours=warranty_hours,
        hours=hours,
        hours_on=hours_on,
        **texts,
    )
    db.add(engine)
    db.flush()
    owners.begin(db, engine, sold_on)
    if hours is not None and hours_on is not None:
        db.add(Reading(engine_id=engine.id, on=hours_on, hours=hours, source="record", by=""))
        db.flush()
    findable.keep_engine(db, engine)
    return engine


def change(
    db: Session,
    engine: Engine,
    now: datetime,
    *,
    by: str = "",
    version: int | None = None,
    as_on_plate: bool = False,
    **changes: Any,
) -> Engine:
    """Correct the file: model, plant, vehicle, VIN, days, an agreed warranty, dealer, run-in service.

    RecordUnfit names every field at fault; StaleRecord if somebody else changed the same field since ``version``.
    ``as_on_plate``: the VIN was read again and is kept though it cannot be one.
    """
    unknown = changes.keys() - {*_LENGTHS, *_DAYS, *_NUMBERS, *_PEOPLE}
    if unknown:
        raise BadInput("an engine has no %(unknown)s to change", unknown=", ".join(sorted(unknown)))
    texts = _texts({name: changes[name] for name in _LENGTHS.keys() & changes.keys()})
    faults = overlong(texts, _LENGTHS)
    if "model" in texts and not texts["model"]:
        faults["model"] = MISSING
    wrong = vin.fault(texts.get("vin", ""))
    if wrong is not None and texts["vin"] != engine.vin and not as_on_plate:
        faults["vin"] = wrong
    for name in _PEOPLE:
        number = changes.get(name)
        if number is not None:
            number = changes[name] = customers.standing_id(db, number)
        if number is not None and (number not in IDS or db.get(Customer, number) is None):
            faults[name] = Fault("没有这个客户", "There is no such customer")
    for name in _NUMBERS:
        number = changes.get(name)
        if number is not None and not 0 <= number <= 100_000:
            faults[name] = Fault("0 到 100000", "0 to 100,000")
    faults |= _order({name: changes.get(name, getattr(engine, name)) for name in _DAYS}, changes, now.date())
    if faults:
        raise RecordUnfit(faults)
    entries.change(db, engine, changes | texts, version=version, by=by, now=now)
    findable.keep_engine(db, engine)
    return engine


def _texts(given: Mapping[str, str]) -> dict[str, str]:
    return {name: vin.spell(text) if name == "vin" else line(text) for name, text in given.items()}


def _order(days: Mapping[str, date | None], changed: Mapping[str, Any], today: date) -> dict[str, Fault]:
    """Built before sold, sold before its first service, none of it to come."""
    faults = {}
    for earlier, later, zh, en in (
        ("built_on", "sold_on", "早于出厂日期", "Before it was built"),
        ("built_on", "run_in_on", "早于出厂日期", "Before it was built"),
        ("sold_on", "run_in_on", "早于销售日期", "Before it was sold"),
    ):
        first, second = days[earlier], days[later]
        if first is not None and second is not None and second < first and {earlier, later} & changed.keys():
            faults[later if later in changed else earlier] = Fault(f"{zh} {first}", f"{en}, on {first}")
    for name in ("built_on", "sold_on", "run_in_on"):
        day = changed.get(name)
        if day is not None and (day - today).days > 1:
            faults[name] = Fault("日期在将来", "That day is still to come")
    return faults


def find(db: Session, said: str, limit: int = 20) -> Sequence[Engine]:
    """The engine of this serial number, or those whose number ends so; at least four characters must be said."""
    kept = spell(said)
    if len(kept) < 4:
        return []
    ends_so = Engine.serial.endswith(kept)
    if len(kept) >= SERIAL_END:
        ends_so &= Engine.serial_end == kept[-SERIAL_END:]  # by the index
    else:
        ends_so &= Engine.id.in_(findable.having(db, "engine", kept, _HAVING))
    rows = select(Engine).where((Engine.serial == kept) | ends_so).order_by(Engine.serial != kept, Engine.serial)
    found = db.scalars(rows.limit(limit)).all()
    return found[:1] if found and found[0].serial == kept else found


def load_engine(db: Session, engine_id: int, user: User) -> Engine:
    """With its owner; NotFound where the user may not see it."""
    engine = None
    if engine_id in IDS and user.may("engines"):
        engine = db.scalar(select(Engine).where(Engine.id == engine_id).options(selectinload(Engine.customer)))
    if engine is None:
        raise NotFound("engine %(engine_id)s", engine_id=engine_id)
    return engine
