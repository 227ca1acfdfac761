"""How agents spent a period: their time by what they did, adding up to the time they were logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.people import User
from cti import kept, spent
from cti.tallies import SECOND_US, AgentTally
from reports import periods
from reports.counts import within
from reports.figures import Figure
from reports.periods import Period

Pauses = dict[str, dict[str, int]]
"""By agent and reason, in µs."""


@dataclass(kw_only=True)
class AgentTime:
    """One agent in one period; seconds, the running spell up to now."""

    extension: str
    name: str = ""
    tally: AgentTally = field(default_factory=AgentTally)
    pauses_s: dict[str, float] = field(default_factory=dict)  # by reason, of the days that are not kept

    @property
    def ready_s(self) -> float:
        return self.tally.ready_us / SECOND_US

    @property
    def answered(self) -> int:
        return self.tally.answered

    @property
    def figures(self) -> list[Figure]:
        return [definition.figure(self.tally) for definition in DEFINITIONS.values()]


def tallies(
    db: Session, period: Period, now: datetime, zone: ZoneInfo, pauses: Pauses | None = None
) -> dict[str, AgentTally]:
    """What each agent did in the period (whole days): of kept months, else of kept days, else of his spells.

    ``pauses``: as ``spent.between`` has it, of the days that are not kept.
    """
    told, found = kept.agent_tallies(db, period.start, period.end, zone, months=True)
    of_days, more = kept.agent_tallies(db, period.start, period.end, zone, besides=told.items())
    for extension, tally in more.items():
        found.setdefault(extension, AgentTally()).add(tally)
    for day in periods.days(period, zone):
        if day.start in of_days or day.start > now or within(day.start, told):
            continue
        for extension, tally in spent.between(db, day.start, day.end, now, pauses).items():
            found.setdefault(extension, AgentTally()).add(tally)
    return found


def times(db: Session, period: Period, now: datetime, zone: ZoneInfo) -> list[AgentTime]:
    """Everybody who takes calls and may log in, and who did anything in the period (whole days), by extension."""
    pauses: Pauses = {}
    return named(db, tallies(db, period, now, zone, pauses), pauses)


def named(db: Session, told: Mapping[str, AgentTally], pauses: Pauses) -> list[AgentTime]:
    """The same of what is told of them already."""
    people = select(User.extension, User.name, User.active).where(User.extension.is_not(None))
    names = {extension or "": (name, active) for extension, name, active in db.execute(people)}
    idle = {extension: AgentTally() for extension, (_, active) in names.items() if active}
    return [
        AgentTime(
            extension=extension,
            name=names.get(extension, ("", False))[0],
            tally=tally,
            pauses_s={reason: us / SECOND_US for reason, us in pauses.get(extension, {}).items()},
        )
        for extension, tally in sorted((idle | dict(told)).items())
    ]


def today(db: Session, extension: str, now: datetime, zone: ZoneInfo) -> AgentTime:
    """One agent's day so far, by the definitions everybody is measured by."""
    day = periods.today(now, zone)
    found = spent.between(db, day.start, day.end, now, agent=extension)
    return AgentTime(extension=extension, tally=found.get(extension, AgentTally()))


def everybody(people: Iterable[AgentTime]) -> AgentTime:
    whole = AgentTime(extension="")
    for one in people:
        whole.tally.add(one.tally)
    return whole


def _logged(tally: AgentTally) -> int:
    return tally.ready_us + tally.ringing_us + busy(tally) + tally.pause_us


def busy(tally: AgentTally) -> int:
    return tally.talk_us + tally.hold_us + tally.wrap_up_us


def _share(above: int, below: int) -> float | None:
    return above / below if below else None


