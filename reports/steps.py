"""What each fact of a call says to a person: a text to be translated and the values in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from callcenter import facts as told
from callcenter.events import Fact
from callcenter.texts import marked as _
from cti import calls

CAUSES: dict[int, str] = {  # Q.850
    1: _("number not in use"),
    16: _("hung up"),
    17: _("busy"),
    18: _("nobody there"),
    19: _("no answer"),
    20: _("phone not reachable"),
    21: _("refused"),
    26: _("taken elsewhere"),
    27: _("out of order"),
    28: _("wrong number"),
    31: _("ended"),
    34: _("no line free"),
    38: _("network down"),
    41: _("fault of the line"),
    42: _("switch overloaded"),
    58: _("no common codec"),
    102: _("no reply of the line in time"),
    127: _("fault between networks"),
}
EXITS: dict[str, str] = {  # Queue()'s own words
    "TIMEOUT": _("waited as long as the queue allows"),
    "FULL": _("the queue was full"),
    "JOINEMPTY": _("nobody served it"),
    "LEAVEEMPTY": _("nobody served it any more"),
    "JOINUNAVAIL": _("nobody could take a call"),
    "LEAVEUNAVAIL": _("nobody could take a call any more"),
    "CONTINUE": _("the agent sent him on"),
    "KEY": _("pressed the key to leave"),
}


@dataclass(frozen=True)
class Said:
    words: str
    values: Mapping[str, Any]
    minor: bool = False


@dataclass(frozen=True)
class Known:
    """What a fact of one leg does not say itself, but others of the call do."""

    call_id: str
    agents: Mapping[str, str] = field(default_factory=dict)  # leg: whose phone
    rung: frozenset[str] = frozenset()  # legs a queue rang
    taken: frozenset[str] = frozenset()  # of these, those that were answered
    outside: Mapping[str, str] = field(default_factory=dict)  # leg out of the house: the number called
    came_from: Mapping[str, str] = field(default_factory=dict)  # leg: the call it began in
    gone: frozenset[str] = frozenset()  # legs whose page or phone went away


def known(call_id: str, facts: Iterable[Fact], came_from: Mapping[str, str]) -> Known:
    agents: dict[str, str] = {}
    rung: set[str] = set()
    taken: set[str] = set()
    outside: dict[str, str] = {}
    gone: set[str] = set()
    for fact in facts:
        match fact:
            case told.LegEnded(cause=calls.PAGE_GONE):
                gone.add(fact.leg_id)
            case told.LegStarted() if fact.trunk and fact.leg_id != call_id:
                outside[fact.leg_id] = fact.number or fact.caller_number or fact.did
            case told.LegStarted(agent=str(agent)) if agent:
                agents[fact.leg_id] = agent
            case told.AgentRung() | told.AgentMissed() | told.AgentAnswered():
                agents[fact.leg_id] = fact.agent
                rung.add(fact.leg_id)
                if isinstance(fact, told.AgentAnswered):
                    taken.add(fact.leg_id)
    return Known(call_id, agents, frozenset(rung), frozenset(taken), outside, came_from, frozenset(gone))


def words(fact: Fact, known: Known, outcome: str = "") -> Said | None:
    """None for a fact that says nothing to a person; ``outcome`` is the call's where this fact ended it."""
    if isinstance(fact, told.LegStarted | told.LegAnswered | told.LegEnded | told.BridgeEntered | told.BridgeLeft):
        return _of_leg(fact, known, outcome)
    if isinstance(fact, told.AgentRung | told.AgentMissed | told.AgentAnswered | told.AgentDone):
        return _of_offer(fact, known)
    match fact:
        case told.MenuStep():
            text = _("Menu · %(step)s: heard “%(heard)s”") if fact.heard else _("Menu · %(step)s: heard nothing")
            return Said(text, {"step": fact.step, "heard": fact.heard, "flow": fact.flow})
        case told.MenuLeft(queue=""):
            return Said(_("Left the menu without a queue"), {})
        case told.MenuLeft():
            values = {"queue": fact.queue, "kind": fact.kind, "serial": fact.serial}
            if fact.serial:
                return Said(_("Left the menu for %(queue)s: %(kind)s, engine %(serial)s"), values)
            return Said(
                _("Left the menu for %(queue)s: %(kind)s") if fact.kind else _("Left the menu for %(queue)s"), values
            )
        case told.QueueJoined():
            return Said(_("Joined %(queue)s at place %(position)s"), {"queue": fact.queue, "position": fact.position})
        case told.QueueAbandoned():
            waited = {"queue": fact.queue, "position": fact.position, "wait_s": fact.wait_s}
            return Said(_("Out of %(queue)s unanswered after %(wait_s)s, from place %(position)s"), waited)
        case told.QueueExited():
            return Said(_("Left %(queue)s: %(status)s"), {"queue": fact.queue, "status": fact.status})
        case told.CallBackAsked():
            return Said(_("Asked to be called back on %(number)s"), {"number": fact.number})
        case told.Transferred():
            values = {"agent": known.agents.get(fact.leg_id, ""), "to": fact.to}
            if fact.kind == "attended":
                return Said(_("%(agent)s connected the caller with %(to)s after asking"), values)
            return Said(_("%(agent)s sent the caller on to %(to)s"), values)
        case told.Held():
            return Said(_("%(agent)s put the other side on hold"), {"agent": known.agents.get(fact.leg_id, "")})
        case told.Resumed():
            return Said(_("%(agent)s took the other side off hold"), {"agent": known.agents.get(fact.leg_id, "")})
        case told.CallerKept():
            return Said(_("The agent's phone went away: the caller is kept and hears music"), {})
        case told.RecordingStarted():
            return Said(_("Recording began"), {"file": fact.file})
        case told.CustomerBound(by=""):
            return Said(_("Number known as %(customer)s"), {"customer": fact.customer_id})
        case told.CustomerBound():
            return Said(_("%(by)s said it is %(customer)s"), {"customer": fact.customer_id, "by": fact.by})
    return _of_house(fact)


