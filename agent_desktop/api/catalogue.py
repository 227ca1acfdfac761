"""Kinds, words and clocks of tickets and the calendars they run by, over the API: changed without code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import Once, OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import Reading
from callcenter.database import now
from callcenter.errors import NotFound
from config import calendar
from ticketing import catalogue, deadlines
from ticketing.kinds import Form

router = APIRouter(prefix="/v1", tags=["kinds and words"])

Minutes = int | None


class Term(Shape):
    value: str
    zh: str
    en: str
    ended: bool


class Dictionary(Shape):
    name: str
    zh: str
    en: str
    terms: list[Term]


class Question(Shape):
    name: str
    zh: str
    en: str
    shape: str
    required: bool
    dictionary: str
    later: bool


class Stage(Shape):
    code: str
    zh: str
    en: str
    state: str
    responds: bool
    solves: bool
    stale_min: int
    next: list[str]


class Clock(Shape):
    response_min: Minutes = Field(None, description="Working minutes; null: nothing is promised.")
    solution_min: Minutes = None
    calendar: str = "always"


class Rung(Shape):
    level: int
    after_min: int
    zh: str
    en: str
    owner: str
    role: str


class Kind(Shape):
    kind: str
    zh: str
    en: str
    urgent: bool
    needs_customer: bool
    needs_engine: bool
    fields: list[Question]
    stages: list[Stage]
    normal: Clock
    hurried: Clock
    ladder: list[Rung]
    text: str = Field(description="As it is written; to be changed and sent back whole.")


class NewTerm(Sent):
    code: str = Field(min_length=1, max_length=20)
    zh: str = Field(max_length=80)
    en: str = Field(max_length=80)
    ended: bool = Field(False, description="No longer offered; old tickets keep it.")


class NewClock(Sent):
    urgent: bool = False
    response_min: int | None = Field(None, ge=0, le=10_000_000)
    solution_min: int | None = Field(None, ge=0, le=10_000_000)
    calendar: str = Field("always", max_length=20)


class NewRung(Sent):
    level: int = Field(ge=1, le=9)
    owner: str = Field("", max_length=40)
    after_min: int = Field(ge=1, le=10_000_000)


class NewForm(Sent):
    text: str = Field(min_length=1, max_length=40_000)


class Week(Shape):
    name: str
    week: list[str] = Field(description="Monday first, such as 08:30-12:00 13:30-17:30; empty: a day off.")
    public: bool = Field(description="Public holidays are days off.")


class NewWeek(Sent):
    week: list[str] = Field(min_length=7, max_length=7)
    public: bool = True


class NewDay(Sent):
    how: Literal["free", "worked", "list"] = Field(description="list: as the list of public holidays has it.")
    title: str = Field("", max_length=80)


class Day(BaseModel):
    day: date
    working: bool | None
    title: str


@router.get("/kinds", dependencies=[right("tickets")], summary="The kinds of tickets and what they ask")
def list_kinds(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Kind]:
    found = [_kind(db, form) for form in catalogue.current(db).forms.values()]
    return cut(request, Kind, found, before, limit, lambda one: one.kind)


def _kind(db: Session, form: Form) -> Kind:
    plain = {name: getattr(form, name) for name in Kind.model_fields if name != "text"}
    return Kind.model_validate(plain | {"kind": form.kind.value, "text": catalogue.text_of(db, form.kind)})


def _of(db: Session, kind: str) -> Kind:
    return _kind(db, catalogue.current(db).form(kind))


@router.get("/dictionaries", dependencies=[right("tickets")], summary="The words that are offered, the ended ones too")
def list_dictionaries(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Dictionary]:
    found = list(catalogue.current(db).dictionaries.values())
    return cut(request, Dictionary, found, before, limit, lambda one: one.name)


@router.post(
    "/dictionaries/{name}/terms", dependencies=[right("settings", writes=True)], summary="Add a code, reword or end it"
)
def set_term(once: OnceHere, user: TokenUser, name: str, sent: NewTerm) -> Dictionary:
    def set_(db: Session) -> Dictionary:
        if name not in catalogue.current(db).dictionaries:
            raise NotFound("dictionary")
        catalogue.set_term(db, name, **sent.model_dump(), by=user.login, now=now())
        return Dictionary.model_validate(catalogue.current(db).dictionaries[name])

    return once.do(set_)


def _anew(once: Once, kind: str, write: Callable[[Session], object]) -> Kind:
    """Written, and every open ticket's promise told anew."""

    def written(db: Session) -> Kind:
        write(db)
        deadlines.tell_anew(db, once.desktop.settings.centre.zone, now())
        return _of(db, kind)

    return once.do(written)


@router.post("/kinds/{kind}/clock", dependencies=[right("settings", writes=True)], summary="How soon it is answered")
def set_clock(once: OnceHere, user: TokenUser, kind: str, sent: NewClock) -> Kind:
    rule = sent.model_dump(exclude={"urgent"})
    return _anew(once, kind, lambda db: catalogue.set_rule(db, kind, sent.urgent, rule, by=user.login, now=now()))


@router.post("/kinds/{kind}/ladder", dependencies=[right("settings", writes=True)], summary="Who gets what goes up")
def set_rung(once: OnceHere, user: TokenUser, kind: str, sent: NewRung) -> Kind:
    def set_(db: Session) -> Kind:
        catalogue.set_rung(db, kind, sent.level, sent.owner, sent.after_min, by=user.login, now=now())
        return _of(db, kind)

    return once.do(set_)


@router.post("/kinds/{kind}/form", dependencies=[right("settings", writes=True)], summary="Write a kind anew")
def set_form(once: OnceHere, user: TokenUser, kind: str, sent: NewForm) -> Kind:
    """It is checked whole before it counts."""
    text = sent.text.replace("\r\n", "\n")
    return _anew(once, kind, lambda db: catalogue.set_form(db, kind, text, by=user.login, now=now()))


# --- calendars -----------------------------------------------------------------------------------------------------


@router.get("/calendars", dependencies=[right("settings")], summary="The weeks that clocks run by")
def list_weeks(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Week]:
    return cut(request, Week, _weeks(db), before, limit, lambda one: one.name)


def _weeks(db: Session) -> list[Week]:
    return [
        Week(name=name, week=[calendar.spelt(spans) for spans in week], public=public)
        for name, (week, public) in calendar.all_weeks(db).items()
    ]


@router.put("/calendars/{name}", dependencies=[right("settings", writes=True)], summary="Change a week")
def set_week(once: OnceHere, user: TokenUser, name: str, sent: NewWeek) -> Week:
    def set_(db: Session) -> Week:
        calendar.set_week(db, name, sent.week, sent.public, by=user.login, now=now())
        deadlines.tell_anew(db, once.desktop.settings.centre.zone, now())
        return next(one for one in _weeks(db) if one.name == name)

    return once.do(set_)


@router.put("/calendars/days/{day}", dependencies=[right("settings", writes=True)], summary="A day made free or worked")
def set_day(once: OnceHere, user: TokenUser, day: date, sent: NewDay) -> Day:
    working = {"free": False, "worked": True, "list": None}[sent.how]

    def set_(db: Session) -> Day:
        calendar.set_day(db, day, working, sent.title, by=user.login, now=now())
        deadlines.tell_anew(db, once.desktop.settings.centre.zone, now())
        return Day(day=day, working=working, title=sent.title)

    return once.do(set_)
