"""Double-entry: what our rows say of a day, held against what the switch wrote down itself, call by call.

One side are the projections of the ledger. The other are CEL (legs, transfers), queue_log (waits, talks, misses), the
recordings on disk and, where it is given, the carrier's own record of calls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from callcenter.ledger import LedgerRow
from cti import tail
from cti.logs import CelLine, QueueLine, cel_line, each_once
from cti.resync import LogFiles
from cti.rows import Call, Leg, Offer, Segment
from recordings import sound
from recordings.rows import Recording
from reports.periods import Period

NEAR = timedelta(seconds=2)  # two clocks, and queue_log's whole seconds
AROUND = timedelta(hours=6)  # calls that pass midnight are read to their end
FRESH = timedelta(seconds=5)  # what has only just ended may still be on its way
WRITTEN_WITHIN = timedelta(minutes=2)  # a recording is joined and put on record this soon

CUT = "shorter than the call: a full disk, or sound that never came"
UNWRITTEN_MS = 2200  # sound that a switch has in its buffers, and takes with it when it dies


@dataclass(frozen=True)
class Gap:
    """When the switch was not seen, from and to, and whether it died meanwhile."""

    lost_at: datetime
    found_at: datetime
    restarted: bool = False


Gaps = list[Gap]


@dataclass(frozen=True)
class Difference:
    """One thing the two sides tell differently; empty is nothing."""

    call_id: str
    what: str
    ours: str
    theirs: str
    cause: str


@dataclass
class Account:
    """The outcome: how much was compared, and all that differs."""

    calls: int = 0
    waits: int = 0
    recordings: int = 0
    differences: list[Difference] = field(default_factory=list)

    def differs(self, call_id: str, what: str, ours: object, theirs: object, cause: str) -> None:
        self.differences.append(Difference(call_id, what, _said(ours), _said(theirs), cause))


@dataclass
class Theirs:
    """One call as the switch's logs have it."""

    call_id: str
    started_at: datetime
    legs: dict[str, tuple[datetime, datetime | None, datetime | None]] = field(default_factory=dict)  # begun, up, gone
    transfers: int = 0
    recorded: bool = False
    ended_at: datetime | None = None
    waits: list[tuple[datetime, str, str, str]] = field(default_factory=list)  # joined, queue, outcome, agent
    talks: list[tuple[str, int]] = field(default_factory=list)  # agent, seconds
    misses: Counter[str] = field(default_factory=Counter)  # by agent
    set_back: str = ""  # that the switch's clock was, while the call went on


def reconcile(
    db: Session, files: LogFiles, recordings: Path, switch: str, period: Period, now: datetime, tolerance_ms: int = 1500
) -> Account:
    """The calls that began in the period and are over, on both sides."""
    account = Account()
    since, gaps = _watch(db, switch)
    period = Period(max(period.start, since or period.end), period.end)
    lines = _cel(files, period)
    theirs = _theirs(lines, _queue_log(files, period))
    logged_from = min((line.at for line in lines), default=period.end)
    ours = calls_of(db, switch, period)
    rows = _Rows.load(db, switch, period)
    settled = now - FRESH
    for call_id in sorted(ours.keys() | theirs.keys()):
        mine, their = ours.get(call_id), theirs.get(call_id)
        began_at = their.started_at if their is not None else mine.started_at if mine is not None else now
        if began_at not in period:
            continue
        ends = (mine.ended_at if mine is not None else None, their.ended_at if their is not None else None)
        over = [at for at in ends if at is not None]
        if not over or max(over) > settled:
            continue
        account.calls += 1
        known = len(account.differences)
        if mine is None:
            account.differs(call_id, "call", "", began_at, f"never told{_gap(gaps, began_at)}")
        elif their is None:
            lost = "the logs begin later" if mine.started_at < logged_from else "the switch did not write it down"
            account.differs(call_id, "call", mine.started_at, "", lost)
        else:
            _legs(rows.legs[call_id], account, mine, their, gaps)
            _queues(rows, account, mine, their, gaps)
            if their.recorded and not mine.recording:
                account.differs(call_id, "recording", "", "begun", f"never told{_gap(gaps, began_at)}")
            if mine.transfers != their.transfers:
                account.differs(call_id, "transfers", mine.transfers, their.transfers, _gap(gaps, began_at))
        if their is not None and their.set_back:
            news = account.differences[known:]
            account.differences[known:] = [replace(one, cause=one.cause + their.set_back) for one in news]
    _recordings(db, account, ours, recordings, period, now, tolerance_ms, gaps)
    return account


