"""After every connect: what the switch has now, compared with our rows; the difference is told as facts.

What happened while nobody looked is not guessed: a call that is gone ended "unseen", or was lost with its switch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import ledger
from callcenter.events import (
    BridgeEntered,
    Fact,
    LegAnswered,
    LegEnded,
    LegStarted,
    PhoneSeen,
    QueueJoined,
    SwitchFound,
    SwitchLost,
)
from cti.ami import Door
from cti.rows import Call, Leg, SwitchRow
from cti.translate import Normalise, channel_seen, device_seen, waiting_seen

SAME_BOOT = timedelta(seconds=3)  # the switch tells its start to the second
_WAITING = ("waiting", "ringing")


@dataclass(frozen=True)
class Channel:
    """A channel as it is now."""

    started: LegStarted
    up: bool
    bridge_id: str  # empty: in none


@dataclass(frozen=True)
class Sight:
    """What the switch had when it was asked."""

    at: datetime
    channels: Mapping[str, Channel]  # by leg
    waiting: Sequence[QueueJoined]  # since when, as ``at``
    phones: Sequence[PhoneSeen]


async def look(door: Door, switch: str, at: datetime, normalise: Normalise) -> Sight:
    """Ask the switch. Raises as the door does."""
    seen = [channel_seen(m, switch, at, normalise) for m in await door.ask_list("CoreShowChannels")]
    channels = {started.leg_id: Channel(started, up, bridge_id) for started, up, bridge_id in seen}
    entries = [m for m in await door.ask_list("QueueStatus") if m["Event"] == "QueueEntry"]
    waiting = [
        waiting_seen(m, switch, at, channels[m["Uniqueid"]].started.call_id or "")
        for m in entries
        if m["Uniqueid"] in channels
    ]
    phones = [device_seen(m, switch, at) for m in await door.ask_list("DeviceStateList")]
    return Sight(at, channels, waiting, [phone for phone in phones if phone is not None])


def differences(
    sight: Sight, legs: Mapping[str, Leg], calls: Mapping[str, Call], told: Collection[str], gone_at: datetime, how: str
) -> list[Fact]:
    """The facts that bring our live legs and calls to what was seen.

    ``told``: the legs whose beginning or end waits in the inbox; it will be told exactly. Legs that are gone ended at
    ``gone_at``; ``how`` is unseen or lost.
    """
    facts: list[Fact] = []
    for leg in legs.values():
        if leg.leg_id not in sight.channels and leg.leg_id not in told:
            switch = calls[leg.call_id].switch
            facts.append(LegEnded(at=gone_at, switch=switch, call_id=leg.call_id, leg_id=leg.leg_id, cause=0, how=how))
    here = [channel for leg_id, channel in sight.channels.items() if leg_id not in told]
    here.sort(key=lambda channel: (channel.started.leg_id != channel.started.call_id, channel.started.at))
    facts += [channel.started for channel in here if channel.started.leg_id not in legs]
    for channel in here:
        row = legs.get(channel.started.leg_id)
        if channel.up and (row is None or row.answered_at is None):
            facts.append(LegAnswered(at=sight.at, **_leg(channel)))
    for entry in sight.waiting:
        call = calls.get(entry.call_id or "")
        if entry.leg_id not in told and (call is None or call.state not in _WAITING or call.queue != entry.queue):
            facts.append(entry)
    for channel in here:
        row = legs.get(channel.started.leg_id)
        if channel.bridge_id and (row is None or row.bridge != channel.bridge_id):
            facts.append(BridgeEntered(at=sight.at, **_leg(channel), bridge_id=channel.bridge_id))
    return [*facts, *sight.phones]


def _leg(channel: Channel) -> dict[str, str]:
    started = channel.started
    return {"switch": started.switch, "call_id": started.call_id or "", "leg_id": started.leg_id}


def catch_up(db: Session, sight: Sight, switch: str, booted_at: datetime | None, told: Collection[str]) -> list[Fact]:
    """Everything to record after a connect, and the switch's row brought up to date; the caller records and commits."""
    row = switch_row(db, switch)
    restarted = bool(row.booted_at and booted_at and abs(booted_at - row.booted_at) > SAME_BOOT)
    facts: list[Fact] = []
    lost_at = row.since
    if row.connected or row.since is None:  # we, not the link, were gone: nobody told of it
        lost_at = ledger.last_at(db, switch)
        if lost_at is not None:
            facts.append(SwitchLost(at=lost_at, switch=switch))
    facts.append(SwitchFound(at=sight.at, switch=switch, restarted=restarted))
    mine = select(Call).where(Call.ended_at.is_(None), Call.switch == switch)
    calls = {call.call_id: call for call in db.scalars(mine)}
    live = select(Leg).where(Leg.call_id.in_(calls), Leg.ended_at.is_(None)).order_by(Leg.started_at, Leg.leg_id)
    legs = {leg.leg_id: leg for leg in db.scalars(live)}
    gone_at, how = (lost_at or sight.at, "lost") if restarted else (sight.at, "unseen")
    facts += differences(sight, legs, calls, told, gone_at, how)
    row.connected, row.since, row.booted_at, row.detail = True, sight.at, booted_at or row.booted_at, ""
    return facts


def losing(db: Session, switch: str, at: datetime, why: str) -> list[Fact]:
    """The link broke: the switch's row says so, and a fact if it stood until now."""
    row = switch_row(db, switch)
    stood = row.connected
    if stood or row.since is None:
        row.since = at
    row.connected, row.detail = False, why[:200]
    return [SwitchLost(at=at, switch=switch)] if stood else []


def switch_row(db: Session, switch: str) -> SwitchRow:
    row = db.get(SwitchRow, switch)
    if row is None:
        row = SwitchRow(name=switch, connected=False, since=None, booted_at=None, detail="")
        db.add(row)
        db.flush()
    return row
