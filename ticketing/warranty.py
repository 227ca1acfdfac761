"""Whether an engine's warranty (三包) holds, by rules that are rows: each with its clause and its days of sale."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import NotFound
from ticketing.kinds import MISSING, Fault, too_long
from ticketing.record_rows import WarrantyRule
from ticketing.rows import Engine
from ticketing.text import line
from ticketing.unfit import RecordUnfit


class Cover(StrEnum):
    IN = "in"
    ENDS_SOON = "ends_soon"
    OUT = "out"
    UNKNOWN = "unknown"


class RunIn(StrEnum):
    """The run-in service 走保, the first one, on which the warranty rests."""

    DONE = "done"
    LATE = "late"  # done, but after its day or hours
    DUE = "due"  # soon
    MISSED = "missed"
    AHEAD = "ahead"
    UNKNOWN = "unknown"  # nobody knows when the engine was sold, or nothing is asked of it


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What was promised with engines sold from a day on: so many months, hours or kilometres, whichever ends first."""

    sold_from: date
    clause: str
    months: int
    zh: str
    en: str
    sold_until: date | None = None  # the last day of sale it holds for; None: until another rule
    family: str = ""  # how the model begins; "": every engine
    hours: int | None = None
    km: int | None = None
    run_in_clause: str = ""
    run_in_days: int | None = None
    run_in_hours: int | None = None
    id: int | None = None  # of its row

    def holds(self, model: str, sold: date) -> bool:
        return (
            model.startswith(self.family)
            and self.sold_from <= sold
            and (self.sold_until is None or sold <= self.sold_until)
        )


SHIPPED: tuple[Rule, ...] = (
    Rule(
        sold_from=date(2000, 1, 1),
        clause="4.1",
        months=12,
        hours=1500,
        run_in_clause="3.2",
        run_in_days=90,
        run_in_hours=100,
        zh="三包期 12 个月或 1500 小时，以先到为准",
        en="12 months or 1,500 hours, whichever comes first",
    ),
    Rule(
        sold_from=date(2024, 1, 1),
        clause="4.2",
        months=24,
        hours=4000,
        run_in_clause="3.2",
        run_in_days=90,
        run_in_hours=100,
        zh="三包期 24 个月或 4000 小时，以先到为准",
        en="24 months or 4,000 hours, whichever comes first",
    ),
)
"""What holds until somebody enters rules; dated, so that an old decision made again comes out alike."""

UNPROVEN = "4.5"
"""The clause for an engine whose day of sale is not known: three months after it was built count as that day."""
AGREED = "4.9"
"""The clause for a promise made for this engine alone; it goes before the rules."""
SOON_DAYS = 30
SOON_HOURS = 100
SOON_KM = 5000
RUN_IN_SOON = 0.7
"""The share of its days or hours after which the run-in service is due."""


# --- the rules as rows -------------------------------------------------------------------------------------------


_RULES = select(WarrantyRule).order_by(WarrantyRule.id)


def rules(db: Session, at: datetime | None = None) -> tuple[Rule, ...]:
    """Those that stand, or that stood at a time; the shipped ones where nobody has entered any."""
    rows = db.scalars(_RULES).all()
    if not rows:
        return SHIPPED
    if at is None:
        return tuple(_rule(row) for row in rows if row.ended_at is None)
    return tuple(_rule(row) for row in rows if row.entered_at <= at and (row.ended_at is None or row.ended_at > at))


def enter(db: Session, rule: Rule, *, by: str, now: datetime) -> WarrantyRule:
    """A new rule. The first one entered takes the shipped ones along as rows, so that they can be ended, too."""
    rule = replace(
        rule,
        clause=line(rule.clause),
        family=line(rule.family).upper(),
        run_in_clause=line(rule.run_in_clause),
        zh=line(rule.zh),
        en=line(rule.en),
    )
    _refuse(rule)
    if not _entered(db):
        for shipped in SHIPPED:
            db.add(_row(shipped, by, now))
    row = _row(rule, by, now)
    db.add(row)
    db.flush()
    return row


def end(db: Session, rule_id: int, *, by: str, now: datetime) -> WarrantyRule:
    """Take a rule out of use; the row stays, for what was decided by it."""
    row = db.get(WarrantyRule, rule_id)
    if row is None or row.ended_at is not None:
        raise NotFound("warranty rule %(rule_id)s", rule_id=rule_id)
    row.ended_at, row.ended_by = now, by
    db.flush()
    return row


