"""AMI message to fact. The only file that knows header names and their units; pure.

``m["Name"]``, never ``.get``, for what must be there: a missing header is a KeyError that intake logs with the message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from callcenter import phone
from callcenter.database import from_us
from callcenter.events import Fact
from callcenter.facts import (
    AgentAnswered,
    AgentDone,
    AgentMissed,
    AgentRung,
    BridgeEntered,
    BridgeLeft,
    CallBackAsked,
    CallerKept,
    Dialled,
    Held,
    LegAnswered,
    LegEnded,
    LegStarted,
    LineMeasured,
    MemberPaused,
    MenuLeft,
    MenuStep,
    PhoneSeen,
    PutAside,
    QueueAbandoned,
    QueueExited,
    QueueJoined,
    RecordingStarted,
    Resumed,
    Transferred,
)

Message = Mapping[str, Any]
Normalise = Callable[[str], str]
"""Writes a number as our records do."""

UP = "6"  # ChannelState
_AGENT = re.compile(r"PJSIP/([0-9]{2,10})(?:-[0-9a-f]+)?")
_BORN = re.compile(r"([0-9]{9,11})\.[0-9]+$")
_UNKNOWN = {"<unknown>", "<null>"}
_GONE = {"UNAVAILABLE", "INVALID", "UNKNOWN"}


def translate(m: Message, switch: str, received_at: datetime, normalise: Normalise = phone.normalise) -> Fact | None:
    """The fact a message tells; None if it tells none. KeyError, ValueError where it is not as the switch writes it.

    ``received_at`` counts only without a stamp of the switch's own.
    """
    tell = _TELL.get(m["Event"])
    if tell is None:
        return None
    stamp = m.get("Timestamp")
    return tell(m, {"at": at_of(stamp) if stamp else received_at, "switch": switch}, normalise)


def at_of(stamp: str) -> datetime:
    """Seconds since 1970 with a fraction, read without rounding: ``1795311999.429934``."""
    seconds, _, fraction = stamp.partition(".")
    return from_us(int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0")))


def born_at(leg_id: str) -> datetime | None:
    """When a channel came to be, to the second: its Uniqueid says so."""
    found = _BORN.search(leg_id)
    return from_us(int(found[1]) * 1_000_000) if found else None


def agent_of(interface: str) -> str | None:
    """The agent behind ``PJSIP/1001`` or ``PJSIP/1001-0000002a``; None for a trunk and everything else."""
    found = _AGENT.fullmatch(interface)
    return found[1] if found else None


def words(header: str | list[str], length: int) -> str:
    """One line without control characters, direction marks and other invisible things, cut to so many characters."""
    text = header if isinstance(header, str) else header[0]  # a header that came twice
    if text.isascii() and text.isprintable():
        kept = text
    else:
        spaced = (" " if char.isspace() else char for char in unicodedata.normalize("NFC", text[: length * 8]))
        kept = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    return kept.strip()[:length].rstrip()


AGAIN = "-again-"
"""Stands in the id of a channel we bring into a standing call, behind the call's own: the switch's Linkedid, which it
gets for itself alone, tells by that whose it is."""


def call_of(linkedid: str) -> str:
    return linkedid.partition(AGAIN)[0]


# --- legs -------------------------------------------------------------------------------------------------------

_Base = dict[str, Any]


def _leg(m: Message, base: _Base) -> _Base:
    base["call_id"] = call_of(m["Linkedid"])
    base["leg_id"] = m["Uniqueid"]
    return base


def _leg_started(m: Message, base: _Base, normalise: Normalise) -> LegStarted:
    channel = words(m["Channel"], 120)
    agent = agent_of(channel)
    first = m["Uniqueid"] == call_of(m["Linkedid"])
    number = words(m["CallerIDNum"], 80)
    name = words(m["CallerIDName"], 200)
    did = words(m["Exten"], 40)
    return LegStarted(
        **_leg(m, base),
        channel=channel,
        context=words(m["Context"], 80),
        did=did,
        caller_number="" if number in _UNKNOWN else number,
        caller_name="" if name in _UNKNOWN else name,
        number="" if not first or number in _UNKNOWN else normalise(did if agent else number)[:40],
        language=words(m["Language"], 5),
        agent=agent,
        trunk=agent is None and channel.startswith("PJSIP/"),
    )


def _newstate(m: Message, base: _Base, _: Normalise) -> Fact | None:
    return LegAnswered(**_leg(m, base)) if m["ChannelState"] == UP else None


def _hangup(m: Message, base: _Base, _: Normalise) -> Fact:
    return LegEnded(**_leg(m, base), cause=int(m["Cause"]), cause_text=words(m["Cause-txt"], 80))


def _bridge_enter(m: Message, base: _Base, _: Normalise) -> Fact:
    return BridgeEntered(**_leg(m, base), bridge_id=words(m["BridgeUniqueid"], 40))


def _bridge_leave(m: Message, base: _Base, _: Normalise) -> Fact:
    return BridgeLeft(**_leg(m, base), bridge_id=words(m["BridgeUniqueid"], 40))


def _hold(m: Message, base: _Base, _: Normalise) -> Fact:
    return Held(**_leg(m, base))


def _unhold(m: Message, base: _Base, _: Normalise) -> Fact:
    return Resumed(**_leg(m, base))


def _blind_transfer(m: Message, base: _Base, _: Normalise) -> Fact | None:
    if m["Result"] != "Success" or m["Extension"].startswith("*"):
        return None  # by a code he is parked, which is no transfer
    base["call_id"] = call_of(m["TransfererLinkedid"])
    return Transferred(**base, leg_id=m["TransfererUniqueid"], kind="blind", to=words(m["Extension"], 40))


def _attended_transfer(m: Message, base: _Base, _: Normalise) -> Fact | None:
    if m["Result"] != "Success":
        return None
    # The first of the two transferring legs is the one that was told to; that of the customer is the older call's.
    orig, second = call_of(m["OrigTransfererLinkedid"]), call_of(m["SecondTransfererLinkedid"])
    swapped = _age(second) < _age(orig)
    base["call_id"] = second if swapped else orig
    leg_id = m["SecondTransfererUniqueid"] if swapped else m["OrigTransfererUniqueid"]
    other = "Transferee" if swapped else "TransferTarget"
    to = agent_of(m.get(f"{other}Channel", "")) or words(m.get(f"{other}CallerIDNum", ""), 40)
    return Transferred(**base, leg_id=leg_id, kind="attended", to=to)


def _age(call_id: str) -> tuple[int, int]:
    """When a call came to be: ``tel-1795331879.2``, by the second and its number."""
    second, _, number = call_id.rpartition("-")[2].partition(".")
    return int(second), int(number)


# --- the queue --------------------------------------------------------------------------------------------------


def _queue_leg(m: Message, base: _Base) -> _Base:
    base["queue"] = words(m["Queue"], 40)
    return _leg(m, base)


def _queue_joined(m: Message, base: _Base, _: Normalise) -> Fact:
    return QueueJoined(**_queue_leg(m, base), position=int(m["Position"]))


def _abandoned(m: Message, base: _Base, _: Normalise) -> Fact:
    return QueueAbandoned(**_queue_leg(m, base), position=int(m["Position"]), wait_s=int(m["HoldTime"]))


def _offer(m: Message, base: _Base) -> _Base | None:
    """The agent's leg is the destination; None for a member who is no agent of ours."""
    agent = agent_of(m["Interface"])
    if agent is None:
        return None
    base |= {"call_id": call_of(m["Linkedid"]), "leg_id": m["DestUniqueid"]}
    base |= {"queue": words(m["Queue"], 40), "agent": agent}
    return base


