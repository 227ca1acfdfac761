"""IVR flows as data, and a Walk through one that knows no telephone.

A step says something and then goes on (``Saying``), takes one key (``Menu``), takes a number (``Number``), or is
the way out to a queue (``Out``). What a step says is one sound file per language: ``<flow>-<step>``, and
``<flow>-<step>-again`` when the caller was not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from callcenter.errors import CallCenterError
from config.settings import Settings
from ticketing.rows import TicketKind

SHIPPED = Path(__file__).parents[1] / "config" / "flows"
MOST_STEPS = 60  # a caller who goes round and round is sent to a person

Language = Literal["zh", "en"]
Texts = dict[Language, str]
StepName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,30}$")]


class BadFlow(CallCenterError):
    """The IVR flow cannot be used; the others are not affected."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Choice(_Part):
    """What a key does when it does more than lead to a step."""

    go: StepName
    language: Language | None = None


class Digits(_Part):
    """A number taken by keys, ended by # or a pause."""

    least: int = Field(1, ge=1, le=40)
    most: int = Field(20, ge=1, le=40)
    check: Literal["none", "luhn"] = "none"

    def accept(self, keys: str) -> bool:
        return keys.isdecimal() and self.least <= len(keys) <= self.most and (self.check == "none" or luhn(keys))


class Saying(_Part):
    say: Texts
    wait_s: float = Field(0.0, ge=0, le=10)  # a pause, for those who know the menu and press ahead
    next: StepName


class Menu(_Part):
    say: Texts
    keys: dict[str, StepName | Choice]
    again: Texts = Field(default_factory=dict)  # said before the menu is repeated
    wait_s: float = Field(5.0, gt=0, le=60)
    tries: int = Field(2, ge=1, le=9)
    otherwise: StepName  # after so many misses


class Number(_Part):
    """Silence or # alone skips; a wrong number is asked for again, then skipped."""

    say: Texts
    digits: Digits
    again: Texts = Field(default_factory=dict)
    wait_s: float = Field(4.0, gt=0, le=60)
    tries: int = Field(2, ge=1, le=9)
    next: StepName
    skip: StepName


class Out(_Part):
    """The end of a flow: a queue (empty: the dialled number's own), the kind of ticket wished for, the priority."""

    say: Texts = Field(default_factory=dict)
    queue: str = Field(pattern=r"^[a-z0-9_-]{0,40}$")
    kind: TicketKind | None = None
    priority: int = Field(0, ge=0, le=100)


def _shape(step: Any) -> str:
    shapes = {"queue": "out", "keys": "menu", "digits": "number", "next": "saying"}
    has = step if isinstance(step, dict) else {}
    return next((shape for mark, shape in shapes.items() if mark in has), "saying")


Step = Saying | Menu | Number | Out
_AnyStep = Annotated[
    Annotated[Saying, Tag("saying")]
    | Annotated[Menu, Tag("menu")]
    | Annotated[Number, Tag("number")]
    | Annotated[Out, Tag("out")],
    Discriminator(_shape),
]


class Story(_Part):
    """A caller and where he must end: an example of the flow, and its test."""

    caller: str
    presses: list[str]  # one entry per time we listen; empty is silence
    language: Language = "zh"
    queue: str
    kind: TicketKind | None = None
    serial: str = ""


class Flow(_Part):
    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    title: Texts
    languages: tuple[Language, ...] = ("zh", "en")
    start: StepName
    steps: dict[StepName, _AnyStep]
    stories: tuple[Story, ...] = ()

    def sound(self, step: str, *, again: bool = False) -> str:
        return f"{self.name}-{step}{'-again' if again else ''}".replace("_", "-")

    def sounds(self, language: Language) -> Iterator[tuple[str, str]]:
        """Name and text of every sound file the flow needs in a language."""
        for name, step in self.steps.items():
            text = step.say.get(language, "")
            if text:
                yield self.sound(name), text
            if isinstance(step, Menu | Number):
                yield self.sound(name, again=True), f"{step.again.get(language, '')} {text}".strip()


