"""The switch's own logs as facts: queue_log and CEL, read as the events they would have been. Pure.

CEL tells legs, bridges, transfers and what dial plan and IVR said, to the microsecond; queue_log tells what queues did,
to the second. A line of queue_log takes its place and time from the line of CEL that belongs to it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from callcenter import phone
from callcenter.database import from_us
from callcenter.events import Fact
from callcenter.facts import AgentAnswered, AgentDone, AgentMissed, MemberPaused, QueueAbandoned, QueueJoined
from cti.translate import Message, Normalise, agent_of, at_of, call_of, translate

_KINDS = {
    *("CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "APP_START", "APP_END", "LINKEDID_END"),
    *("BRIDGE_ENTER", "BRIDGE_EXIT", "BLINDTRANSFER", "ATTENDEDTRANSFER"),
}
_LEAST_COLUMNS = 10  # older switches write neither the caller's name nor an application's data
_DATA_OF = {  # verb of queue_log: least number of fields behind it
    "ENTERQUEUE": 3,
    "CONNECT": 3,
    "RINGNOANSWER": 1,
    "ABANDON": 3,
    "EXITWITHTIMEOUT": 3,
    "EXITWITHKEY": 2,
    "EXITEMPTY": 3,
    "COMPLETECALLER": 2,
    "COMPLETEAGENT": 2,
    "BLINDTRANSFER": 5,
    "ATTENDEDTRANSFER": 5,
    "PAUSE": 0,
    "UNPAUSE": 0,
}
_LEFT = frozenset(
    {
        "BLINDTRANSFER",
        "ATTENDEDTRANSFER",
        "COMPLETEAGENT",
        "COMPLETECALLER",
        "EXITWITHKEY",
        "EXITWITHTIMEOUT",
        "EXITEMPTY",
    }
)
_SLACK = timedelta(seconds=2)  # between the second of queue_log and the moment in CEL
_LATER = timedelta(milliseconds=100)  # queue_log is written after the fact
_QUEUE_FACTS = (QueueJoined, QueueAbandoned, AgentMissed, AgentAnswered, AgentDone, MemberPaused)


@dataclass(frozen=True)
class QueueLine:
    """One line of queue_log: ``1795324128|tel-1795324127.0|inquiry|1001|CONNECT|1|tel-1795324127.1|0``."""

    at: datetime  # the second it happened in
    leg_id: str  # the caller's
    queue: str
    agent: str
    verb: str
    data: tuple[str, ...]


@dataclass(frozen=True)
class CelLine:
    """One line of cel.csv, as config/asterisk/cel_custom.conf.j2 orders its columns."""

    kind: str
    at: datetime
    call_id: str
    leg_id: str
    channel: str
    number: str
    exten: str
    context: str
    app: str
    extra: Mapping[str, Any]
    name: str = ""
    data: str = ""


@dataclass
class Known:
    """What our rows know of the calls that live, when the first line is read."""

    calls: dict[str, str] = field(default_factory=dict)  # leg: call
    agents: dict[str, str] = field(default_factory=dict)  # leg of an agent: agent
    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)  # call: (queue, the caller's leg)
    answered: dict[str, str] = field(default_factory=dict)  # the caller's leg: the leg of the agent who took him


def queue_line(text: str) -> QueueLine | None:
    """None for a line that is torn, or tells nothing of a call or an agent. Names may hold the separator."""
    parts = text.split("|")
    if len(parts) < 5 or not parts[0].isdecimal() or not 9 <= len(parts[0]) <= 11:
        return None
    for place in range(4, len(parts)):
        least = _DATA_OF.get(parts[place])
        if least is not None and len(parts) - place - 1 >= least:
            at = from_us(int(parts[0]) * 1_000_000)
            return QueueLine(at, parts[1], parts[2], "|".join(parts[3:place]), parts[place], tuple(parts[place + 1 :]))
    return None


def each_once(texts: Iterable[str]) -> list[QueueLine]:
    """The lines that can be read, without those read twice. Equal lines of one who was sent on and is back within the
    second are two: queue_log knows no less than a second."""
    read: set[str] = set()
    last: dict[str, QueueLine] = {}
    found = []
    for text in texts:
        line = queue_line(text)
        if line is None:
            continue
        before = last.get(line.leg_id)
        back = line.verb == "ENTERQUEUE" and before is not None and before.verb in _LEFT and before.at == line.at
        if text in read and not back:
            continue
        read.add(text)
        last[line.leg_id] = line
        found.append(line)
    return found


def cel_line(text: str) -> CelLine | None:
    """None for a line that is torn or of a kind that was not asked for."""
    try:
        (parts,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        return None
    if len(parts) < _LEAST_COLUMNS or parts[0] not in _KINDS:
        return None
    try:
        at = at_of(parts[1])
        extra = json.loads(parts[9]) if parts[9] else {}
    except ValueError:
        return None
    call_id, leg_id, channel, number, exten, context, app = parts[2:9]
    told = extra if isinstance(extra, dict) else {}
    name, data = [*parts[10:12], "", ""][:2]
    return CelLine(parts[0], at, call_of(call_id), leg_id, channel, number, exten, context, app, told, name, data)


def source_of(fact: Fact) -> str:
    """Which log told it."""
    return "queue_log" if isinstance(fact, _QUEUE_FACTS) else "cel"


def facts(
    queue_lines: Iterable[str],
    cel_lines: Iterable[str],
    switch: str,
    known: Known | None = None,
    normalise: Normalise = phone.normalise,
    language: str = "",
) -> list[Fact]:
    """What the lines tell, in the order it happened; what cannot be read is left out, as a torn line is."""
    queue = each_once(queue_lines)
    cel = [line for line in map(cel_line, dict.fromkeys(cel_lines)) if line is not None]
    found = []
    for at, message in _Telling(cel, queue, known or Known(), language).messages():
        try:
            fact = translate(message, switch, at, normalise)
        except (KeyError, ValueError):
            continue
        if fact is not None:
            found.append(fact)
    return found


class _Telling:
    """Both logs as AMI would have told them: CEL as it stands, queue_log between its lines."""

    def __init__(self, cel: Sequence[CelLine], queue: Sequence[QueueLine], known: Known, language: str) -> None:
        self._cel = cel
        self._queue = queue
        self._language = language
        self._calls = known.calls | {line.leg_id: line.call_id for line in reversed(cel)}
        self._answered = dict(known.answered)
        self._waiting = dict(known.waiting)
        self._agents = known.agents | {
            line.leg_id: agent for line in cel if line.kind == "CHAN_START" and (agent := agent_of(line.channel))
        }
        self._causes = {line.leg_id: line.extra.get("hangupcause", 0) for line in cel if line.kind == "HANGUP"}
        self._missed: set[str] = set()  # legs
        self._taken: set[int] = set()  # lines of CEL that one of queue_log's belongs to
        self._lines_of: dict[str, list[int]] = {}
        for place, line in enumerate(cel):
            self._lines_of.setdefault(line.leg_id, []).append(place)

    def messages(self) -> Iterator[tuple[datetime, Message]]:
        """In order. Which agent is rung for a waiting caller is said by nobody: it is seen here."""
        told = [(line.at, place + 0.0, line) for place, line in enumerate(self._cel)]
        placed: list[tuple[datetime, float, CelLine | QueueLine, str]] = [(*one, "") for one in told]
        placed += [self._place(line) for line in self._queue]
        placed.sort(key=lambda one: one[:2])
        for at, _place, line, agent_leg in placed:
            said = self._of_queue(line, agent_leg) if isinstance(line, QueueLine) else self._of_cel(line)
            for message in said:
                yield at, message | {"Timestamp": f"{_seconds(at)}"}

    # --- CEL ------------------------------------------------------------------------------------------------------

    def _of_cel(self, line: CelLine) -> list[dict[str, Any]]:
        leg = {"Uniqueid": line.leg_id, "Linkedid": line.call_id}
        bridge = leg | {"BridgeUniqueid": line.extra.get("bridge_id", "")}
        match line.kind:
            case "CHAN_START":
                return [self._started(line, leg), *self._rung(line)]
            case "ANSWER":
                return [leg | {"Event": "Newstate", "ChannelState": "6"}]
            case "CHAN_END":
                return [leg | {"Event": "Hangup", "Cause": self._causes.get(line.leg_id, 0), "Cause-txt": ""}]
            case "BRIDGE_ENTER":
                return [bridge | {"Event": "BridgeEnter"}]
            case "BRIDGE_EXIT":
                return [bridge | {"Event": "BridgeLeave"}]
            case "BLINDTRANSFER":
                told = {"TransfererLinkedid": line.call_id, "TransfererUniqueid": line.leg_id}
                to = line.extra.get("extension", "")
                return [told | {"Event": "BlindTransfer", "Result": "Success", "Extension": to}]
            case "ATTENDEDTRANSFER":
                return [self._connected(line) | {"Event": "AttendedTransfer", "Result": "Success"}]
            case "APP_START" if line.app == "UserEvent":
                name, *headers = line.data.split(",")
                told = dict(header.split(": ", 1) for header in headers if ": " in header)
                told |= {header.rstrip(":"): "" for header in headers if ": " not in header}
                return [leg | told | {"Event": "UserEvent", "UserEvent": name}]
        return []

    def _connected(self, line: CelLine) -> dict[str, Any]:
        second = line.extra.get("channel2_uniqueid", "")
        told = {"OrigTransfererLinkedid": line.call_id, "OrigTransfererUniqueid": line.leg_id}
        told |= {"SecondTransfererLinkedid": self._calls.get(second, line.call_id), "SecondTransfererUniqueid": second}
        for who, name in (("Transferee", "transferee"), ("TransferTarget", "transfer_target")):
            lines = self._lines_of.get(line.extra.get(f"{name}_channel_uniqueid", ""), ())
            told[f"{who}Channel"] = line.extra.get(f"{name}_channel_name", "")
            told[f"{who}CallerIDNum"] = self._cel[lines[0]].number if lines else ""
        return told

    def _started(self, line: CelLine, leg: dict[str, str]) -> dict[str, Any]:
        told = {"Channel": line.channel, "CallerIDNum": line.number, "CallerIDName": line.name, "Exten": line.exten}
        return leg | told | {"Event": "Newchannel", "Context": line.context, "Language": self._language}

    def _rung(self, line: CelLine) -> list[dict[str, Any]]:
        agent = agent_of(line.channel)
        if agent is None or line.leg_id == line.call_id or line.call_id not in self._waiting:
            return []
        queue, caller = self._waiting[line.call_id]
        told = self._offer(line.leg_id, line.call_id, queue, agent)
        return [told | {"Event": "AgentCalled", "Uniqueid": caller}]

    # --- queue_log ------------------------------------------------------------------------------------------------

    def _place(self, line: QueueLine) -> tuple[datetime, float, QueueLine, str]:
        """When it happened, between which lines of CEL, and the agent's leg it is about."""
        agent_leg, place, after = "", None, True
        match line.verb:
            case "ENTERQUEUE":
                place = self._nearest(line, line.leg_id, "APP_START", "Queue", line.queue)
            case "CONNECT":
                agent_leg = self._answered[line.leg_id] = line.data[1]
                place = self._nearest(line, agent_leg, "ANSWER")
            case "RINGNOANSWER":
                agent_leg, place = self._silent(line)
                after = False
            case "COMPLETECALLER" | "COMPLETEAGENT" | "BLINDTRANSFER" | "ATTENDEDTRANSFER":
                agent_leg = self._answered.get(line.leg_id, "")
                place = self._nearest(line, agent_leg, "BRIDGE_EXIT")
            case "ABANDON" | "EXITWITHTIMEOUT" | "EXITWITHKEY" | "EXITEMPTY":
                place = self._nearest(line, line.leg_id, "APP_END", "Queue")
                after = False
        if place is None:
            return line.at, float(len(self._cel)), line, agent_leg
        return self._cel[place].at, place + (0.5 if after else -0.5), line, agent_leg

    def _nearest(self, line: QueueLine, leg_id: str, kind: str, app: str = "", queue: str = "") -> int | None:
        """The line of CEL that tells the same, for each its own."""
        near = [
            (_apart(self._cel[place], line), place)
            for place in self._lines_of.get(leg_id, ())
            if self._cel[place].kind == kind and (not app or self._cel[place].app == app) and place not in self._taken
            if not queue or self._cel[place].data.split(",")[0] in (queue, "")
        ]
        distance, place = min(near, default=(_SLACK, -1))
        if distance >= _SLACK:
            return None
        self._taken.add(place)
        return place

    def _silent(self, line: QueueLine) -> tuple[str, int | None]:
        """The agent's leg that rang in vain, and its end."""
        call_id = self._calls.get(line.leg_id, line.leg_id)
        ends = [
            (apart, place, end.leg_id)
            for place, end in enumerate(self._cel)
            if end.kind == "CHAN_END" and end.call_id == call_id and self._agents.get(end.leg_id) == line.agent
            if end.leg_id not in self._missed and (apart := _apart(end, line)) < _SLACK
        ]
        if not ends:
            return "", None
        _distance, place, leg_id = min(ends)
        self._missed.add(leg_id)
        return leg_id, place

    def _of_queue(self, line: QueueLine, agent_leg: str) -> list[dict[str, Any]]:
        call_id = self._calls.get(line.leg_id, line.leg_id)
        caller = {"Uniqueid": line.leg_id, "Linkedid": call_id, "Queue": line.queue}
        offer = self._offer(agent_leg, call_id, line.queue, line.agent) if agent_leg else None
        match line.verb:
            case "ENTERQUEUE":
                self._waiting[call_id] = (line.queue, line.leg_id)
                return [caller | {"Event": "QueueCallerJoin", "Position": line.data[-1]}]
            case "CONNECT":
                self._waiting.pop(call_id, None)
                waited, _leg, rang = line.data[:3]
                return [offer | {"Event": "AgentConnect", "HoldTime": waited, "RingTime": rang}] if offer else []
            case "RINGNOANSWER":
                return [offer | {"Event": "AgentRingNoAnswer", "RingTime": line.data[0]}] if offer else []
            case "COMPLETECALLER" | "COMPLETEAGENT" | "BLINDTRANSFER" | "ATTENDEDTRANSFER":
                waited, talked = line.data[:2] if line.verb.startswith("COMPLETE") else line.data[-3:-1]
                reason = line.verb.removeprefix("COMPLETE").lower() if line.verb[0] == "C" else "transfer"
                told = {"Event": "AgentComplete", "HoldTime": waited, "TalkTime": talked, "Reason": reason}
                return [offer | told] if offer else []
            case "ABANDON" | "EXITWITHTIMEOUT" | "EXITEMPTY":
                self._waiting.pop(call_id, None)
                told = {"Event": "QueueCallerAbandon", "Position": line.data[0], "HoldTime": line.data[2]}
                return [caller | told]
            case "EXITWITHKEY":
                self._waiting.pop(call_id, None)
            case "PAUSE" | "UNPAUSE" if line.queue != "NONE":
                told = {
                    "Interface": f"PJSIP/{line.agent}",
                    "Queue": line.queue,
                    "Paused": str(int(line.verb[0] == "P")),
                }
                reason = line.data[0] if line.data else ""
                return [told | {"Event": "QueueMemberPause", "PausedReason": reason}]
        return []

    @staticmethod
    def _offer(leg_id: str, call_id: str, queue: str, agent: str) -> dict[str, Any]:
        return {"Linkedid": call_id, "DestUniqueid": leg_id, "Queue": queue, "Interface": f"PJSIP/{agent}"}


