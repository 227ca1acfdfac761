"""How agents spent a period: their time by what they did, adding up to the time they were logged in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from config.people import User
from cti.rows import Offer, Segment, Spell
from reports.figures import Definition, Figure
from reports.periods import Period


@dataclass(kw_only=True)
class AgentTime:
    """One agent in one period; seconds, the running spell up to now."""

    extension: str
    name: str = ""
    ready_s: float = 0.0
    ringing_s: float = 0.0
    talk_s: float = 0.0  # hold not included
    hold_s: float = 0.0
    wrap_up_s: float = 0.0
    pause_s: float = 0.0
    pauses_s: dict[str, float] = field(default_factory=dict)  # by reason; together pause_s
    answered: int = 0
    missed: int = 0
    cancelled: int = 0  # rung, but the caller hung up or another answered

    @property
    def logged_s(self) -> float:
        return self.ready_s + self.ringing_s + self.talk_s + self.hold_s + self.wrap_up_s + self.pause_s

    @property
    def figures(self) -> list[Figure]:
        return [definition.figure([self]) for definition in DEFINITIONS.values()]


def times(db: Session, period: Period, now: datetime) -> list[AgentTime]:
    """Everybody who takes calls and may log in, and who did anything in the period, by extension."""
    found = {
        extension: AgentTime(extension=extension, name=name)
        for extension, name in db.execute(select(User.extension, User.name).where(User.active))
        if extension is not None
    }
    for spell in db.scalars(select(Spell).where(_touches(Spell.started_at, Spell.ended_at, period))):
        _spend(found.setdefault(spell.extension, AgentTime(extension=spell.extension)), spell, period, now)
    for extension, held_s in _held(db, period, now).items():
        if extension in found:
            one = found[extension]
            one.hold_s = min(held_s, one.talk_s)  # on hold he is talking, as the switch sees him
            one.talk_s -= one.hold_s
    rung = select(Offer.agent, Offer.outcome).where(Offer.rung_at >= period.start, Offer.rung_at < period.end)
    offers: dict[str, Counter[str]] = defaultdict(Counter)
    for extension, outcome in db.execute(rung):
        offers[extension][outcome] += 1
    for extension, counted in offers.items():
        one = found.setdefault(extension, AgentTime(extension=extension))
        one.answered, one.missed, one.cancelled = counted["answered"], counted["missed"], counted["cancelled"]
    return sorted(found.values(), key=lambda one: one.extension)


def _spend(one: AgentTime, spell: Spell, period: Period, now: datetime) -> None:
    """What he is seen doing goes before what he chose: an agent who goes on break during a call still talks."""
    length = _within(spell.started_at, spell.ended_at, period, now)
    if spell.state == "ringing":
        one.ringing_s += length
    elif spell.state == "talking":
        one.talk_s += length
    elif spell.state == "wrap_up":
        one.wrap_up_s += length
    elif spell.status == "available":
        one.ready_s += length
    elif spell.status == "on_break":
        one.pause_s += length
        one.pauses_s[spell.reason] = one.pauses_s.get(spell.reason, 0.0) + length


def _held(db: Session, period: Period, now: datetime) -> dict[str, float]:
    rows = select(Segment.agent, Segment.started_at, Segment.ended_at).where(
        Segment.kind == "hold", Segment.agent.is_not(None), _touches(Segment.started_at, Segment.ended_at, period)
    )
    held: dict[str, float] = defaultdict(float)
    for agent, started_at, ended_at in db.execute(rows):
        held[agent or ""] += _within(started_at, ended_at, period, now)
    return held


def _touches(
    started_at: InstrumentedAttribute[datetime], ended_at: InstrumentedAttribute[datetime | None], period: Period
) -> ColumnElement[bool]:
    return (started_at < period.end) & or_(ended_at.is_(None), ended_at > period.start)


def _within(started_at: datetime, ended_at: datetime | None, period: Period, now: datetime) -> float:
    end = min(now if ended_at is None else ended_at, now, period.end)
    return max(0.0, (end - max(started_at, period.start)).total_seconds())


def _first(values: Iterable[float]) -> float | None:
    return next(iter(values), None)


def _seconds(name: str, zh: str, en: str, formula_zh: str, formula_en: str) -> Definition[AgentTime]:
    return Definition[AgentTime](
        name=name,
        unit="s",
        zh=zh,
        en=en,
        formula_zh=formula_zh,
        formula_en=formula_en,
        version=1,
        counts=lambda one: True,
        measure=lambda one: float(getattr(one, f"{name}_s")),
        take=_first,
    )


DEFINITIONS: dict[str, Definition[AgentTime]] = {
    definition.name: definition
    for definition in (
        _seconds(
            "logged",
            "登录时长",
            "Logged in",
            "空闲 + 振铃 + 通话 + 保持 + 话后 + 小休",
            "ready + ringing + talk + hold + wrap-up + pause",
        ),
        _seconds("ready", "空闲", "Ready", "示闲且无来话", "available, and nothing to do"),
        _seconds("ringing", "振铃", "Ringing", "座席话机振铃", "his phone was ringing"),
        _seconds("talk", "通话", "Talk", "与客户通话，不含保持", "talking, hold not included"),
        _seconds("hold", "保持", "Hold", "通话中保持", "caller on hold"),
        _seconds("wrap_up", "话后处理", "Wrap-up", "挂机后至结束整理", "from hang-up until he is done with the call"),
        _seconds(
            "pause",
            "小休",
            "Pause",
            "示忙且无来话，含未接来话后的暂停",
            "on break, the break after a missed call included",
        ),
        Definition[AgentTime](
            name="answered",
            unit="calls",
            zh="接听量",
            en="Answered",
            formula_zh="振铃后接听的次数",
            formula_en="offers he answered",
            version=1,
            counts=lambda one: True,
            measure=lambda one: one.answered,
            take=_first,
        ),
        Definition[AgentTime](
            name="aht",
            unit="s",
            zh="平均处理时长",
            en="Average handling time",
            formula_zh="（通话 + 保持 + 话后）/ 接听量",
            formula_en="(talk + hold + wrap-up) / answered",
            version=1,
            counts=lambda one: one.answered > 0,
            measure=lambda one: (one.talk_s + one.hold_s + one.wrap_up_s) / one.answered,
            take=_first,
        ),
        Definition[AgentTime](
            name="rona",
            unit="share",
            zh="未应答率",
            en="Not answered",
            formula_zh="振铃未接 /（接听 + 振铃未接），主叫先挂机的不计",
            formula_en="missed / (answered + missed); offers the caller ended himself do not count",
            version=1,
            counts=lambda one: one.answered + one.missed > 0,
            measure=lambda one: one.missed / (one.answered + one.missed),
            take=_first,
        ),
    )
}