def luhn(digits: str) -> bool:
    """The mod 10 check (ISO/IEC 7812-1): from the right, every second digit doubled, the sum a multiple of ten."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def leads_to(step: Step) -> list[tuple[str, str]]:
    """Every way out of a step: what the caller does (a key, or a word) and the step it leads to."""
    match step:
        case Saying():
            return [("", step.next)]
        case Menu():
            keys = [(key, go.go if isinstance(go, Choice) else go) for key, go in step.keys.items()]
            return [*keys, ("silence", step.otherwise)]
        case Number():
            return [("number", step.next), ("silence", step.skip)]
        case Out():
            return []


class Walk:
    """One caller's way through a flow. Told what was pressed, it says where the caller is."""

    def __init__(self, flow: Flow, language: Language) -> None:
        self.flow = flow
        self.language: Language = language if language in flow.languages else flow.languages[0]
        self.name = ""  # of the step the caller is at
        self.last = ""  # the step his last keys, or his silence, were meant for
        self.misses = 0  # at this step
        self.serial = ""
        self._steps = 0
        self._go(flow.start)

    @property
    def here(self) -> Step:
        return self.flow.steps[self.name]

    @property
    def sound(self) -> str:
        """The sound file to play now; empty if the step says nothing in this language, or the walk was broken off."""
        if self._steps > MOST_STEPS:
            return ""
        again = self.misses > 0 and isinstance(self.here, Menu | Number)
        return self.flow.sound(self.name, again=again) if self.here.say.get(self.language) else ""

    @property
    def out(self) -> Out | None:
        """The way out, once it is reached."""
        here = self.here
        if isinstance(here, Out):
            return here
        return Out(queue="") if self._steps > MOST_STEPS else None

    def press(self, keys: str) -> Step:
        """The caller pressed keys: one at a menu, several and # at a number; # may be left out."""
        self.last = self.name
        match self.here:
            case Saying() as here:  # a key pressed ahead is meant for the menu that follows; # only skips
                self._go(here.next)
                if keys != "#" and isinstance(self.here, Menu):
                    self.press(keys)
            case Menu() as here:
                found = here.keys.get(keys)
                if isinstance(found, Choice):
                    self.language = found.language or self.language
                    self._go(found.go)
                elif found is not None:
                    self._go(found)
                else:
                    self._miss(here, here.otherwise)
            case Number() as here:
                number = keys.removesuffix("#")
                if not number:
                    self._go(here.skip)
                elif here.digits.accept(number):
                    self.serial = number
                    self._go(here.next)
                else:
                    self._miss(here, here.skip)
        return self.here

    def silence(self) -> Step:
        """The step was said and nothing was pressed."""
        self.last = self.name
        match self.here:
            case Saying() as here:
                self._go(here.next)
            case Menu() as here:
                self._miss(here, here.otherwise)
            case Number() as here:
                self._go(here.skip)
        return self.here

    def _miss(self, here: Menu | Number, otherwise: str) -> None:
        self.misses += 1
        self._steps += 1
        if self.misses >= here.tries:
            self._go(otherwise)

    def _go(self, step: str) -> None:
        self.name = step
        self.misses = 0
        self._steps += 1


def load(path: Path) -> Flow:
    """The flow in a file. BadFlow names what is wrong and where."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(tree, dict):
            raise BadFlow(f"{path}: a flow is a mapping with name, title, start and steps")
        flow = Flow.model_validate(tree)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise BadFlow(f"{path}: {fault}") from fault
    except ValidationError as fault:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors())
        raise BadFlow(f"{path}: {where}") from fault
    missing = sorted({to for step in flow.steps.values() for _, to in leads_to(step)} | {flow.start} - {""})
    absent = [name for name in missing if name not in flow.steps]
    if absent:
        raise BadFlow(f"{path}: there is no step {', '.join(absent)}")
    if flow.name != path.stem:
        raise BadFlow(f"{path}: the flow calls itself {flow.name!r}; file and name must agree")
    return flow


def files(settings: Settings) -> dict[str, Path]:
    """The file of every flow by name; one in the home folder's ``flows`` wins over the shipped one."""
    folders = (SHIPPED, settings.home / "flows")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def named(settings: Settings, name: str) -> Flow:
    """BadFlow if there is none of this name, or it cannot be used."""
    path = files(settings).get(name)
    if path is None:
        raise BadFlow(f"there is no flow {name!r}; there is {', '.join(sorted(files(settings)))}")
    return load(path)


def usable(settings: Settings) -> tuple[dict[str, Flow], list[BadFlow]]:
    """Every flow that can be used, and what is wrong with each that cannot."""
    flows: dict[str, Flow] = {}
    faults: list[BadFlow] = []
    for name, path in files(settings).items():
        try:
            flows[name] = load(path)
        except BadFlow as fault:
            faults.append(fault)
    return flows, faults