def ended(db: Session) -> list[WarrantyRule]:
    """Those that stand no longer, the latest first."""
    rows = select(WarrantyRule).where(WarrantyRule.ended_at.is_not(None))
    return list(db.scalars(rows.order_by(WarrantyRule.ended_at.desc(), WarrantyRule.id)))


def keep_shipped(db: Session, *, by: str, now: datetime) -> None:
    """Make rows of the shipped rules, unless there are rows already."""
    if not _entered(db):
        db.add_all(_row(shipped, by, now) for shipped in SHIPPED)
        db.flush()


def _entered(db: Session) -> bool:
    return db.scalar(select(WarrantyRule.id).limit(1)) is not None


def _refuse(rule: Rule) -> None:
    faults: dict[str, Fault] = {}
    for name, text, longest in (("clause", rule.clause, 12), ("zh", rule.zh, 200), ("en", rule.en, 200)):
        if not text:
            faults[name] = MISSING
        elif len(text) > longest:
            faults[name] = too_long(longest)
    if len(rule.family) > 20:
        faults["family"] = too_long(20)
    if len(rule.run_in_clause) > 12:
        faults["run_in_clause"] = too_long(12)
    if not 1 <= rule.months <= 240:
        faults["months"] = Fault("1 到 240 个月", "1 to 240 months")
    for name, value, largest in (
        ("hours", rule.hours, 100_000),
        ("km", rule.km, 5_000_000),
        ("run_in_days", rule.run_in_days, 3650),
        ("run_in_hours", rule.run_in_hours, 100_000),
    ):
        if value is not None and not 1 <= value <= largest:
            faults[name] = Fault(f"1 到 {largest}，或留空", f"1 to {largest:,}, or leave it empty")
    if rule.sold_until is not None and rule.sold_until < rule.sold_from:
        faults["sold_until"] = Fault("早于开始日期", "Before its first day")
    if faults:
        raise RecordUnfit(faults)


_COLUMNS = (
    *("sold_from", "sold_until", "clause", "family", "months", "hours", "km"),
    *("run_in_clause", "run_in_days", "run_in_hours", "zh", "en"),
)


def _row(rule: Rule, by: str, now: datetime) -> WarrantyRule:
    return WarrantyRule(entered_at=now, entered_by=by, **{name: getattr(rule, name) for name in _COLUMNS})


def _rule(row: WarrantyRule) -> Rule:
    return Rule(id=row.id, **{name: getattr(row, name) for name in _COLUMNS})