def _called(m: Message, base: _Base, _: Normalise) -> Fact | None:
    offer = _offer(m, base)
    return None if offer is None else AgentRung(**offer, caller_leg_id=m["Uniqueid"])


def _no_answer(m: Message, base: _Base, _: Normalise) -> Fact | None:
    offer = _offer(m, base)
    return None if offer is None else AgentMissed(**offer, ring_ms=int(m["RingTime"]))  # ms here


def _connect(m: Message, base: _Base, _: Normalise) -> Fact | None:
    offer = _offer(m, base)
    if offer is None:
        return None
    return AgentAnswered(**offer, wait_s=int(m["HoldTime"]), ring_s=int(m["RingTime"]))  # s here


def _complete(m: Message, base: _Base, _: Normalise) -> Fact | None:
    if "Linkedid" not in m or "DestUniqueid" not in m:
        return None  # a busy switch had forgotten one of the channels; their hang-ups say the same
    offer = _offer(m, base)
    if offer is None:
        return None
    return AgentDone(**offer, wait_s=int(m["HoldTime"]), talk_s=int(m["TalkTime"]), reason=words(m["Reason"], 20))


def _paused(m: Message, base: _Base, _: Normalise) -> Fact | None:
    agent = agent_of(m["Interface"])
    if agent is None:
        return None
    reason = words(m["PausedReason"], 40)
    return MemberPaused(**base, agent=agent, queue=words(m["Queue"], 40), paused=m["Paused"] == "1", reason=reason)


# --- phones, and what our own dial plan and IVR say ----------------------------------------------------------------


def _device(m: Message, base: _Base, _: Normalise) -> PhoneSeen | None:
    """The device, not its contacts: of a phone that registers anew the old contact goes after the new one came."""
    agent = agent_of(m["Device"])
    return None if agent is None else PhoneSeen(**base, agent=agent, reachable=m["State"] not in _GONE)


def _user_event(m: Message, base: _Base, normalise: Normalise) -> Fact | None:
    tell = _USER.get(m["UserEvent"])
    return None if tell is None else tell(m, _leg(m, base), normalise)