def _apart(cel: CelLine, queue: QueueLine) -> timedelta:
    """How far the two are from one moment: queue_log cuts its seconds off, and is written a little later."""
    return max(queue.at - _LATER - cel.at, cel.at - queue.at - timedelta(seconds=1), timedelta())


def _seconds(at: datetime) -> str:
    """As the switch stamps its events."""
    us = (at - from_us(0)) // timedelta(microseconds=1)
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


# --- one telling of two -------------------------------------------------------------------------------------------

NEAR = timedelta(seconds=2)


class Told:
    """Facts that are told already. ``new`` says which of others are not: one telling takes one other away."""

    def __init__(self, told: Iterable[Fact]) -> None:
        self._keys: set[str] = set()
        self._near: dict[tuple[object, ...], list[datetime]] = {}
        for fact in told:
            self.add(fact)

    def add(self, fact: Fact) -> None:
        if "at" in fact.marks:
            self._near.setdefault(_sameness(fact), []).append(fact.at)
        else:
            self._keys.add(fact.key)

    def new(self, facts: Iterable[Fact]) -> list[Fact]:
        """The facts that are not told: by their keys, or, where the key holds the time, by what they say within 2 s."""
        return [fact for fact in facts if not self._has(fact)]

    def _has(self, fact: Fact) -> bool:
        if "at" not in fact.marks:
            return fact.key in self._keys
        times = self._near.get(_sameness(fact))
        if not times:
            return False
        nearest = min(times, key=lambda at: abs(at - fact.at))
        if abs(nearest - fact.at) > NEAR:
            return False
        times.remove(nearest)
        return True


def _sameness(fact: Fact) -> tuple[object, ...]:
    marks = tuple(getattr(fact, mark) for mark in fact.marks if mark != "at")
    return (type(fact), fact.switch, *marks, *((fact.paused,) if isinstance(fact, MemberPaused) else ()))
