"""After every connect: what happened unseen, from the switch's own logs, and then what it has now; told as facts.

The logs tell it with its real times. What they do not tell either is not guessed: a call that is gone ended
"unseen", or was lost with its switch.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import ledger
from callcenter.events import Event, Fact
from callcenter.facts import (
    BridgeEntered,
    BridgeLeft,
    LegAnswered,
    LegEnded,
    LegStarted,
    PhoneSeen,
    QueueJoined,
    SwitchFound,
    SwitchLost,
)
from cti import logs, tail
from cti.ami import Door
from cti.projection import recognise, record
from cti.queues_now import WAITING
from cti.rows import Call, Leg, LogRow, Offer, SwitchRow
from cti.translate import Normalise, channel_seen, device_seen, waiting_seen

SAME_BOOT = timedelta(seconds=1)  # the switch tells its start to the second
_UNSURE = timedelta(seconds=5)  # before the link told again; what was heard then may not be recorded yet
_TOLD_BEFORE = timedelta(minutes=5)  # what is older than the gap by this needs no second look

log = logging.getLogger(__name__)


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
    channels = await channels_of(door, switch, at, normalise)
    entries = [m for m in await door.ask_list("QueueStatus") if m["Event"] == "QueueEntry"]
    waiting = [
        waiting_seen(m, switch, at, channels[m["Uniqueid"]].started.call_id or "")
        for m in entries
        if m["Uniqueid"] in channels
    ]
    phones = [device_seen(m, switch, at) for m in await door.ask_list("DeviceStateList")]
    return Sight(at, channels, waiting, [phone for phone in phones if phone is not None])


async def channels_of(door: Door, switch: str, at: datetime, normalise: Normalise) -> dict[str, Channel]:
    """The switch's channels, by leg. Raises as the door does."""
    seen = [channel_seen(m, switch, at, normalise) for m in await door.ask_list("CoreShowChannels")]
    return {started.leg_id: Channel(started, up, bridge_id) for started, up, bridge_id in seen}


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
        if entry.leg_id not in told and (call is None or call.state not in WAITING or call.queue != entry.queue):
            facts.append(entry)
    for channel in here:
        row = legs.get(channel.started.leg_id)
        if channel.bridge_id and (row is None or row.bridge != channel.bridge_id):
            facts.append(BridgeEntered(at=sight.at, **_leg(channel), bridge_id=channel.bridge_id))
        elif row is not None and row.bridge and not channel.bridge_id:
            facts.append(BridgeLeft(at=sight.at, **_leg(channel), bridge_id=row.bridge))
    return [*facts, *sight.phones]


def _leg(channel: Channel) -> dict[str, str]:
    started = channel.started
    return {"switch": started.switch, "call_id": started.call_id or "", "leg_id": started.leg_id}


@dataclass(frozen=True)
class LogFiles:
    """Where a switch on this machine writes its logs, and what it says of who speaks which language."""

    folder: Path
    normalise: Normalise
    language: str

    @property
    def paths(self) -> dict[str, Path]:
        return {"queue_log": self.folder / "queue_log", "cel.csv": self.folder / "cel-custom" / "cel.csv"}


@dataclass
class Gap:
    """What was caught up, for whoever records what the switch tells next."""

    events: list[Event]
    told: list[Fact]  # from the logs, of the last moments: AMI may tell it again


def catch_up(
    db: Session,
    sight: Sight,
    switch: str,
    booted_at: datetime | None,
    told: Collection[str],
    files: LogFiles | None = None,
    until: datetime | None = None,
    waiting: Iterable[Fact] = (),
) -> Gap:
    """Record what happened up to ``until`` and what is true now, and bring the switch's row up to date.

    ``waiting``: facts heard over the link that are recorded after this. The caller commits.
    """
    row = switch_row(db, switch)
    restarted = bool(row.booted_at and booted_at and abs(booted_at - row.booted_at) > SAME_BOOT)
    lost_at = row.since
    gap = Gap([], [])
    if row.connected or row.since is None:  # we, not the link, were gone: nobody told of it
        lost_at = ledger.last_at(db, switch)
        if lost_at is not None:
            gap.events += record(db, [SwitchLost(at=lost_at, switch=switch)], "resync")
    if files is not None:
        until = until or sight.at
        found = [fact for fact in _unseen(db, switch, files, sight.at, lost_at, until) if fact.at <= until]
        last_at = max((fact.at for fact in found if booted_at and fact.at < booted_at), default=lost_at)
        if lost_at is not None and last_at is not None:
            lost_at = max(lost_at, last_at)
        new = logs.Told([*_recent(db, switch, found), *waiting]).new(found)
        gap.events += record(db, recognise(db, new), logs.source_of)
        gap.told = [fact for fact in new if fact.at >= until - logs.NEAR]
        log.info("resync: %s lines of the logs told %s facts that were not heard", len(found), len(new))
        db.flush()
    facts: list[Fact] = [SwitchFound(at=sight.at, switch=switch, restarted=restarted)]
    calls, legs = _live(db, switch)
    gone_at, how = (lost_at or sight.at, "lost") if restarted else (sight.at, "unseen")
    facts += differences(sight, legs, calls, told, gone_at, how)
    gap.events += record(db, recognise(db, facts), "resync")
    row.connected, row.since, row.booted_at, row.detail = True, sight.at, booted_at or row.booted_at, ""
    return gap