def _of_leg(
    fact: told.LegStarted | told.LegAnswered | told.LegEnded | told.BridgeEntered | told.BridgeLeft,
    known: Known,
    outcome: str,
) -> Said:
    who = _whose(fact.leg_id, known)
    match fact:
        case told.LegStarted():
            return _leg_started(fact, known, who)
        case told.LegAnswered():
            if fact.leg_id == known.call_id:
                return Said(_("Line open"), who, minor=True)
            return Said(_("%(who)s picked up"), who, minor=fact.leg_id in known.rung)
        case told.BridgeEntered():
            return Said(_("%(who)s connected"), who, minor=True)
        case told.BridgeLeft():
            return Said(_("%(who)s disconnected"), who, minor=True)
    values = who | {"cause": fact.cause, "cause_text": fact.cause_text, "outcome": outcome}
    if fact.how == "lost":
        return Said(_("Call over, lost with the switch") if outcome else _("%(who)s lost with the switch"), values)
    if fact.how:
        return Said(
            _("Call over, nobody saw its end: %(outcome)s") if outcome else _("%(who)s gone, nobody saw how"), values
        )
    if outcome:
        return Said(_("Call over: %(outcome)s (%(who)s: %(cause)s)"), values)
    return Said(_("%(who)s closed: %(cause)s"), values, minor=fact.leg_id in known.rung)


def _leg_started(fact: told.LegStarted, known: Known, who: dict[str, Any]) -> Said:
    origin = known.came_from.get(fact.leg_id, "")
    values = who | {"did": fact.did, "number": known.outside.get(fact.leg_id, ""), "channel": fact.channel}
    if fact.leg_id == known.call_id:
        return Said(_("Call to %(did)s") if fact.trunk else _("%(who)s dials %(did)s"), values)
    if origin:
        return Said(_("%(who)s came from another call"), values | {"call": origin})
    if fact.leg_id in known.outside:
        return Said(_("Dialled out: %(number)s"), values)
    return Said(_("Phone of %(who)s called"), values, minor=fact.leg_id in known.rung)


