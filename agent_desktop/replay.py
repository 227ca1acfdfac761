"""A call's replay in words of one language, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.i18n import duration, plain, translate
from agent_desktop.i18n import marked as _
from agent_desktop.words import english
from callcenter import phone
from callcenter.database import to_us
from config import queues
from config.people import User
from reports.choices import WHY, Choice
from reports.replay import Lane, Replay, Step
from reports.steps import CAUSES, EXITS
from ticketing.rows import Customer

SOURCES: dict[str, str] = {
    "ami": _("switch, live"),
    "queue_log": _("the switch's queue log"),
    "cel": _("the switch's channel log"),
    "resync": _("seen again afterwards"),
    "desk": _("desk"),
    "policy": _("queue policy"),
    "demo": _("demonstration"),
}
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
AFTERWARDS = _("told afterwards")
CUT = _("There are more facts than a replay shows.")
SEEN: dict[str, str] = {
    "unknown": _("unknown"),
    "unreachable": _("phone not reachable"),
    "paused": _("paused at the switch"),
}
LANES: dict[str, str] = {
    "arrival": _("Arrival"),
    "menu": _("Menu"),
    "queue": _("Queue"),
    "talk": _("Talk"),
    "kept": _("Kept, with music"),
    "hold": _("Hold"),
    "waiting": _("In the queue"),
    "ringing": _("Ringing"),
    "talking": _("Talking"),
    "wrap_up": _("Wrap-up"),
    "elsewhere": _("On another call"),
    "idle": _("Idle"),
    "on_break": _("On break"),
    "offline": _("Offline"),
}


@dataclass(frozen=True)
class Telling:
    """What is needed to say a step to a person."""

    language: str
    names: Mapping[str, str]  # of agents, by extension
    titles: Mapping[str, str]  # of queues
    customers: Mapping[int, str]
    country: str

    @classmethod
    def of(cls, db: Session, language: str, country: str, replay: Replay) -> Telling:
        agents = {step.agent for step in replay.steps} | {one.agent for step in replay.steps for one in step.choices}
        agents |= {lane.name for lane in replay.lanes if lane.of == "agent"}
        bound = {step.values["customer"] for step in replay.steps if "customer" in step.values}
        people = db.execute(select(User.extension, User.name).where(User.extension.in_(agents)))
        known = db.execute(select(Customer.id, Customer.name).where(Customer.id.in_(bound)))
        return cls(
            language=language,
            names={extension: name for extension, name in people if extension},
            titles=queues.titles(db, language),
            customers={row[0]: row[1] for row in known},
            country=country,
        )

    def _(self, text: str, **values: object) -> str:
        return translate(self.language, text, **values)

    def text(self, step: Step) -> str:
        """The step in one sentence."""
        said = plain(self._(step.words, **self._said(step.values)))
        return said[:1].upper() + said[1:]

    def why(self, choice: Choice) -> str:
        """Why this agent was asked, or was not."""
        return plain(self._(WHY[choice.code], **self._said(choice.values)))

    def agent(self, extension: str) -> str:
        return self.names.get(extension, extension)

    def source(self, name: str) -> str:
        return self._(SOURCES[name]) if name in SOURCES else name

    def state(self, code: str) -> str:
        return self._(english("call_state", code))

    def lane(self, lane: Lane) -> str:
        if lane.of == "agent":
            return self.agent(lane.name)
        return self.titles.get(lane.name, lane.name) if lane.of == "queue" else self._("Caller")

    def _said(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._value(name, value, values) for name, value in values.items()}

    def _value(self, name: str, value: Any, values: Mapping[str, Any]) -> str:
        match name:
            case "agent":
                return self.agent(value) or self._("Somebody")
            case "who":
                return self._who(value)
            case "queue":
                return self.titles.get(value, value)
            case "customer":
                return self.customers.get(value, str(value))
            case "kind":
                return self._(english("ticket_kind", value)) if value else ""
            case "outcome":
                return self._(english("outcome", value)) if value else ""
            case "chosen":
                return self._(english("agent_status", value))
            case "reason":
                return self._(english("status_reason", value)) if value else ""
            case "seen":
                return self._seen(value)
            case "status":
                return self._(EXITS[value]) if value in EXITS else value
            case "cause":
                return self._(CAUSES[value]) if value in CAUSES else values.get("cause_text") or str(value)
            case "number" | "to":
                return phone.pretty(value, country=self.country) if value.startswith("+") else self.agent(value)
            case _ if name.endswith("_ms"):
                return duration(value)
            case _ if name.endswith("_s"):
                return duration(1000 * value)
        return str(value)

    def _who(self, value: str) -> str:
        if value == "caller":
            return self._("the caller")
        return self._("the other side") if value == "other" else self._value("to", value, {})

    def _seen(self, code: str) -> str:
        if code in SEEN:
            return self._(SEEN[code])
        return self._(
            english("agent_status", code) if code in ("offline", "on_break") else english("agent_state", code)
        )


def headline(replay: Replay, telling: Telling, zone: ZoneInfo) -> str:
    call = replay.call
    ended = english("outcome", call.outcome) if call.state == "ended" else english("call_state", call.state)
    parts = [
        call.call_id,
        f"{call.started_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        plain(phone.pretty(call.caller_number, country=telling.country)) or telling._(_("Number withheld")),
        telling._(english("direction", call.direction)),
        telling._(ended),
        duration(replay.length_ms),
    ]
    return " · ".join(parts)


def as_rows(replay: Replay, telling: Telling, zone: ZoneInfo, *, every: bool) -> list[tuple[str, str, str, str]]:
    """For a terminal: time of day, offset into the call, what happened, and where it is from."""
    rows = []
    for step in replay.steps:
        if step.minor and not every:
            continue
        at = f"{step.at.astimezone(zone):%H:%M:%S}.{step.at.microsecond // 1000:03}"
        text = telling.text(step)
        if step.after:
            text += f"  [{telling.state(step.before)} → {telling.state(step.after)}]"
        told = telling.source(step.source) + (f" · {telling._(AFTERWARDS)}" if step.reconciled else "")
        rows.append((at, offset(step.offset_ms), text, told))
        for one in step.choices:
            rows.append(("", "", f"  {'●' if one.asked else '○'} {telling.agent(one.agent)}: {telling.why(one)}", ""))
    if replay.cut:
        rows.append(("", "", telling._(CUT), ""))
    return rows


def offset(ms: int) -> str:
    """Into the call, to the tenth of a second; what was told of before it has a minus."""
    return f"{'−' if ms < 0 else ''}{duration(abs(ms))}.{abs(ms) // 100 % 10}"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stretch as it is drawn, in percent of what is shown."""

    kind: str
    words: str
    left: float
    width: float
    ms: int

    @property
    def labelled(self) -> bool:
        """Whether there is room for words."""
        return self.width > 3 + 0.9 * sum(2 if ord(c) > 0x2E80 else 1 for c in self.words)


