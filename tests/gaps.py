"""The busy minute told again with a gap in it: intake was gone, and came back to the switch's logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from callcenter import phone
from callcenter.database import Database
from callcenter.events import Fact
from callcenter.facts import AgentAnswered as Answered
from callcenter.facts import (
    BridgeEntered,
    BridgeLeft,
    Held,
    LegAnswered,
    LegEnded,
    LegStarted,
    PhoneSeen,
    QueueAbandoned,
    QueueExited,
    QueueJoined,
    Resumed,
)
from cti import logs, resync
from cti.projection import record
from cti.rows import Call
from tests.dumps import dump
from tests.recording import SWITCH, busy_minute

TIMES = timedelta(milliseconds=120)  # the log and the link stamp one happening a moment apart

Timeline = Sequence[tuple[str, Fact]]


@cache
def timeline() -> Timeline:
    """What was recorded, by whom, in the order it came."""
    minute = busy_minute()
    told = [("ami", fact) for fact in minute.heard] + list(minute.ours)
    return sorted(told, key=lambda one: one[1].at)


def quiet(after: datetime) -> datetime:
    """The first moment from then on around which nothing happens: log and link stamp one thing a moment apart."""
    at = after
    for _, fact in timeline():
        if fact.at > at + TIMES:
            break
        at = max(at, fact.at + TIMES)
    return at


def tell(database: Database, told: Timeline) -> None:
    """Each source's stretch in a transaction of its own."""
    with database.write() as db:
        stretch: list[Fact] = []
        source = ""
        for who, fact in told:
            if who != source and stretch:
                record(db, stretch, source)
                db.flush()
                stretch = []
            source = who
            stretch.append(fact)
        record(db, stretch, source)


@cache
def _lines() -> list[tuple[datetime, str, str]]:
    """Every line of both logs with the moment it was written."""
    minute = busy_minute()
    cel = [line for line in map(logs.cel_line, minute.cel) if line is not None]
    assert len(cel) == len(minute.cel)
    queue = [(text, logs.queue_line(text)) for text in minute.queue_log]
    telling = logs._Telling(cel, [line for _, line in queue if line is not None], logs.Known(), "zh")
    found = [(line.at, "cel.csv", text) for line, text in zip(cel, minute.cel, strict=True)]
    for text, line in queue:
        if line is not None:
            found.append((telling._place(line)[0], "queue_log", text))
    return found


def write_logs(folder: Path, until: datetime) -> resync.LogFiles:
    """The switch's logs as they stood then."""
    files = resync.LogFiles(folder, phone.normalise, "zh")
    for name, path in files.paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [text for at, file, text in _lines() if file == name and at <= until]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return files


def sight(at: datetime) -> resync.Sight:
    """What the switch had then, as CoreShowChannels and QueueStatus would say it."""
    channels: dict[str, tuple[LegStarted, bool, str]] = {}
    waiting: dict[str, QueueJoined] = {}
    phones: dict[str, PhoneSeen] = {}
    for fact in busy_minute().heard:
        if fact.at > at:
            continue
        leg_id = getattr(fact, "leg_id", "")
        match fact:
            case LegStarted():
                channels[leg_id] = (fact, False, "")
            case LegAnswered():
                channels[leg_id] = (channels[leg_id][0], True, channels[leg_id][2])
            case BridgeEntered():
                channels[leg_id] = (*channels[leg_id][:2], fact.bridge_id)
            case BridgeLeft():
                channels[leg_id] = (*channels[leg_id][:2], "")
            case LegEnded():
                channels.pop(leg_id, None)
                waiting.pop(leg_id, None)
            case QueueJoined():
                waiting[leg_id] = fact
            case QueueAbandoned() | QueueExited():
                waiting.pop(leg_id, None)
            case Answered():
                waiting.pop(fact.call_id or "", None)
            case PhoneSeen():
                phones[fact.agent] = fact
    seen = {leg_id: resync.Channel(*said) for leg_id, said in channels.items()}
    return resync.Sight(at, seen, list(waiting.values()), list(phones.values()))