def _live(db: Session, switch: str) -> tuple[dict[str, Call], dict[str, Leg]]:
    mine = select(Call).where(Call.ended_at.is_(None), Call.switch == switch)
    calls = {call.call_id: call for call in db.scalars(mine)}
    live = select(Leg).where(Leg.call_id.in_(calls), Leg.ended_at.is_(None)).order_by(Leg.started_at, Leg.leg_id)
    return calls, {leg.leg_id: leg for leg in db.scalars(live)}


# --- the logs -------------------------------------------------------------------------------------------------------


def _unseen(
    db: Session, switch: str, files: LogFiles, at: datetime, lost_at: datetime | None, until: datetime
) -> list[Fact]:
    """The facts of the lines that were written since the logs were read last; none at the very first look.

    Lines from about ``until`` on are read again next time: the link tells the same, but not if we die before it is
    recorded.
    """
    surely_told = until - _UNSURE
    lines: dict[str, list[str]] = {}
    for name, path in files.paths.items():
        row = db.get(LogRow, (switch, name))
        try:
            if row is None and lost_at is None:
                lines[name], place = [], tail.end(path)  # what was before us is not ours
            else:
                lines[name], read = tail.read(path, tail.Place(row.inode, row.offset) if row else None)
                place = read and tail.back(path, read, partial(_written_after, surely_told))
        except OSError as fault:
            log.warning("resync: %s cannot be read, what it tells is missing: %s", path, fault.strerror)
            lines[name], place = [], None
        if place is not None:
            _put(db, switch, name, place, at)
    known = _known(db, switch)
    found = logs.facts(lines["queue_log"], lines["cel.csv"], switch, known, files.normalise, files.language)
    since = None if lost_at is None else lost_at - _TOLD_BEFORE
    return [fact for fact in found if since is None or fact.at >= since]


def _written_after(moment: datetime, text: str) -> bool:
    """Whether a line of either log tells of a later moment; what cannot be read does not stand in the way."""
    line = logs.cel_line(text) or logs.queue_line(text)
    return line is None or line.at > moment


def _known(db: Session, switch: str) -> logs.Known:
    calls, legs = _live(db, switch)
    taken = select(Offer.call_id, Offer.leg_id).where(Offer.call_id.in_(calls), Offer.outcome == "answered")
    return logs.Known(
        calls={leg.leg_id: leg.call_id for leg in legs.values()},
        agents={leg.leg_id: leg.agent for leg in legs.values() if leg.agent},
        waiting={
            call.call_id: (call.queue, call.call_id) for call in calls.values() if call.state in WAITING and call.queue
        },
        answered={row.call_id: row.leg_id for row in db.execute(taken.order_by(Offer.rung_at))},
    )


def _recent(db: Session, switch: str, found: Sequence[Fact]) -> list[Fact]:
    """What the ledger tells of the time of these facts."""
    if not found:
        return []
    rows = select(ledger.LedgerRow).where(
        ledger.LedgerRow.at >= min(fact.at for fact in found) - logs.NEAR,
        ledger.LedgerRow.at <= max(fact.at for fact in found) + logs.NEAR,
        ledger.LedgerRow.switch == switch,
        ledger.LedgerRow.type.in_({type(fact).__name__ for fact in found}),
    )
    return [ledger.as_fact(row) for row in db.scalars(rows)]


def note_ends(db: Session, switch: str, ends: Mapping[str, tail.Place], at: datetime) -> None:
    """What stands before these places is told: the next look begins there."""
    for name, place in ends.items():
        _put(db, switch, name, place, at)


def _put(db: Session, switch: str, name: str, place: tail.Place, at: datetime) -> None:
    db.merge(LogRow(switch=switch, file=name, inode=place.inode, offset=place.offset, read_at=at))


# --- the switch's row -------------------------------------------------------------------------------------------------


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