# --- the decision ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Warranty:
    """A decision on given facts, with its ground."""

    state: Cover
    until: date | None = None  # the last day of cover
    hours_limit: int | None = None
    hours: int | None = None  # read from the engine; None: nobody has read them
    km_limit: int | None = None
    km: int | None = None
    clause: str = ""
    zh: str = "没有销售日期和出厂日期，无法判定"
    en: str = "neither day of sale nor day of building is known"
    run_in: RunIn = RunIn.UNKNOWN
    run_in_until: date | None = None
    run_in_hours: int | None = None  # at most
    run_in_clause: str = ""
    sold: date | None = None  # from when it is counted
    rule_id: int | None = None

    @property
    def covered(self) -> bool:
        return self.state in (Cover.IN, Cover.ENDS_SOON)

    @property
    def in_doubt(self) -> bool:
        """Covered by time and meters, but the run-in service was not done as the promise asks."""
        return self.covered and self.run_in in (RunIn.MISSED, RunIn.LATE)

    def why(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def ended_by(self, today: date, language: str) -> str:
        """In words, what is over: the time, the hours or the kilometres; "" while it is covered."""
        over: list[tuple[str, str]] = []
        if self.until is not None and today > self.until:
            over.append((f"期限已于 {self.until} 届满", f"time was over on {self.until}"))
        if self.hours_limit is not None and self.hours is not None and self.hours > self.hours_limit:
            over.append((f"{self.hours} 小时，超过 {self.hours_limit}", f"{self.hours:,} h of {self.hours_limit:,}"))
        if self.km_limit is not None and self.km is not None and self.km > self.km_limit:
            over.append((f"{self.km} 公里，超过 {self.km_limit}", f"{self.km:,} km of {self.km_limit:,}"))
        return ("；" if language == "zh" else "; ").join(zh if language == "zh" else en for zh, en in over)


def warranty(engine: Engine, today: date, by_rules: Sequence[Rule] = SHIPPED) -> Warranty:
    """Whether the engine is covered today, by which clause, and until when. Pure: the same facts decide alike."""
    rule, sold, proven = _rule_for(engine, by_rules)
    if engine.warranty_until is not None:
        promised = _agreed(engine)
    elif rule is None or sold is None:
        promised = Warranty(state=Cover.UNKNOWN, hours=engine.hours, km=engine.km)
    else:
        promised = _by_rule(engine, rule, sold, proven)
    if rule is not None and sold is not None:
        promised = _with_run_in(promised, engine, rule, sold, today)
    return promised if promised.until is None else replace(promised, state=_state(promised, today))


def _rule_for(engine: Engine, by_rules: Sequence[Rule]) -> tuple[Rule | None, date | None, bool]:
    """The rule for its family and day of sale, that day, and whether it is proven."""
    proven = engine.sold_on is not None
    sold = engine.sold_on or (months_after(engine.built_on, 3) if engine.built_on is not None else None)
    if sold is None:
        return None, None, False
    able = [rule for rule in by_rules if rule.holds(engine.model.upper(), sold)]
    return max(able, key=lambda rule: (len(rule.family), rule.sold_from), default=None), sold, proven


def _agreed(engine: Engine) -> Warranty:
    until, limit = engine.warranty_until, engine.warranty_hours
    return Warranty(
        state=Cover.UNKNOWN,
        until=until,
        hours_limit=limit,
        hours=engine.hours,
        km=engine.km,
        clause=AGREED,
        zh=f"单独约定至 {until}" + (f"或 {limit} 小时" if limit is not None else ""),
        en=f"agreed for this engine until {until}" + (f" or {limit:,} hours" if limit is not None else ""),
    )


def _by_rule(engine: Engine, rule: Rule, sold: date, proven: bool) -> Warranty:
    return Warranty(
        state=Cover.UNKNOWN,
        until=months_after(sold, rule.months) - timedelta(days=1),
        hours_limit=rule.hours if engine.warranty_hours is None else engine.warranty_hours,
        hours=engine.hours,
        km_limit=rule.km,
        km=engine.km,
        clause=rule.clause if proven else UNPROVEN,
        zh=rule.zh if proven else f"{rule.zh}；无购机凭证，按出厂后三个月起算",
        en=rule.en if proven else f"{rule.en}; no proof of sale, counted from three months after building",
        sold=sold,
        rule_id=rule.id,
    )


def _with_run_in(promised: Warranty, engine: Engine, rule: Rule, sold: date, today: date) -> Warranty:
    if rule.run_in_days is None and rule.run_in_hours is None:
        return promised
    until = sold + timedelta(days=rule.run_in_days) if rule.run_in_days is not None else None
    return replace(
        promised,
        run_in=_run_in(engine, sold, until, rule.run_in_hours, today),
        run_in_until=until,
        run_in_hours=rule.run_in_hours,
        run_in_clause=rule.run_in_clause,
    )


def _run_in(engine: Engine, sold: date, until: date | None, hours: int | None, today: date) -> RunIn:
    if engine.run_in_on is not None:
        on_time = until is None or engine.run_in_on <= until
        within = hours is None or engine.run_in_hours is None or engine.run_in_hours <= hours
        return RunIn.DONE if on_time and within else RunIn.LATE
    read = engine.hours if engine.hours is not None else 0
    if (until is not None and today > until) or (hours is not None and read > hours):
        return RunIn.MISSED
    days = (until - sold).days if until is not None else 0
    near = until is not None and (today - sold).days >= RUN_IN_SOON * days
    return RunIn.DUE if near or (hours is not None and read >= RUN_IN_SOON * hours) else RunIn.AHEAD


def _state(promised: Warranty, today: date) -> Cover:
    until, soon = promised.until, False
    assert until is not None, "only what has a last day has a state"
    if today > until:
        return Cover.OUT
    for read, limit, margin in (
        (promised.hours, promised.hours_limit, SOON_HOURS),
        (promised.km, promised.km_limit, SOON_KM),
    ):
        if read is not None and limit is not None:
            if read > limit:
                return Cover.OUT
            soon = soon or read > limit - margin
    return Cover.ENDS_SOON if soon or today > until - timedelta(days=SOON_DAYS) else Cover.IN


def months_after(day: date, months: int) -> date:
    """The same day of the month, or the month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
