"""Engines by serial number (机号), and whether their warranty (三包) still holds."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from callcenter.errors import BadInput, NotFound
from config.people import User, may
from ticketing.rows import IDS, Customer, Engine
from ticketing.text import line

SERIAL_END = 6
"""People say the last six characters of a serial number."""


class SerialTaken(BadInput):
    """An engine of this serial number is on file already."""


class ImplausibleHours(BadInput):
    """This reading of the hour meter cannot be right."""


# --- the file ----------------------------------------------------------------------------------------------------


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
    built_on: date | None = None,
    sold_on: date | None = None,
    warranty_until: date | None = None,
    warranty_hours: int | None = None,
    hours: int | None = None,
    hours_on: date | None = None,
) -> Engine:
    kept, model, vehicle, vin = spell(serial), line(model), line(vehicle), spell(vin)
    if not 4 <= len(kept) <= 40 or not model:
        raise BadInput("an engine needs a serial number of 4 to 40 letters and digits, and a model")
    for name, text, longest in (("model", model, 40), ("vehicle", vehicle, 120), ("vin", vin, 40)):
        if len(text) > longest:
            raise BadInput("%(name)s: %(longest)s characters at most", name=name, longest=longest)
    for name, owner in (("owner", customer_id), ("dealer", dealer_id)):
        if owner is not None and (owner not in IDS or db.get(Customer, owner) is None):
            raise BadInput("%(name)s: there is no customer %(owner)s", name=name, owner=owner)
    if db.scalar(select(Engine.id).where(Engine.serial == kept)) is not None:
        raise SerialTaken(kept)
    engine = Engine(
        serial=kept,
        serial_end=kept[-SERIAL_END:],
        model=model,
        customer_id=customer_id,
        dealer_id=dealer_id,
        vehicle=vehicle,
        vin=vin,
        built_on=built_on,
        sold_on=sold_on,
        warranty_until=warranty_until,
        warranty_hours=warranty_hours,
        hours=hours,
        hours_on=hours_on,
    )
    db.add(engine)
    db.flush()
    return engine


def find(db: Session, said: str, limit: int = 20) -> Sequence[Engine]:
    """The engine of this serial number, or those whose number ends so; at least four characters must be said."""
    kept = spell(said)
    if len(kept) < 4:
        return []
    exact = db.scalar(select(Engine).where(Engine.serial == kept))
    if exact is not None:
        return [exact]
    ending = select(Engine).where(Engine.serial.endswith(kept)).order_by(Engine.serial).limit(limit)
    if len(kept) >= SERIAL_END:
        ending = ending.where(Engine.serial_end == kept[-SERIAL_END:])  # by the index
    return db.scalars(ending).all()


def load_engine(db: Session, engine_id: int, user: User) -> Engine:
    """With its owner; NotFound where the user may not see it."""
    engine = None
    if engine_id in IDS and may(user.role, "engines"):
        engine = db.scalar(select(Engine).where(Engine.id == engine_id).options(selectinload(Engine.customer)))
    if engine is None:
        raise NotFound("engine %(engine_id)s", engine_id=engine_id)
    return engine


def read_hours(engine: Engine, hours: int, on: date) -> None:
    """Keep a reading of the hour meter.

    ImplausibleHours if it runs backwards, or faster than 24 hours a day since the last reading.
    """
    if not 0 <= hours <= 100_000:
        raise ImplausibleHours("%(hours)s h", hours=hours)
    if engine.hours is not None and engine.hours_on is not None:
        days = (on - engine.hours_on).days
        if days < 0 or not engine.hours <= hours <= engine.hours + 24 * (days + 1):
            raise ImplausibleHours(
                "%(hours)s h; %(before)s h on %(on)s",
                hours=hours,
                before=engine.hours,
                on=engine.hours_on,
            )
    engine.hours, engine.hours_on = hours, on


# --- the warranty ------------------------------------------------------------------------------------------------


class Cover(StrEnum):
    IN = "in"
    ENDS_SOON = "ends_soon"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What was promised with engines sold from a day on: so many months or hours, whichever is over first."""

    sold_from: date
    clause: str
    months: int
    hours: int
    zh: str
    en: str