def _whose(leg_id: str, known: Known) -> dict[str, Any]:
    """The other end of a leg: an agent, the caller, or a number outside."""
    agent = known.agents.get(leg_id, "")
    if agent:
        return {"who": agent, "agent": agent}
    return {"who": known.outside.get(leg_id) or ("caller" if leg_id == known.call_id else "other")}


def _of_offer(fact: told.AgentRung | told.AgentMissed | told.AgentAnswered | told.AgentDone, known: Known) -> Said:
    values: dict[str, Any] = {"agent": fact.agent, "queue": fact.queue}
    match fact:
        case told.AgentRung():
            return Said(_("Rang %(agent)s"), values)
        case told.AgentMissed() if fact.leg_id in known.gone:
            text = _("The page or phone of %(agent)s went away while it rang, after %(ring_ms)s")
            return Said(text, values | {"ring_ms": fact.ring_ms})
        case told.AgentMissed():
            return Said(_("%(agent)s did not answer within %(ring_ms)s"), values | {"ring_ms": fact.ring_ms})
        case told.AgentAnswered():
            more = {"ring_s": fact.ring_s, "wait_s": fact.wait_s}
            return Said(_("%(agent)s answered after %(ring_s)s of ringing; waited %(wait_s)s"), values | more)
    values |= {"talk_s": fact.talk_s}
    match fact.reason:
        case "transfer":
            return Said(_("%(agent)s left the talk by transfer after %(talk_s)s"), values)
        case "agent":
            return Said(_("%(agent)s ended the talk after %(talk_s)s"), values)
    return Said(_("The caller ended the talk with %(agent)s after %(talk_s)s"), values)


def _of_house(fact: Fact) -> Said | None:
    """Facts that belong to no call: agents, their phones, the link to the switch."""
    match fact:
        case told.StatusChosen(by="policy", reason="missed"):
            return Said(_("%(agent)s put on a break, for letting it ring"), {"agent": fact.agent})
        case told.StatusChosen():
            values = {"agent": fact.agent, "chosen": fact.status, "reason": fact.reason}
            text = _("%(agent)s: %(chosen)s (%(reason)s)") if fact.reason else _("%(agent)s: %(chosen)s")
            return Said(text, values)
        case told.WrapUpFinished(by="clock"):
            return Said(_("Wrap-up of %(agent)s over by the clock"), {"agent": fact.agent})
        case told.WrapUpFinished():
            return Said(_("%(agent)s finished the wrap-up"), {"agent": fact.agent})
        case told.PhoneSeen():
            text = _("Phone of %(agent)s reachable") if fact.reachable else _("Phone of %(agent)s not reachable")
            return Said(text, {"agent": fact.agent}, minor=fact.reachable)
        case told.MemberPaused():
            values = {"agent": fact.agent, "queue": fact.queue, "reason": fact.reason or "break"}
            text = _("%(agent)s paused in %(queue)s (%(reason)s)")
            return Said(text if fact.paused else _("%(agent)s no longer paused in %(queue)s"), values, minor=True)
        case told.MemberChanged():
            about: dict[str, Any] = {"agent": fact.agent, "queue": fact.queue, "penalty": fact.penalty}
            text = _("%(agent)s serves %(queue)s from now on, penalty %(penalty)s")
            return Said(text if fact.member else _("%(agent)s no longer serves %(queue)s"), about)
        case told.SwitchLost():
            return Said(_("Link to the switch lost; what follows was told afterwards"), {})
        case told.SwitchFound():
            return Said(
                _("Link to the switch restored, the switch restarted")
                if fact.restarted
                else _("Link to the switch restored"),
                {},
            )
    return None
