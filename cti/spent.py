"""How agents spent a stretch of time, from their spells, holds and offers."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, func, literal, select, type_coerce, union
from sqlalchemy.orm import Session

from callcenter.database import to_us
from config.people import User
from cti.rows import Agent, Offer, Segment, Spell
from cti.tallies import AgentTally

_LONGEST_HOLD = timedelta(hours=24)

QUARTER_US = 900_000_000
_READY, _BUSY = 0, 1
_QUARTERED = {"ready_us": _READY, "talk_us": _BUSY, "wrap_up_us": _BUSY}
_DOES = {"ringing": "ringing_us", "talking": "talk_us", "wrap_up": "wrap_up_us"}
_CHOSE = {"available": "ready_us", "on_break": "pause_us"}


def between(
    db: Session,
    start: datetime,
    end: datetime,
    now: datetime,
    pauses: dict[str, dict[str, int]] | None = None,
    agent: str | None = None,
) -> dict[str, AgentTally]:
    """By extension; the running spell counts up to now. ``pauses`` gets each agent's pause by its reason, in µs.

    What he is seen doing goes before what he chose: an agent who goes on break during a call still talks.
    """
    first, last, now_us = to_us(start), to_us(end), to_us(now)
    found: dict[str, AgentTally] = defaultdict(AgentTally)
    for extension, status, reason, state, begun, ended in _spells(db, start, end, agent):
        name = _DOES.get(state) or _CHOSE.get(status)
        length = max(0, min(now_us if ended is None else ended, now_us, last) - max(begun, first))
        one = found[extension]
        if name is None or not length:
            continue
        setattr(one, name, getattr(one, name) + length)
        if name == "pause_us" and pauses is not None:
            of = pauses.setdefault(extension, {})
            of[reason] = of.get(reason, 0) + length
    held: dict[str, int] = defaultdict(int)
    for extension, begun, ended in db.execute(_of(Segment.agent, agent, _holds(start, end))):
        held[extension] += max(0, min(now_us if ended is None else ended, now_us, last) - max(begun, first))
    for extension, length in held.items():
        if extension in found:
            one = found[extension]
            one.hold_us = min(length, one.talk_us)  # on hold he is talking, as the switch sees him
            one.talk_us -= one.hold_us
    offers = (
        select(Offer.agent, Offer.outcome, func.count())
        .where(Offer.rung_at >= start, Offer.rung_at < end, Offer.outcome != "")
        .group_by(Offer.agent, Offer.outcome)
    )
    for extension, outcome, count in db.execute(_of(Offer.agent, agent, offers)):
        setattr(found[extension], outcome, getattr(found[extension], outcome) + count)
    return dict(found)


def by_quarter(db: Session, days: Sequence[tuple[datetime, datetime]], now: datetime) -> list[dict[str, list[int]]]:
    """Of each of the days, which follow one another, by extension: for each quarter hour (of real time from the day's
    start) how long he was ready and how long busy, in turn, in µs."""
    edges = [(to_us(start), to_us(end)) for start, end in days]
    starts = [start for start, _ in edges]
    found: list[dict[str, list[int]]] = [{} for _ in days]
    now_us = to_us(now)
    for extension, status, _reason, state, begun, ended in _spells(db, days[0][0], days[-1][1], None):
        which = _QUARTERED.get(_DOES.get(state) or _CHOSE.get(status) or "")
        if which is None:
            continue
        at, stop = max(begun, starts[0]), min(now_us if ended is None else ended, now_us, edges[-1][1])
        number = bisect_right(starts, at) - 1
        while at < stop:
            start, end = edges[number]
            length = min(stop, end) - at
            own = found[number].get(extension)
            if own is None:
                own = found[number][extension] = [0] * (2 * -((start - end) // QUARTER_US))
            _spread(own, which, at - start, length)
            at, number = at + length, number + 1
    return found


def _spread(quarters: list[int], which: int, at: int, length: int) -> None:
    """Add a stretch to the quarter hours it lies in."""
    while length > 0:
        number, inside = divmod(at, QUARTER_US)
        part = min(length, QUARTER_US - inside)
        quarters[2 * number + which] += part
        at += part
        length -= part


def _of(column: Any, agent: str | None, rows: Any) -> Any:
    """Of this agent only, if one is named."""
    return rows if agent is None else rows.where(column == agent)


def _spells(db: Session, start: datetime, end: datetime, agent: str | None) -> Iterator[Any]:
    """Those that began within, and of each agent the one he was in at the start: his spells leave no gap."""
    columns = (
        Spell.extension,
        Spell.status,
        Spell.reason,
        Spell.state,
        type_coerce(Spell.started_at, BigInteger),
        type_coerce(Spell.ended_at, BigInteger),
    )
    within = select(*columns).where(Spell.started_at >= start, Spell.started_at < end)
    yield from db.execute(_of(Spell.extension, agent, within))
    known = union(select(Agent.extension), select(User.extension).where(User.extension.is_not(None))).subquery()
    before = (
        select(func.max(Spell.started_at))
        .where(Spell.extension == known.c.extension, Spell.started_at < start)
        .correlate(known)
        .scalar_subquery()
    )
    first = select(*columns).join(known, (Spell.extension == known.c.extension) & (Spell.started_at == before))
    yield from db.execute(_of(known.c.extension, agent, first))


def _holds(start: datetime, end: datetime) -> Any:
    return select(
        Segment.agent, type_coerce(Segment.started_at, BigInteger), type_coerce(Segment.ended_at, BigInteger)
    ).where(
        Segment.kind == literal("hold", literal_execute=True),
        Segment.agent.is_not(None),
        Segment.started_at >= start - _LONGEST_HOLD,
        Segment.started_at < end,
    )
