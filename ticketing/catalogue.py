"""The kinds of tickets as they are in use: what is shipped, with what administrators have written over it.

Every edit is a row that stays. The last one of its subject counts; a code is ended, never taken away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import yaml
from sqlalchemy import JSON, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput
from callcenter.texts import Titled
from config import calendar
from config.people import User
from ticketing.kinds import SHAPES, Choice, ClockRule, Field, Form, Rung, Stage
from ticketing.rows import TicketKind, TicketState
from ticketing.text import line

FOLDER = Path(__file__).parent / "forms"
_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,19}$")
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,29}$")
_LONGEST_MIN = 60 * 24 * 365


class CatalogueEdit(Base):
    """One thing an administrator changed of the kinds and words of tickets."""

    __tablename__ = "catalogue_edits"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))  # term fault_code F101; clock repair urgent; form repair; rung …
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


class BadForm(BadInput):
    """This cannot be the form of a ticket; the one in use stays."""


@dataclass(frozen=True, kw_only=True)
class Dictionary(Titled):
    name: str
    zh: str
    en: str
    terms: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    version: int
    forms: dict[TicketKind, Form]
    dictionaries: dict[str, Dictionary]
    former: dict[TicketKind, dict[str, Field]] = field(default_factory=dict)  # questions no longer asked

    def form(self, kind: str) -> Form:
        try:
            return self.forms[TicketKind(kind)]
        except ValueError:
            raise BadInput("no ticket is of kind %(kind)s", kind=repr(kind[:20])) from None

    def field(self, kind: str, name: str) -> Field | None:
        """A question of a kind, also one that is no longer asked."""
        form = self.form(kind)
        return form.field(name) or self.former.get(form.kind, {}).get(name)


# --- reading what is written -------------------------------------------------------------------------------------


def read_dictionaries(said: Mapping[str, Any]) -> dict[str, Dictionary]:
    found = {}
    for name, one in said.items():
        terms = (Choice(value=str(code), zh=str(zh), en=str(en)) for code, (zh, en) in one["terms"].items())
        found[name] = Dictionary(name=name, zh=one["zh"], en=one["en"], terms=tuple(terms))
    return found


def read_form(text: str, dictionaries: Mapping[str, Dictionary]) -> Form:
    """A form as it is written; BadForm says what is wrong in it."""
    if len(text) > 40_000:
        raise BadForm("40,000 characters at most")
    try:
        said = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as fault:
        raise BadForm("%(fault)s", fault=str(fault).replace("\n", " ")[:200]) from None
    if not isinstance(said, dict):
        raise BadForm("kind, letter, zh, en, fields, stages, clock")
    try:
        return _form(said, dictionaries)
    except BadForm:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise BadForm("%(fault)s", fault=f"{type(fault).__name__}: {fault}"[:200]) from None


def _form(said: Mapping[str, Any], dictionaries: Mapping[str, Dictionary]) -> Form:
    known = [
        "kind",
        "letter",
        "zh",
        "en",
        "needs",
        "urgent",
        "dispatch",
        "fields",
        "stages",
        "clock",
        "ladder",
        "timers",
    ]
    _only(said, known, "the form")
    fields = tuple(_field(one, dictionaries) for one in said.get("fields") or ())
    stages = tuple(_stage(one) for one in said["stages"])
    for what, names in (("fields", [one.name for one in fields]), ("stages", [one.code for one in stages])):
        if len(set(names)) != len(names) or len(names) > 40:
            raise BadForm("%(what)s: each name once, 40 at most", what=what)
    for state in TicketState:
        if not any(stage.state is state for stage in stages):
            raise BadForm("no stage has state %(state)s", state=state.value)
    if stages[0].state is not TicketState.OPEN:
        raise BadForm("the first stage is an open one")
    codes = {stage.code for stage in stages}
    for stage in stages:
        if set(stage.next) - codes:
            raise BadForm(
                "%(what)s cannot be %(value)s", what=f"{stage.code}: next", value=", ".join(set(stage.next) - codes)
            )
    needs = set(said.get("needs") or ())
    if needs - {"customer", "engine"}:
        raise BadForm("%(what)s cannot be %(value)s", what="needs", value=", ".join(sorted(map(str, needs))))
    if said.get("dispatch", "") not in ("", "one", "several"):
        raise BadForm("%(what)s cannot be %(value)s", what="dispatch", value=str(said["dispatch"])[:20])
    letter = str(said["letter"])
    if not re.fullmatch(r"[A-Z]", letter):
        raise BadForm("%(what)s cannot be %(value)s", what="letter", value=letter[:20])
    clock, timers = said.get("clock") or {}, said.get("timers") or {}
    _only(clock, ["normal", "urgent"], "clock")
    _only(timers, ["answer_min", "arrive_min"], "timers")
    return Form(
        kind=TicketKind(said["kind"]),
        letter=letter,
        zh=_words(said["zh"], 40),
        en=_words(said["en"], 40),
        urgent=bool(said.get("urgent", False)),
        needs_customer="customer" in needs,
        needs_engine="engine" in needs,
        fields=fields,
        stages=stages,
        normal=read_rule(clock.get("normal") or {}),
        hurried=read_rule(clock.get("urgent") or clock.get("normal") or {}),
        ladder=tuple(sorted((_rung(one) for one in said.get("ladder") or ()), key=lambda rung: rung.level)),
        dispatch=said.get("dispatch", ""),
        answer_min=_minutes(timers.get("answer_min", 15)) or 15,
        arrive_min=_minutes(timers.get("arrive_min", 240)) or 240,
    )


def _field(said: Mapping[str, Any], dictionaries: Mapping[str, Dictionary]) -> Field:
    _only(
        said,
        ["name", "zh", "en", "shape", "required", "dictionary", "longest", "later", "group"],
        f"field {said.get('name')}",
    )
    name, shape = str(said["name"]), str(said.get("shape", "line"))
    if not _NAME.fullmatch(name) or shape not in SHAPES:
        raise BadForm("%(what)s cannot be %(value)s", what=f"field {name[:30]}", value=shape[:20])
    dictionary = str(said.get("dictionary", ""))
    if (shape == "choice") != bool(dictionary) or (dictionary and dictionary not in dictionaries):
        raise BadForm("%(name)s: a choice, and nothing else, has a dictionary that there is", name=name)
    return Field(
        name=name,
        zh=_words(said["zh"], 60),
        en=_words(said["en"], 60),
        shape=shape,
        required=bool(said.get("required", False)),
        dictionary=dictionary,
        all_choices=dictionaries[dictionary].terms if dictionary else (),
        longest=min(max(int(said.get("longest", 200)), 1), 20_000),
        later=bool(said.get("later", False)),
        group=str(said.get("group", "")),
    )


def _stage(said: Mapping[str, Any]) -> Stage:
    _only(said, ["code", "zh", "en", "state", "responds", "solves", "stale_min", "next"], f"stage {said.get('code')}")
    code = str(said["code"])
    if not _NAME.fullmatch(code):
        raise BadForm("%(what)s cannot be %(value)s", what="stage", value=code[:30])
    return Stage(
        code=code,
        zh=_words(said["zh"], 40),
        en=_words(said["en"], 40),
        state=TicketState(said.get("state", "open")),
        responds=bool(said.get("responds", False)),
        solves=bool(said.get("solves", False)),
        stale_min=_minutes(said.get("stale_min", 0)) or 0,
        next=tuple(str(one) for one in said.get("next") or ()),
    )


def read_rule(said: Mapping[str, Any]) -> ClockRule:
    _only(said, ["response_min", "solution_min", "calendar"], "clock")
    name = str(said.get("calendar", "always"))
    if name not in calendar.SHIPPED:
        raise BadForm("%(what)s cannot be %(value)s", what="calendar", value=name[:20])
    return ClockRule(
        response_min=_minutes(said.get("response_min")),
        solution_min=_minutes(said.get("solution_min")),
        calendar=name,
    )


def _rung(said: Mapping[str, Any]) -> Rung:
    _only(said, ["level", "after_min", "zh", "en", "owner", "role"], "ladder")
    level, after = int(said["level"]), _minutes(said["after_min"])
    if not 1 <= level <= 9 or not after:
        raise BadForm("%(what)s cannot be %(value)s", what="ladder", value=f"{level}, {after}")
    zh, en = _words(said["zh"], 40), _words(said["en"], 40)
    owner, role = str(said.get("owner", ""))[:40], str(said.get("role", "supervisor"))[:12]
    return Rung(level=level, after_min=after, zh=zh, en=en, owner=owner, role=role)


def _minutes(said: Any) -> int | None:
    if said is None or said == "":
        return None
    number = int(said)
    if not 0 <= number <= _LONGEST_MIN:
        raise BadForm("%(what)s cannot be %(value)s", what="minutes", value=number)
    return number


def _words(said: Any, longest: int) -> str:
    words = line(str(said))
    if not words or len(words) > longest:
        raise BadForm("1 to %(longest)s characters: %(words)s", longest=longest, words=words[:40])
    return words


def _only(said: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    unknown = set(said) - set(known)
    if unknown:
        raise BadForm("%(where)s has no %(unknown)s", where=where, unknown=", ".join(sorted(map(str, unknown))))


# --- what holds --------------------------------------------------------------------------------------------------

_SHIPPED_TEXT = {kind: (FOLDER / f"{kind.value}.yaml").read_text(encoding="utf-8") for kind in TicketKind}
_DICTIONARIES = read_dictionaries(yaml.safe_load((FOLDER / "dictionaries.yaml").read_text(encoding="utf-8")))
SHIPPED = Catalogue(
    version=0,
    forms={kind: read_form(text, _DICTIONARIES) for kind, text in _SHIPPED_TEXT.items()},
    dictionaries=_DICTIONARIES,
)
FORMS = SHIPPED.forms

_newest = select(func.max(CatalogueEdit.id))
_held: WeakKeyDictionary[Any, Catalogue] = WeakKeyDictionary()


def current(db: Session) -> Catalogue:
    """The kinds as they are now; made once, then only asked whether they changed."""
    version = db.scalar(_newest)
    if version is None:
        return SHIPPED
    bind = db.get_bind()
    held = _held.get(bind)
    if held is None or held.version != version:
        rows = db.execute(select(CatalogueEdit.subject, CatalogueEdit.value).order_by(CatalogueEdit.id))
        held = _held[bind] = written_over([(subject, value) for subject, value in rows], version)
    return held


def written_over(edits: Iterable[tuple[str, Mapping[str, Any]]], version: int) -> Catalogue:
    """What is shipped with these edits over it, in their order."""
    terms = {name: {term.value: term for term in one.terms} for name, one in _DICTIONARIES.items()}
    texts = {kind: [text] for kind, text in _SHIPPED_TEXT.items()}
    rules: dict[tuple[str, str], ClockRule] = {}
    rungs: dict[tuple[str, int], Mapping[str, Any]] = {}
    for subject, value in edits:
        match subject.split(" "):
            case ["term", name, code] if name in terms:
                terms[name][code] = Choice(value=code, zh=value["zh"], en=value["en"], ended=bool(value["ended"]))
            case ["form", kind]:
                texts[TicketKind(kind)].append(value["text"])
                rules = {key: rule for key, rule in rules.items() if key[0] != kind}
                rungs = {key: rung for key, rung in rungs.items() if key[0] != kind}
            case ["clock", kind, urgency]:
                rules[kind, urgency] = read_rule(value)
            case ["rung", kind, level]:
                rungs[kind, int(level)] = value
    dictionaries = {name: replace(one, terms=tuple(terms[name].values())) for name, one in _DICTIONARIES.items()}
    forms, former = {}, {}
    for kind, written in texts.items():
        versions = [read_form(text, dictionaries) for text in written]
        form = versions[-1]
        forms[kind] = replace(
            form,
            normal=rules.get((kind.value, "normal"), form.normal),
            hurried=rules.get((kind.value, "urgent"), form.hurried),
            ladder=tuple(replace(rung, **rungs.get((kind.value, rung.level), {})) for rung in form.ladder),
        )
        former[kind] = {one.name: one for version_ in versions for one in version_.fields}
    return Catalogue(version=version, forms=forms, dictionaries=dictionaries, former=former)


# --- changing it -------------------------------------------------------------------------------------------------


def set_term(
    db: Session, dictionary: str, code: str, zh: str, en: str, *, ended: bool = False, by: str, now: datetime
) -> None:
    """Add a code, reword it, or end it."""
    if dictionary not in _DICTIONARIES:
        raise BadForm("%(what)s cannot be %(value)s", what="dictionary", value=dictionary[:30])
    if not _CODE.fullmatch(code):
        raise BadForm("a code has 1 to 20 Latin letters, digits, dots and dashes")
    value = {"zh": _words(zh, 80), "en": _words(en, 80), "ended": ended}
    _edit(db, f"term {dictionary} {code}", value, by, now)


def set_rule(db: Session, kind: str, urgent: bool, rule: Mapping[str, Any], *, by: str, now: datetime) -> None:
    """Within how many working minutes tickets of a kind are answered and solved."""
    form = current(db).form(kind)
    read = read_rule(rule)
    value = {"response_min": read.response_min, "solution_min": read.solution_min, "calendar": read.calendar}
    _edit(db, f"clock {form.kind.value} {'urgent' if urgent else 'normal'}", value, by, now)


def set_rung(db: Session, kind: str, level: int, owner: str, after_min: int, *, by: str, now: datetime) -> None:
    """Name who gets what goes up to this level, and after how many working minutes."""
    form = current(db).form(kind)
    if owner and db.scalar(select(User.id).where(User.login == owner, User.active)) is None:
        raise BadInput("there is nobody called %(login)s to do it", login=owner[:40])
    if level not in {rung.level for rung in form.ladder} or not _minutes(after_min):
        raise BadForm("%(what)s cannot be %(value)s", what="ladder", value=f"{level}, {after_min}")
    _edit(db, f"rung {form.kind.value} {level}", {"owner": line(owner)[:40], "after_min": int(after_min)}, by, now)


def set_form(db: Session, kind: str, text: str, *, by: str, now: datetime) -> Form:
    """Write a kind anew; questions and stages that are left out are no longer offered, old tickets keep them."""
    held = current(db)
    form = read_form(text, held.dictionaries)
    if form.kind is not held.form(kind).kind:
        raise BadForm("%(what)s cannot be %(value)s", what="kind", value=form.kind.value)
    missing = {stage.code for stage in held.form(kind).stages} - {stage.code for stage in form.stages}
    if missing:
        raise BadForm("stages are renamed, not taken away: %(missing)s", missing=", ".join(sorted(missing)))
    _edit(db, f"form {form.kind.value}", {"text": text}, by, now)
    return form


def text_of(db: Session, kind: str) -> str:
    """How a kind is written at present."""
    held = current(db).form(kind).kind
    last = select(CatalogueEdit.value).where(CatalogueEdit.subject == f"form {held.value}")
    value = db.scalar(last.order_by(CatalogueEdit.id.desc()).limit(1))
    return str(value["text"]) if value else _SHIPPED_TEXT[held]


def _edit(db: Session, subject: str, value: Mapping[str, Any], by: str, now: datetime) -> None:
    db.add(CatalogueEdit(at=now, by=by, subject=subject, value=dict(value)))
    db.flush()