def _ivr_step(m: Message, base: _Base, _: Normalise) -> Fact:
    return MenuStep(**base, flow=words(m["Flow"], 40), step=words(m["Step"], 80), heard=words(m["Heard"], 200))


def _ivr_done(m: Message, base: _Base, _: Normalise) -> Fact:
    base |= {"queue": words(m["Queue"], 40), "kind": words(m["Kind"], 12), "serial": words(m["Serial"], 40)}
    return MenuLeft(**base, flow=words(m["Flow"], 40))


def _recording(m: Message, base: _Base, _: Normalise) -> Fact:
    return RecordingStarted(**base, file=words(m["File"], 150))


def _queue_exit(m: Message, base: _Base, _: Normalise) -> Fact:
    return QueueExited(**base, queue=words(m["Queue"], 40), status=words(m["Status"], 20))


def _put_aside(m: Message, base: _Base, _: Normalise) -> Fact:
    return PutAside(**base, agent=words(m["Agent"], 10), why=words(m["Why"], 10))


def _dialled(m: Message, base: _Base, normalise: Normalise) -> Fact:
    number = words(m["Number"], 40)
    return Dialled(**base, number=normalise(number)[:40] or number)


def _handed_over(m: Message, base: _Base, _: Normalise) -> Fact:
    return Transferred(**base, kind="attended", to=words(m["To"], 40))


def _call_back(m: Message, base: _Base, normalise: Normalise) -> Fact:
    number = words(m["Number"], 40)
    return CallBackAsked(**base, queue=words(m["Queue"], 40), number=normalise(number)[:40])


def _kept(m: Message, base: _Base, _: Normalise) -> Fact:
    return CallerKept(**base)


def _line(m: Message, base: _Base, _: Normalise) -> Fact | None:
    """``ssrc=1;lp=0;rxjitter=0.000125;rxcount=250;…;rtt=0.020``: counted in packets, measured in seconds."""
    told = dict(part.split("=", 1) for part in words(m["Stats"], 600).split(";") if "=" in part)
    packets, lost = int(told["rxcount"]), max(0, int(told["lp"]))
    if not packets + lost:
        return None  # nothing was to come
    return LineMeasured(
        **base,
        by="switch",
        packets=packets,
        loss=round(lost / (packets + lost), 4),
        jitter_ms=round(float(told["rxjitter"]) * 1000, 1),
        rtt_ms=round(float(told["rtt"]) * 1000, 1),
    )


# --- what the switch answers when it is asked what it has ------------------------------------------------------------


def channel_seen(m: Message, switch: str, at: datetime, normalise: Normalise) -> tuple[LegStarted, bool, str]:
    """A CoreShowChannel: how it began, whether it is up, and the bridge it is in ("" for none)."""
    started = _leg_started(m, {"at": min(at, born_at(m["Uniqueid"]) or at), "switch": switch}, normalise)
    return started, m["ChannelState"] == UP, words(m["BridgeId"], 40)


def waiting_seen(m: Message, switch: str, at: datetime, call_id: str) -> QueueJoined:
    """A QueueEntry, which waits for so many seconds."""
    joined_at = at - timedelta(seconds=int(m["Wait"]))
    told = {"at": joined_at, "switch": switch, "call_id": call_id, "leg_id": m["Uniqueid"]}
    return QueueJoined(**told, queue=words(m["Queue"], 40), position=int(m["Position"]))


def device_seen(m: Message, switch: str, at: datetime) -> PhoneSeen | None:
    """An item of a DeviceStateList; None for what is no agent's phone."""
    return _device(m, {"at": at, "switch": switch}, phone.normalise)


_Tell = Callable[[Message, _Base, Normalise], Fact | None]

_USER: dict[str, _Tell] = {
    "IvrStep": _ivr_step,
    "IvrDone": _ivr_done,
    "Recording": _recording,
    "QueueExit": _queue_exit,
    "Dialled": _dialled,
    "PutAside": _put_aside,
    "HandedOver": _handed_over,
    "CallBack": _call_back,
    "Kept": _kept,
    "Line": _line,
}
_TELL: dict[str, _Tell] = {
    "Newchannel": _leg_started,
    "Newstate": _newstate,
    "Hangup": _hangup,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "Hold": _hold,
    "Unhold": _unhold,
    "BlindTransfer": _blind_transfer,
    "AttendedTransfer": _attended_transfer,
    "QueueCallerJoin": _queue_joined,
    "QueueCallerAbandon": _abandoned,
    "AgentCalled": _called,
    "AgentRingNoAnswer": _no_answer,
    "AgentConnect": _connect,
    "AgentComplete": _complete,
    "QueueMemberPause": _paused,
    "DeviceStateChange": _device,
    "UserEvent": _user_event,
}
WANTED = frozenset(_TELL)
"""The events that can tell a fact."""