@dataclass(frozen=True, kw_only=True)
class Definition:
    name: str
    unit: str
    zh: str
    en: str
    formula_zh: str
    formula_en: str
    value: Callable[[AgentTally], float | None]
    version: int = 1

    def figure(self, tally: AgentTally) -> Figure:
        return Figure(
            name=self.name,
            value=self.value(tally),
            unit=self.unit,
            zh=self.zh,
            en=self.en,
            formula_zh=self.formula_zh,
            formula_en=self.formula_en,
            definition_version=self.version,
        )


def _seconds(
    name: str, zh: str, en: str, formula_zh: str, formula_en: str, us: Callable[[AgentTally], int]
) -> Definition:
    return Definition(
        name=name,
        unit="s",
        zh=zh,
        en=en,
        formula_zh=formula_zh,
        formula_en=formula_en,
        value=lambda tally: us(tally) / SECOND_US,
    )


DEFINITIONS: dict[str, Definition] = {
    definition.name: definition
    for definition in (
        _seconds(
            "logged",
            "登录时长",
            "Logged in",
            "空闲 + 振铃 + 通话 + 保持 + 话后 + 小休",
            "ready + ringing + talk + hold + wrap-up + pause",
            _logged,
        ),
        _seconds("ready", "空闲", "Ready", "示闲且无来话", "available, and nothing to do", lambda t: t.ready_us),
        _seconds("ringing", "振铃", "Ringing", "座席话机振铃", "his phone was ringing", lambda t: t.ringing_us),
        _seconds("talk", "通话", "Talk", "与客户通话，不含保持", "talking, hold not included", lambda t: t.talk_us),
        _seconds("hold", "保持", "Hold", "通话中保持", "caller on hold", lambda t: t.hold_us),
        _seconds(
            "wrap_up",
            "话后处理",
            "Wrap-up",
            "挂机后至结束整理",
            "from hang-up until he is done with the call",
            lambda t: t.wrap_up_us,
        ),
        _seconds(
            "pause",
            "小休",
            "Pause",
            "示忙且无来话，含未接来话后的暂停",
            "on break, the break after a missed call included",
            lambda t: t.pause_us,
        ),
        Definition(
            name="answered",
            unit="calls",
            zh="接听量",
            en="Answered",
            formula_zh="振铃后接听的次数",
            formula_en="offers he answered",
            value=lambda t: t.answered,
        ),
        Definition(
            name="missed",
            unit="calls",
            zh="未接",
            en="Missed",
            formula_zh="振铃未接的次数，主叫先挂机的、因页面重新加载而中断的不计",
            formula_en="offers he did not answer; those the caller, or a reload of the page, ended do not count",
            value=lambda t: t.missed,
        ),
        Definition(
            name="aht",
            unit="s",
            zh="平均处理时长",
            en="Average handling time",
            formula_zh="（通话 + 保持 + 话后）/ 接听量",
            formula_en="(talk + hold + wrap-up) / answered",
            value=lambda t: busy(t) / SECOND_US / t.answered if t.answered else None,
        ),
        Definition(
            name="occupancy",
            unit="share",
            zh="占用率",
            en="Occupancy",
            formula_zh="（通话 + 保持 + 话后）/（通话 + 保持 + 话后 + 空闲）",
            formula_en="(talk + hold + wrap-up) / (talk + hold + wrap-up + ready)",
            value=lambda t: _share(busy(t), busy(t) + t.ready_us),
        ),
        Definition(
            name="utilisation",
            unit="share",
            zh="利用率",
            en="Utilisation",
            formula_zh="（通话 + 保持 + 话后）/ 登录时长",
            formula_en="(talk + hold + wrap-up) / logged in",
            value=lambda t: _share(busy(t), _logged(t)),
        ),
        Definition(
            name="rona",
            unit="share",
            zh="未应答率",
            en="Not answered",
            formula_zh="振铃未接 /（接听 + 振铃未接），主叫先挂机的、因页面重新加载而中断的不计",
            formula_en="missed / (answered + missed); offers the caller, or a reload of the page, ended do not count",
            value=lambda t: _share(t.missed, t.answered + t.missed),
        ),
    )
}