# --- our side -----------------------------------------------------------------------------------------------------


def _watch(db: Session, switch: str) -> tuple[datetime | None, Gaps]:
    """Since when we watch this switch, and when we did not see it."""
    kinds = ("SwitchLost", "SwitchFound")
    rows = select(LedgerRow.at, LedgerRow.type, LedgerRow.payload).where(
        LedgerRow.switch == switch, LedgerRow.type.in_(kinds)
    )
    since, lost_at, gaps = None, None, []
    for at, kind, said in db.execute(rows.order_by(LedgerRow.seq)):
        if kind == "SwitchLost":
            lost_at = at
        else:
            since = since or at
            if lost_at is not None:
                gaps.append(Gap(lost_at, at, said["restarted"]))
    return since, gaps


def _gap(gaps: Gaps, at: datetime) -> str:
    """Whether this was in a time, or close to one, when the switch was not seen."""
    for gap in gaps:
        if gap.lost_at - NEAR <= at <= gap.found_at + NEAR:
            died = " and the switch died" if gap.restarted else ""
            return f", the link was down from {gap.lost_at:%H:%M:%S} to {gap.found_at:%H:%M:%S} UTC{died}"
    return ""


def calls_of(db: Session, switch: str, period: Period) -> dict[str, Call]:
    """The calls of this switch, without those of a demonstration."""
    made_up = select(LedgerRow.call_id).where(
        LedgerRow.source == "demo",
        LedgerRow.call_id.is_not(None),  # of an agent's day: in nothing with a NULL in it SQL finds nothing
        LedgerRow.at >= period.start - AROUND,
        LedgerRow.at < period.end,
    )
    calls = select(Call).where(_begun(switch, period))
    return {call.call_id: call for call in db.scalars(calls.where(Call.call_id.not_in(made_up)))}


