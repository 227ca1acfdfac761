"""Every wait in a queue with what came of it, read from the rows; the ground under every figure of a queue.

A wait belongs to the moment the caller joined. What followed is its own whatever period is asked for: talk and hold
up to his next queue, the wrap-up behind them, the phones rung. So figures of parts add up to the figure of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, literal, select, type_coerce
from sqlalchemy.orm import Session

from callcenter.database import from_us, to_us
from cti.rows import Call, Offer, Segment, Spell


@dataclass(slots=True)
class Wait:
    """One caller in one queue, from joining to leaving. Times in microseconds."""

    call_id: str
    queue: str
    joined_us: int
    wait_us: int  # up to now while he waits
    outcome: str  # "" while he waits; answered, abandoned, timeout, exit …
    agent: str = ""  # who answered; whose talk, hold and wrap-up are told
    talk_us: int = 0
    hold_us: int = 0
    wrap_us: int = 0
    over: bool = True  # nothing of it goes on any more
    transferred: bool = False  # he was passed on afterwards; said once of a call, of its first answered wait
    taken: int = 0  # phones rung for him that were answered
    missed: int = 0  # phones rung for him that nobody answered
    ringing: int = 0

    @property
    def joined_at(self) -> datetime:
        return from_us(self.joined_us)

    @property
    def wait_s(self) -> float:
        return self.wait_us / 1_000_000

    @property
    def waiting(self) -> bool:
        return not self.outcome

    @property
    def answered(self) -> bool:
        return self.outcome == "answered"

    @property
    def abandoned(self) -> bool:
        return self.outcome == "abandoned"

    @property
    def left(self) -> bool:
        """Neither answered nor hung up: time-out, key, full, the switch restarted …"""
        return self.outcome not in ("", "answered", "abandoned")

    @property
    def settled(self) -> bool:
        """Nothing of it will change by itself."""
        return bool(self.outcome) and self.over and not self.ringing


def between(db: Session, start: datetime, end: datetime, now: datetime, queue: str | None = None) -> list[Wait]:
    """Who joined a queue from ``start`` up to ``end``, in the order of joining; ``queue`` keeps one queue's."""
    ask = db.connection().execute  # tuples, and no object for each: a day has tens of thousands
    of_call = _waits(ask(_segments(start, end)).all(), to_us(now))
    if not of_call:
        return []
    for call_id, name, agent, begun, ended in ask(_wrap_ups(start, end)).all():
        _wrap_up(of_call.get(call_id, ()), name or "", agent, begun, ended)
    for call_id, name, rung, outcome in ask(_offers(start, end)).all():
        _rung(of_call.get(call_id, ()), name, rung, outcome)
    for (call_id,) in ask(_transferred(start, end)):
        for wait in of_call.get(call_id, ()):
            if wait.outcome == "answered":
                wait.transferred = True
                break
    first, last = to_us(start), to_us(end)
    found = [w for waits in of_call.values() for w in waits if first <= w.joined_us < last]
    if queue is not None:
        found = [wait for wait in found if wait.queue == queue]
    return sorted(found, key=_ORDER)


_ORDER = attrgetter("joined_us", "call_id")


def _waits(rows: Iterable[Any], now_us: int) -> dict[str, list[Wait]]:
    """Each call's waits from its segments, in order."""
    found: dict[str, list[Wait]] = {}
    call_id, waits, wait = "", [], None  # type: str, list[Wait], Wait | None
    for whose, kind, queue, agent, begun, ended, outcome in rows:
        if whose != call_id:
            call_id, wait = whose, None
            waits = found[call_id] = []
        # While it goes on: never less than nothing, the switch's clock may be ahead of ours.
        length = max(0, now_us - begun) if ended is None else ended - begun
        if kind == "queue":
            wait = Wait(call_id, queue or "", begun, length, "" if ended is None else outcome or "other")
            waits.append(wait)
        elif wait is not None and wait.outcome == "answered" and queue == wait.queue:
            wait.agent = agent or wait.agent
            if ended is None:
                wait.over = False
            if kind == "talk":
                wait.talk_us += length
            elif kind == "hold":
                wait.hold_us += length
    return found


def _wrap_up(waits: Sequence[Wait], queue: str, agent: str, begun: int, ended: int | None) -> None:
    """To the last answered wait in this queue before it, if who answered it wraps up: of whom a customer is sent on to
    neither talk nor wrap-up is the queue's."""
    for wait in reversed(waits):
        if wait.outcome == "answered" and wait.queue == queue and wait.joined_us <= begun:
            if wait.agent not in ("", agent):
                return
            if ended is None:
                wait.over = False
            else:
                wait.wrap_us += ended - begun
            return


def _rung(waits: Sequence[Wait], queue: str, rung: int, outcome: str) -> None:
    for wait in reversed(waits):
        if wait.joined_us <= rung:
            break
    else:
        return
    if wait.queue != queue:
        return
    if outcome == "answered":
        wait.taken += 1
    elif outcome == "missed":
        wait.missed += 1
    elif not outcome:
        wait.ringing += 1


# Literals, not parameters: a database uses a partial index only for a condition it can read.
def _said(word: str) -> ColumnElement[str]:
    return literal(word, literal_execute=True)


def _us(column: Any) -> Any:
    """The bare microseconds; a datetime of each row would cost more than reading it."""
    return type_coerce(column, BigInteger)


def _joined(start: datetime, end: datetime) -> Select[Any]:
    """The calls that joined a queue then."""
    return select(Segment.call_id).where(
        Segment.kind == _said("queue"), Segment.started_at >= start, Segment.started_at < end
    )


def _segments(start: datetime, end: datetime) -> Select[Any]:
    columns = (
        Segment.call_id,
        Segment.kind,
        Segment.queue,
        Segment.agent,
        _us(Segment.started_at),
        _us(Segment.ended_at),
        Segment.outcome,
    )
    wanted = Segment.kind.in_(("queue", "talk", "hold"))
    return (
        select(*columns).where(wanted, Segment.call_id.in_(_joined(start, end))).order_by(Segment.call_id, Segment.no)
    )


def _wrap_ups(start: datetime, end: datetime) -> Select[Any]:
    return select(Spell.call_id, Spell.queue, Spell.extension, _us(Spell.started_at), _us(Spell.ended_at)).where(
        Spell.state == _said("wrap_up"), Spell.call_id.in_(_joined(start, end))
    )


def _offers(start: datetime, end: datetime) -> Select[Any]:
    return select(Offer.call_id, Offer.queue, _us(Offer.rung_at), Offer.outcome).where(
        Offer.call_id.in_(_joined(start, end))
    )


def _transferred(start: datetime, end: datetime) -> Select[Any]:
    return select(Call.call_id).where(Call.transfers > 0, Call.call_id.in_(_joined(start, end)))