def bars(replay: Replay, lane: Lane, telling: Telling) -> list[Bar]:
    scale = 100 / replay.shown_ms
    return [
        Bar(
            kind=one.kind,
            words=telling._(LANES[one.kind]),
            left=one.from_ms * scale,
            width=max(0.15, (one.to_ms - one.from_ms) * scale),
            ms=one.to_ms - one.from_ms,
        )
        for one in lane.stretches
    ]


def ticks(shown_ms: int) -> list[tuple[float, str]]:
    """Where the axis is marked, in percent, and with what; ten marks at most."""
    every_ms = next((s * 1000 for s in _TICKS_S if shown_ms / (s * 1000) <= 10), _TICKS_S[-1] * 1000)
    return [(100 * at / shown_ms, duration(at)) for at in range(0, shown_ms, every_ms)][:200]


def as_data(replay: Replay, telling: Telling) -> dict[str, Any]:
    """For programs: every step with what it was told from, times in µs since 1970 UTC and ms into the call."""
    call = replay.call
    return {
        "call_id": call.call_id,
        "direction": call.direction,
        "caller_number": call.caller_number,
        "state": call.state,
        "outcome": call.outcome,
        "started_us": to_us(call.started_at),
        "length_ms": replay.length_ms,
        "recording": None
        if replay.sound_from_ms is None
        else {"from_ms": replay.sound_from_ms, "length_ms": replay.sound_ms},
        "cut": replay.cut,
        "steps": [_step_data(step, telling) for step in replay.steps],
        "lanes": [
            {
                "of": lane.of,
                "name": lane.name,
                "stretches": [{"kind": one.kind, "from_ms": one.from_ms, "to_ms": one.to_ms} for one in lane.stretches],
            }
            for lane in replay.lanes
        ],
    }


def _step_data(step: Step, telling: Telling) -> dict[str, Any]:
    return {
        "at_us": to_us(step.at),
        "offset_ms": step.offset_ms,
        "sound_ms": step.sound_ms,
        "seq": step.seq,
        "type": step.type,
        "text": telling.text(step),
        "values": dict(step.values),
        "source": step.source,
        "reconciled": step.reconciled,
        "minor": step.minor,
        "before": step.before,
        "after": step.after,
        "choices": [
            {
                "agent": one.agent,
                "asked": one.asked,
                "why": one.code,
                "text": telling.why(one),
                "values": dict(one.values),
            }
            for one in step.choices
        ],
    }
