"""Guides: questions one after the other, written as text, checked, walked on the desk; every answer is a row.

A guide is written like this, its first step is where it begins::

    hot: 水温表超过 105 °C 吗？
    - 是 > level
    - 否 > sensor
    level: 冷却液液位正常吗？
    - 正常 > fan
    - 不足 = 请补充冷却液，检查水管有无渗漏。

``> name`` leads to a step, ``= words`` ends with an advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from callcenter.database import changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from ticketing.knowledge import LANGUAGES
from ticketing.knowledge_rows import Guide, GuideAnswer
from ticketing.rows import IDS
from ticketing.text import clean, line

STEPS = 200
ANSWERS = 12
_STEP = re.compile(r"([a-z][a-z0-9_]{0,39})\s*[:：]\s*(.{1,500})")
_ANSWER = re.compile(r"[-–]\s*([^>=]{1,200}?)\s*([>=])\s*(.{1,500})")


@dataclass(frozen=True)
class Way:
    """One answer: it leads to a step, or ends with an advice."""

    say: str
    to: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Step:
    name: str
    ask: str
    ways: tuple[Way, ...]


class GuideWrong(BadInput):
    """This guide cannot be walked; the line named must be mended."""


class StaleGuide(CallCenterError):
    """Somebody changed this guide while you had it open; yours was not saved over it, and is still in the form."""

    status = 409


class NoSuchStep(BadInput):
    """The guide has been changed meanwhile and has no such step or answer; begin it again."""


# --- text to steps -------------------------------------------------------------------------------------------------


def read(text: str) -> list[Step]:
    """The steps; GuideWrong names the first line that cannot be meant."""
    steps: dict[str, tuple[str, list[Way]]] = {}
    last: list[Way] | None = None
    for number, raw in enumerate(clean(text).splitlines(), 1):
        said = raw.strip()
        if not said:
            continue
        if step := _STEP.fullmatch(said):
            if step[1] in steps:
                raise GuideWrong("line %(line)s: step %(name)s is there twice", line=number, name=step[1])
            last = []
            steps[step[1]] = (step[2].strip(), last)
        elif (way := _ANSWER.fullmatch(said)) and last is not None and len(last) < ANSWERS:
            last.append(Way(way[1], to=way[3].strip()) if way[2] == ">" else Way(way[1], advice=way[3].strip()))
        else:
            raise GuideWrong("line %(line)s", line=number)
    found = [Step(name, ask, tuple(ways)) for name, (ask, ways) in steps.items()]
    _check(found)
    return found


def _check(steps: Sequence[Step]) -> None:
    """Every step is reached, asks something with answers, and every way leads somewhere; none goes round for ever."""
    by_name = {step.name: step for step in steps}
    if not steps or len(steps) > STEPS:
        raise GuideWrong
    for step in steps:
        if not step.ways:
            raise GuideWrong("step %(name)s has no answers", name=step.name)
        for way in step.ways:
            if way.to and way.to not in by_name:
                raise GuideWrong("step %(name)s leads to %(to)s, which is not there", name=step.name, to=way.to)
    seen: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise GuideWrong("step %(name)s leads back to itself", name=name)
        if name not in seen:
            for way in by_name[name].ways:
                if way.to:
                    walk(way.to, (*path, name))
            seen.add(name)

    walk(steps[0].name, ())
    lost = [step.name for step in steps if step.name not in seen]
    if lost:
        raise GuideWrong("step %(name)s is never reached", name=lost[0])


def steps_of(guide: Guide) -> dict[str, Step]:
    return {
        told["name"]: Step(told["name"], told["ask"], tuple(Way(**way) for way in told["ways"])) for told in guide.steps
    }


# --- writing -------------------------------------------------------------------------------------------------------


def write(
    db: Session, *, title: str, text: str, language: str, by: str, now: datetime, faults: Sequence[str] = ()
) -> Guide:
    guide = Guide(language=language, version=1, active=True)
    if language not in LANGUAGES:
        raise GuideWrong
    _put(guide, title, text, faults, by, now)
    db.add(guide)
    db.flush()
    return guide


def change(
    db: Session,
    guide: Guide,
    *,
    version: int,
    title: str,
    text: str,
    by: str,
    now: datetime,
    faults: Sequence[str] = (),
    active: bool = True,
) -> Guide:
    took = update(Guide).where(Guide.id == guide.id, Guide.version == version).values(version=Guide.version + 1)
    if changed(db, took) != 1:
        raise StaleGuide
    db.refresh(guide)
    _put(guide, title, text, faults, by, now)
    guide.active = active
    db.flush()
    return guide


def _put(guide: Guide, title: str, text: str, faults: Sequence[str], by: str, now: datetime) -> None:
    title = line(title)
    if not title or len(title) > 200 or len(text) > 50_000:
        raise GuideWrong
    guide.title, guide.text = title, clean(text)
    guide.steps = [asdict(step) for step in read(text)]
    guide.faults = sorted({code.strip() for code in faults if code.strip()})
    guide.changed_by, guide.changed_at = by, now


# --- walking -------------------------------------------------------------------------------------------------------


def load(db: Session, guide_id: int) -> Guide:
    guide = db.get(Guide, guide_id) if guide_id in IDS else None
    if guide is None:
        raise NotFound("guide %(guide_id)s", guide_id=guide_id)
    return guide


def listed(db: Session, *, fault: str = "", language: str = "zh", also_ended: bool = False) -> list[Guide]:
    """Those about the fault first."""
    rows = select(Guide).order_by(case((Guide.language == language, 0), else_=1), Guide.title, Guide.id)
    found = db.scalars(rows if also_ended else rows.where(Guide.active)).all()
    return sorted(found, key=lambda guide: fault not in guide.faults if fault else False)


def answer(
    db: Session,
    guide: Guide,
    step: str,
    way: int,
    *,
    by: str,
    now: datetime,
    call_id: str | None = None,
    ticket_id: int | None = None,
) -> Way:
    """Keep the answer; the way it leads."""
    asked = steps_of(guide).get(step)
    if asked is None or not 0 <= way < len(asked.ways):
        raise NoSuchStep
    if call_id is None and ticket_id is None:
        raise BadInput("call or ticket")
    chosen = asked.ways[way]
    db.add(
        GuideAnswer(
            guide_id=guide.id,
            version=guide.version,
            call_id=call_id,
            ticket_id=ticket_id,
            step=step,
            ask=asked.ask,
            answer=chosen.say,
            by=by,
            at=now,
        )
    )
    db.flush()
    return chosen


def answered(db: Session, *, call_id: str | None = None, ticket_id: int | None = None) -> Sequence[GuideAnswer]:
    """What was answered in this call or for this ticket, in the order it was."""
    about: list[Any] = []
    if call_id:
        about.append(GuideAnswer.call_id == call_id)
    if ticket_id is not None:
        about.append(GuideAnswer.ticket_id == ticket_id)
    if not about:
        return ()
    condition = about[0] if len(about) == 1 else about[0] | about[1]
    return db.scalars(select(GuideAnswer).where(condition).order_by(GuideAnswer.id)).all()


def titles(db: Session, answers: Sequence[GuideAnswer]) -> Mapping[int, str]:
    rows = select(Guide.id, Guide.title).where(Guide.id.in_({one.guide_id for one in answers}))
    return {row[0]: row[1] for row in db.execute(rows)}