@dataclass
class _Rows:
    """What belongs to the calls, by call."""

    legs: dict[str, list[Leg]] = field(default_factory=lambda: defaultdict(list))
    segments: dict[str, list[Segment]] = field(default_factory=lambda: defaultdict(list))
    offers: dict[str, list[Offer]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def load(cls, db: Session, switch: str, period: Period) -> _Rows:
        rows = cls()
        theirs = select(Call.call_id).where(_begun(switch, period))
        for leg in db.scalars(select(Leg).where(Leg.call_id.in_(theirs))):
            rows.legs[leg.call_id].append(leg)
        for segment in db.scalars(select(Segment).where(Segment.call_id.in_(theirs))):
            rows.segments[segment.call_id].append(segment)
        for offer in db.scalars(select(Offer).where(Offer.call_id.in_(theirs))):
            rows.offers[offer.call_id].append(offer)
        return rows


def _begun(switch: str, period: Period) -> ColumnElement[bool]:
    began_in = Call.started_at.between(period.start - NEAR, period.end + NEAR)
    return and_(Call.switch == switch, began_in)


# --- their side -----------------------------------------------------------------------------------------------------


def _cel(files: LogFiles, period: Period) -> list[CelLine]:
    lines = (cel_line(text) for text in dict.fromkeys(tail.whole(files.paths["cel.csv"])))
    return [line for line in lines if line is not None and period.start <= line.at < period.end + AROUND]


def _queue_log(files: LogFiles, period: Period) -> list[QueueLine]:
    lines = each_once(tail.whole(files.paths["queue_log"]))
    return [line for line in lines if period.start - NEAR <= line.at < period.end + AROUND]


def _theirs(cel: Iterable[CelLine], queue_log: Iterable[QueueLine]) -> dict[str, Theirs]:
    calls: dict[str, Theirs] = {}
    call_of: dict[str, str] = {}
    before: datetime | None = None
    for line in cel:
        if before is not None and line.at < before - NEAR:  # it writes down things as they happen
            for one in calls.values():
                if one.ended_at is None:
                    one.set_back = f", its clock was set back from {before:%H:%M:%S} to {line.at:%H:%M:%S} UTC"
        before = line.at
        call_of[line.leg_id] = line.call_id
        call = calls.get(line.call_id)
        if call is None:
            if line.kind != "CHAN_START":
                continue  # it began before
            call = calls[line.call_id] = Theirs(line.call_id, line.at)
        begun, up, gone = call.legs.get(line.leg_id) or _moved(calls, line) or (line.at, None, None)
        match line.kind:
            case "ANSWER":
                up = up or line.at
            case "CHAN_END":
                gone = line.at
            case "BLINDTRANSFER":
                call.transfers += 1
            case "ATTENDEDTRANSFER":
                other = calls.get(call_of.get(line.extra.get("channel2_uniqueid", ""), ""), call)
                min(call, other, key=lambda one: one.started_at).transfers += 1
            case "LINKEDID_END":
                call.ended_at = line.at
            case "APP_START" if line.app == "MixMonitor":
                call.recorded = True
        call.legs[line.leg_id] = (begun, up, gone)
    for entry in queue_log:
        _enter(calls.get(call_of.get(entry.leg_id, "")), entry)
    return calls


def _moved(calls: Mapping[str, Theirs], line: CelLine) -> tuple[datetime, datetime | None, datetime | None] | None:
    """A leg that a transfer brought from another call leaves that one."""
    for call in calls.values() if line.kind != "CHAN_START" else ():
        if line.leg_id in call.legs:
            return call.legs.pop(line.leg_id)
    return None


_LEFT = {
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timeout",
    "EXITEMPTY": "leaveempty",
    "EXITWITHKEY": "key",
    "CONNECT": "answered",
}


def _enter(call: Theirs | None, line: QueueLine) -> None:
    if call is None:
        return
    if line.verb == "ENTERQUEUE":
        call.waits.append((line.at, line.queue, "", ""))
    elif line.verb in _LEFT and call.waits:
        joined_at, queue, *_ = call.waits[-1]
        agent = line.agent if line.verb == "CONNECT" else ""
        call.waits[-1] = (joined_at, queue, _LEFT[line.verb], agent)
    elif line.verb.startswith("COMPLETE"):
        call.talks.append((line.agent, int(line.data[1])))
    elif line.verb in ("BLINDTRANSFER", "ATTENDEDTRANSFER"):
        call.talks.append((line.agent, int(line.data[-2])))
    elif line.verb == "RINGNOANSWER":
        call.misses[line.agent] += 1


# --- call by call ---------------------------------------------------------------------------------------------------


def _legs(found: Sequence[Leg], account: Account, mine: Call, their: Theirs, gaps: Gaps) -> None:
    rows = {leg.leg_id: leg for leg in found}
    for leg_id in sorted(rows.keys() | their.legs.keys()):
        leg, told = rows.get(leg_id), their.legs.get(leg_id)
        if leg is None or told is None:
            at = told[0] if told is not None else mine.started_at
            what = f"leg {leg_id}"
            account.differs(
                mine.call_id, what, leg and leg.channel, told and told[0], f"on one side only{_gap(gaps, at)}"
            )
            continue
        begun, up, gone = told
        for what, ours, theirs in (
            ("began", leg.started_at, begun),
            ("answered", leg.answered_at, up),
            ("ended", leg.ended_at, gone),
        ):
            if theirs is None and what == "ended":
                continue  # its switch died: nobody wrote down its end
            if (ours is None) != (theirs is None) or (ours and theirs and abs(ours - theirs) > NEAR):
                cause = "not heard" if what == "ended" and leg.cause == 0 else "told otherwise"
                account.differs(mine.call_id, f"leg {leg_id} {what}", ours, theirs, cause + _gap(gaps, begun))
    if mine.ended_at is None:
        account.differs(
            mine.call_id, "end", "", their.ended_at, f"never told{_gap(gaps, their.ended_at or mine.started_at)}"
        )


def _queues(found: _Rows, account: Account, mine: Call, their: Theirs, gaps: Gaps) -> None:
    rows = sorted(found.segments[mine.call_id], key=lambda row: row.no)
    waits = [row for row in rows if row.kind == "queue"]
    account.waits += max(len(waits), len(their.waits))
    why = _gap(gaps, mine.joined_at or mine.started_at)
    if len(waits) != len(their.waits):
        account.differs(mine.call_id, "times queued", len(waits), len(their.waits), f"counted otherwise{why}")
    else:
        for row, (joined_at, queue, outcome, _agent) in zip(waits, their.waits, strict=True):
            if row.queue != queue or (outcome and row.outcome != outcome):
                ours, theirs = f"{row.queue} {row.outcome}", f"{queue} {outcome}"
                account.differs(mine.call_id, "wait", ours, theirs, f"counted otherwise{why}")
            if not -NEAR <= row.started_at - joined_at <= NEAR + timedelta(seconds=1):
                account.differs(mine.call_id, "joined", row.started_at, joined_at, f"told otherwise{why}")
    talked: dict[str, float] = defaultdict(float)
    given_back = False  # after his agent's phone came back it is no queue that connects him: queue_log tells nothing
    for row in rows:
        given_back = row.kind != "queue" and (given_back or row.kind == "kept")
        if given_back:
            continue
        if row.kind in ("talk", "hold") and row.queue and row.agent and row.ended_at:
            talked[row.agent] += (row.ended_at - row.started_at).total_seconds()
    wrote: dict[str, float] = defaultdict(float)
    for agent, seconds in their.talks:
        wrote[agent] += seconds
    for agent in sorted(talked.keys() | wrote.keys()):
        if agent in wrote and abs(talked[agent] - wrote[agent]) > NEAR.total_seconds():
            account.differs(
                mine.call_id,
                f"talk of {agent}",
                f"{talked[agent]:.1f} s",
                f"{wrote[agent]:.0f} s",
                f"measured otherwise{why}",
            )
    offers = found.offers[mine.call_id]
    misses = Counter(offer.agent for offer in offers if offer.outcome == "missed")
    cancelled = Counter(offer.agent for offer in offers if offer.outcome == "cancelled")
    for agent in sorted(misses.keys() | their.misses.keys()):
        # The switch also calls it unanswered where the caller's own time was over; we call that cancelled.
        if not misses[agent] <= their.misses[agent] <= misses[agent] + cancelled[agent]:
            account.differs(
                mine.call_id, f"missed by {agent}", misses[agent], their.misses[agent], f"counted otherwise{why}"
            )


# --- recordings -----------------------------------------------------------------------------------------------------


def _recordings(
    db: Session,
    account: Account,
    calls: Mapping[str, Call],
    folder: Path,
    period: Period,
    now: datetime,
    tolerance_ms: int,
    gaps: Gaps,
) -> None:
    deaths = [gap for gap in gaps if gap.restarted]
    rows = {row.call_id: row for row in db.scalars(select(Recording).where(Recording.call_id.in_(calls)))}
    for call in calls.values():
        if not call.recording or call.ended_at is None or call.started_at not in period:
            continue
        if call.ended_at > now - WRITTEN_WITHIN and call.call_id not in rows:
            continue
        account.recordings += 1
        row = rows.get(call.call_id)
        if row is None:
            account.differs(
                call.call_id, "recording", call.recording, "", "not on record: the worker has not come to it"
            )
            continue
        path = folder / row.file
        died = any(gap.lost_at - NEAR <= call.ended_at <= gap.found_at for gap in deaths)
        least_ms = row.expected_ms - tolerance_ms - (UNWRITTEN_MS if died else 0)
        if row.state == "missing" and least_ms <= 0:
            continue  # he hung up, or the switch died, in the moment it was to begin
        if row.state == "missing" or not path.is_file():
            account.differs(call.call_id, "recording", row.file, "", "there is no such file")
        elif (length_ms := sound.length_ms(path)) < least_ms:
            ours, theirs = f"{row.expected_ms / 1000:.1f} s", f"{length_ms / 1000:.1f} s"
            account.differs(call.call_id, "recording", ours, theirs, CUT)
        elif path.stat().st_size != row.bytes:
            account.differs(
                call.call_id, "recording", row.bytes, path.stat().st_size, "changed since it was put on record"
            )


def _said(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else str(value)