RULES: tuple[Rule, ...] = (
    Rule(
        sold_from=date(2000, 1, 1),
        clause="4.1",
        months=12,
        hours=1500,
        zh="三包期 12 个月或 1500 小时，以先到为准",
        en="12 months or 1,500 hours, whichever comes first",
    ),
    Rule(
        sold_from=date(2024, 1, 1),
        clause="4.2",
        months=24,
        hours=4000,
        zh="三包期 24 个月或 4000 小时，以先到为准",
        en="24 months or 4,000 hours, whichever comes first",
    ),
)
"""Dated: an engine keeps the promise of the day it was sold, so an old decision made again comes out alike."""

UNPROVEN = "4.5"
"""The clause for an engine whose day of sale is not known: three months after it was built count as that day."""
AGREED = "4.9"
"""The clause for a promise made for this engine alone; it goes before the rules."""
SOON_DAYS = 30
SOON_HOURS = 100


@dataclass(frozen=True, kw_only=True)
class Warranty:
    """A decision on given facts, with its ground."""

    state: Cover
    until: date | None = None  # the last day of cover
    hours_limit: int | None = None
    hours: int | None = None  # read from the engine; None: nobody has read them
    clause: str = ""
    zh: str = "没有销售日期和出厂日期，无法判定"
    en: str = "neither day of sale nor day of building is known"

    @property
    def covered(self) -> bool:
        return self.state in (Cover.IN, Cover.ENDS_SOON)

    def why(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


def warranty(engine: Engine, today: date, rules: Sequence[Rule] = RULES) -> Warranty:
    """Whether the engine is covered today, by which clause, and until when. Pure: the same facts decide alike."""
    promised = _agreed(engine) if engine.warranty_until is not None else _by_rule(engine, rules)
    if promised.until is None:
        return promised
    return replace(promised, state=_state(promised.until, promised.hours_limit, engine.hours, today))


def _agreed(engine: Engine) -> Warranty:
    until, limit = engine.warranty_until, engine.warranty_hours
    return Warranty(
        state=Cover.UNKNOWN,
        until=until,
        hours_limit=limit,
        hours=engine.hours,
        clause=AGREED,
        zh=f"单独约定至 {until}" + (f"或 {limit} 小时" if limit is not None else ""),
        en=f"agreed for this engine until {until}" + (f" or {limit:,} hours" if limit is not None else ""),
    )


def _by_rule(engine: Engine, rules: Sequence[Rule]) -> Warranty:
    proven = engine.sold_on is not None
    sold = engine.sold_on or (_months_after(engine.built_on, 3) if engine.built_on is not None else None)
    rule = next((rule for rule in reversed(rules) if sold is not None and rule.sold_from <= sold), None)
    if rule is None or sold is None:
        return Warranty(state=Cover.UNKNOWN, hours=engine.hours)
    return Warranty(
        state=Cover.UNKNOWN,
        until=_months_after(sold, rule.months) - timedelta(days=1),
        hours_limit=rule.hours if engine.warranty_hours is None else engine.warranty_hours,
        hours=engine.hours,
        clause=rule.clause if proven else UNPROVEN,
        zh=rule.zh if proven else f"{rule.zh}；无购机凭证，按出厂后三个月起算",
        en=rule.en if proven else f"{rule.en}; no proof of sale, counted from three months after building",
    )


def _state(until: date, limit: int | None, hours: int | None, today: date) -> Cover:
    if today > until or (limit is not None and hours is not None and hours > limit):
        return Cover.OUT
    near = limit is not None and hours is not None and hours > limit - SOON_HOURS
    return Cover.ENDS_SOON if near or today > until - timedelta(days=SOON_DAYS) else Cover.IN


def _months_after(day: date, months: int) -> date:
    """The same day of the month, or the month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
