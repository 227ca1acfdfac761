"""What a kind of ticket is: what it asks, the stages it goes through, how soon it is due. Pages draw from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from callcenter.errors import BadInput
from callcenter.texts import Titled
from ticketing import roads
from ticketing.rows import TicketKind, TicketState
from ticketing.text import clean

SHAPES = ("line", "text", "choice", "date", "number", "tick", "article", "road", "point", "parts")


@dataclass(frozen=True, kw_only=True)
class Choice(Titled):
    value: str
    zh: str
    en: str
    ended: bool = False  # no longer offered; old tickets keep its words


@dataclass(frozen=True, kw_only=True)
class Field(Titled):
    """One question of a form; ``shape`` is one of SHAPES."""

    name: str
    zh: str
    en: str
    shape: str = "line"
    required: bool = False
    dictionary: str = ""
    all_choices: tuple[Choice, ...] = ()  # the ended ones, too
    longest: int = 200
    later: bool = False  # asked on the ticket's page, not while the caller is on the line
    group: str = ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What is offered."""
        return tuple(choice for choice in self.all_choices if not choice.ended)

    def offered(self, held: object) -> tuple[Choice, ...]:
        """What is offered where this is held already: an ended code stays until another is chosen."""
        return tuple(choice for choice in self.all_choices if not choice.ended or choice.value == held)

    def word(self, value: object, language: str) -> str:
        """An answer as people read it."""
        if value is None or value == "":
            return "–"
        if self.shape == "tick":
            return {"zh": "是", "en": "yes"}[language] if value else {"zh": "否", "en": "no"}[language]
        found = next((choice for choice in self.all_choices if choice.value == value), None)
        return found.title(language) if found else str(value)


@dataclass(frozen=True, kw_only=True)
class Stage(Titled):
    """Where a ticket stands. The clock runs in an open one, rests in a waiting one, and has ended in a closed one."""

    code: str
    zh: str
    en: str
    state: TicketState = TicketState.OPEN
    responds: bool = False  # being here means that the customer has been answered
    solves: bool = False  # being here means that what was promised is done, though the ticket is still open
    stale_min: int = 0  # working minutes after which standing here is an alarm; 0: never
    next: tuple[str, ...] = ()  # where it may go from here; empty: anywhere


@dataclass(frozen=True, kw_only=True)
class ClockRule:
    """How soon, in working minutes of a calendar; None: nothing is promised."""

    response_min: int | None = None
    solution_min: int | None = None
    calendar: str = "always"


@dataclass(frozen=True, kw_only=True)
class Rung(Titled):
    """A step of the escalation ladder: who gets a ticket that is still not solved after so long."""

    level: int
    after_min: int
    zh: str
    en: str
    owner: str = ""  # log-in; empty: whoever of the role is there
    role: str = "supervisor"


@dataclass(frozen=True, kw_only=True)
class Form(Titled):
    """A kind of ticket."""

    kind: TicketKind
    letter: str  # its numbers begin with it
    zh: str
    en: str
    urgent: bool = False
    needs_customer: bool = False
    needs_engine: bool = False  # or its serial number as the caller said it, in field "serial"
    fields: tuple[Field, ...] = ()
    stages: tuple[Stage, ...] = ()
    normal: ClockRule = ClockRule()
    hurried: ClockRule = ClockRule()
    ladder: tuple[Rung, ...] = ()
    dispatch: str = ""  # one station at a time, several at once, or none is sent
    answer_min: int = 15  # a station answers within
    arrive_min: int = 240  # and is there within

    @property
    def asked(self) -> tuple[Field, ...]:
        """What is asked while the caller is on the line."""
        return tuple(field for field in self.fields if not field.later)

    def rule(self, urgent: bool) -> ClockRule:
        return self.hurried if urgent else self.normal

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def stage(self, code: str) -> Stage:
        """The stage of this code; one that is no longer in the form is shown as its code."""
        found = next((stage for stage in self.stages if stage.code == code), None)
        return found or Stage(code=code, zh=code, en=code)

    def first(self, state: TicketState) -> Stage:
        return next(stage for stage in self.stages if stage.state is state)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field."""

    zh: str
    en: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


MISSING = Fault("必填", "Please fill this in")


def too_long(longest: int) -> Fault:
    return Fault(f"最多 {longest} 字", f"{longest:,} characters at most")


class TicketIncomplete(BadInput):
    """The ticket is not complete; nothing was saved, and what was typed is still there."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.faults = dict(faults)
        """By the field's name; also subject, customer and engine."""
        super().__init__(", ".join(f"{name}: {fault.en}" for name, fault in faults.items()))

    def as_json(self) -> dict[str, object]:
        return {"fields": {name: fault.en for name, fault in self.faults.items()}}


def checked(
    form: Form, given: Mapping[str, Any], held: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Fault]]:
    """The answers to the form's questions in their types, and what is wrong, by field.

    ``held`` are the answers there are already: those to questions no longer asked stay, ended codes are good in them.
    """
    held = held or {}
    known = {field.name for field in form.fields}
    answers: dict[str, Any] = {name: value for name, value in held.items() if name not in known}
    faults: dict[str, Fault] = {}
    for field in form.fields:
        raw = given.get(field.name)
        text = "" if raw is None else str(raw).strip()
        if not text or (field.shape == "tick" and text in ("False", "0", "off")):
            if field.required:
                faults[field.name] = MISSING
            continue
        try:
            answers[field.name] = _read(field, text, held.get(field.name))
        except roads.NoSuchPlace as fault:
            faults[field.name] = Fault(fault.zh, fault.en)
        except ValueError:
            faults[field.name] = Fault(f"不能是“{text[:30]}”", f"cannot be “{text[:30]}”")
    unknown = (str(name)[:40] for name in given if name not in known and name not in held)
    faults |= {name: Fault("没有这一项", "there is no such field") for name in unknown}
    return answers, faults


def _read(field: Field, text: str, held: object) -> Any:
    match field.shape:
        case "choice":
            if text not in {choice.value for choice in field.offered(held)}:
                raise ValueError(text)
            return text
        case "number" | "article":
            number = int(text)
            if not 0 <= number <= 10_000_000:
                raise ValueError(text)
            return number
        case "date":
            return date.fromisoformat(text).isoformat()
        case "tick":
            return True
        case "road":
            return str(roads.marker(text))
        case "point":
            return str(roads.point(text))
        case _:
            kept = clean(text)
            if not kept or len(kept) > field.longest:
                raise ValueError(text)
            return kept