def come_back(database: Database, folder: Path, at: datetime, read_at: datetime | None = None) -> None:
    """Intake is there again, and reads the logs a moment later than the link is up."""
    files = write_logs(folder, read_at or at)
    with database.write() as db:
        row = resync.switch_row(db, SWITCH)
        row.connected = True
        resync.catch_up(db, sight(at), SWITCH, None, (), files, at)


def copy(source: Database, to: Path | Database) -> Database:
    """A database of its own with the same rows; one that is there has had its day."""
    copied = to if isinstance(to, Database) else Database(f"sqlite:///{to}")
    here, there = source.engine.raw_connection(), copied.engine.raw_connection()
    try:
        here.driver_connection.backup(there.driver_connection)  # type: ignore[union-attr]
    finally:
        here.close()
        there.close()
    return copied


# --- comparing --------------------------------------------------------------------------------------------------------

SEEN = ("ringing", "talking")


def outcome(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What must be the same: every row of calls, and when agents rang and talked.

    What people chose in the gap is told when we are back; so the status of a spell, and where a wrap-up ended, may
    differ, and are left out.
    """
    rows = dump(database)
    spells: list[tuple[Any, ...]] = []
    for extension, start, end, _status, _reason, state, call_id, *_ in rows["spells"]:
        if state in SEEN:
            last = spells[-1] if spells else None
            if last is not None and (last[0], last[2], last[3], last[4]) == (extension, start, state, call_id):
                start = spells.pop()[1]
            spells.append((extension, start, end, state, call_id))
    rows["spells"] = spells
    rows["agents"] = [(row[0], row[9]) for row in rows["agents"]]
    return rows


Rows = dict[str, list[tuple[Any, ...]]]
_TALK_MS, _HOLD_MS, _HOLDS = (Call.__table__.columns.keys().index(name) for name in ("talk_ms", "hold_ms", "holds"))


def unheard(after: datetime, until: datetime) -> frozenset[str]:
    """The calls in which somebody went on hold, or off, while nobody listened: no log of the switch tells it."""
    facts = (fact for _, fact in timeline() if after <= fact.at <= until)
    return frozenset(fact.call_id or "" for fact in facts if isinstance(fact, Held | Resumed))


def blurred(rows: Rows, calls: frozenset[str]) -> Rows:
    """The same, but of these calls talk and hold are one."""
    found = dict(rows)
    found["segments"] = []
    for row in rows["segments"]:
        call_id, no, kind, queue, agent, begun, ended, outcome_ = row
        if call_id in calls:
            last = found["segments"][-1]
            no = last[1] + 1 if last[0] == call_id else 0
            kind = "talk" if kind == "hold" else kind
            if last[:1] + last[2:5] == (call_id, kind, queue, agent) and kind == "talk":
                _, no, _, _, _, begun, _, _ = found["segments"].pop()
        found["segments"].append((call_id, no, kind, queue, agent, begun, ended, outcome_))
    talks = [row for row in found["segments"] if row[2] == "talk" and row[6] is not None]
    found["calls"] = []
    for row in rows["calls"]:
        if row[0] in calls:
            both = list(row)
            length = sum(((talk[6] - talk[5]) for talk in talks if talk[0] == row[0]), timedelta())
            both[_TALK_MS], both[_HOLD_MS], both[_HOLDS] = length // timedelta(milliseconds=1), 0, 0
            row = tuple(both)
        found["calls"].append(row)
    return found


def differences(ours: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    found = []
    for table, rows in ours.items():
        if len(rows) != len(other[table]):
            found.append(f"{table}: {len(rows)} and {len(other[table])} rows")
        for one, two in zip(rows, other[table], strict=False):
            found += [f"{table} {one[0]}: {a!r} and {b!r}" for a, b in zip(one, two, strict=True) if not _same(a, b)]
    return found


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, datetime) and isinstance(two, datetime):
        return abs(one - two) <= TIMES
    if isinstance(one, int) and isinstance(two, int) and not isinstance(one, bool):
        return abs(one - two) <= (TIMES.total_seconds() * 1e6 if one > 10**12 else TIMES.total_seconds() * 1000)
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    return bool(one == two)
