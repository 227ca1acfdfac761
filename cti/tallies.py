"""Waits counted so that any threshold can be asked of them later, and agents' time added up. Pure.

A wait is counted under twice its whole seconds, plus one if it was longer than them: 20 s sharp under 40, a moment
more under 41. So "up to 20 s" and "less than 5 s" are both exact.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import NamedTuple

from cti.waits import Wait

SECOND_US = 1_000_000


def half_seconds(us: int) -> int:
    whole, more = divmod(us, SECOND_US)
    return 2 * whole + (more > 0)


_NONE = array("I")


class Spread(NamedTuple):
    """How long some waited: the lengths that occurred, in order, and how many waited no longer than each.

    As arrays of 32-bit numbers, as they are kept: a report reads thousands of them, and asks each for a few numbers.
    """

    lengths: Sequence[int] = _NONE
    sums: Sequence[int] = _NONE

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Spread:
        lengths = array("I", sorted(counts))
        return cls(lengths, array("I", accumulate(counts[length] for length in lengths)))

    @classmethod
    def unpacked(cls, data: bytes) -> Spread:
        numbers = array("I", data)
        if sys.byteorder == "big":
            numbers.byteswap()
        half = len(numbers) // 2
        return cls(numbers[:half], numbers[half:])

    def packed(self) -> bytes:
        """Lengths, then sums, as little-endian 32-bit numbers."""
        return struct.pack(f"<{2 * len(self.lengths)}I", *self.lengths, *self.sums)

    @property
    def total(self) -> int:
        return self.sums[-1] if self.sums else 0

    def up_to(self, seconds: int) -> int:
        """How many waited no longer than so many seconds."""
        at = bisect_right(self.lengths, 2 * seconds)
        return self.sums[at - 1] if at else 0

    def below(self, seconds: int) -> int:
        """How many waited less than so many seconds."""
        at = bisect_left(self.lengths, 2 * seconds)
        return self.sums[at - 1] if at else 0


def rank(spreads: Sequence[Spread], share: float) -> int | None:
    """The nearest-rank percentile of all of them, in whole seconds, rounded up; None where nobody waited."""
    some = [spread for spread in spreads if spread.lengths]
    if not some:
        return None
    if sum(len(lengths) for lengths, _ in some) < _FEW * len(some):
        some = [_merged(some)]
    total = sum(sums[-1] for _, sums in some)
    wanted = max(1, -(-round(share * 1_000_000) * total // 1_000_000))
    low, high = 0, (max(lengths[-1] for lengths, _ in some) + 1) // 2
    middle = _guess(some, share)
    step = 1
    while low < high:  # the least number of seconds that so many did not wait longer than
        reached = 0
        for lengths, sums in some:
            at = bisect_right(lengths, 2 * middle)
            if at:
                reached += sums[at - 1]
        if reached >= wanted:
            high, middle = middle, middle - step
        else:
            low, middle = middle + 1, middle + step
        step *= 2
        if not low <= middle < high:
            middle = (low + high) // 2
    return low


def _guess(some: Sequence[Spread], share: float) -> int:
    """About where the percentile is, from a few of them: all are looked through as seldom as can be."""
    if len(some) > _MANY:
        return rank(some[:: -(-len(some) // _MANY)], share) or 0
    lengths, sums = some[0]
    return (lengths[bisect_left(sums, share * sums[-1])] + 1) // 2


def _merged(spreads: Iterable[Spread]) -> Spread:
    counts: dict[int, int] = {}
    for lengths, sums in spreads:
        before = 0
        for length, reached in zip(lengths, sums, strict=True):
            counts[length] = counts.get(length, 0) + reached - before
            before = reached
    return Spread.of(counts)


_MANY = 100  # spreads; of more the guess comes from a part of them
_FEW = 10  # lengths in a spread: so few are quicker counted together than looked through ten times
NOBODY = Spread()


@dataclass(slots=True)
class Tally:
    """What some waits amount to; times in microseconds."""

    answered: Spread = NOBODY
    abandoned: Spread = NOBODY
    left: Spread = NOBODY
    waiting: Spread = NOBODY
    timeouts: int = 0
    wait_us: int = 0  # of the answered
    longest_us: int = 0  # of all
    over: int = 0  # answered, and all of it is over; the next three are theirs
    talk_us: int = 0
    hold_us: int = 0
    wrap_us: int = 0
    transferred: int = 0
    taken: int = 0
    missed: int = 0


def together(tallies: Sequence[Tally]) -> Tally:
    """Of finished days, as if they were one."""
    found = Tally()
    for name in SPREADS:
        setattr(found, name, _merged(getattr(one, name) for one in tallies))
    for name in NUMBERS:
        several = [getattr(one, name) for one in tallies]
        setattr(found, name, max(several, default=0) if name == "longest_us" else sum(several))
    return found


SPREADS = ("answered", "abandoned", "left")  # what a finished day can hold
NUMBERS = tuple(one.name for one in fields(Tally) if one.name not in (*SPREADS, "waiting"))


def tally(waits: Iterable[Wait]) -> Tally:
    found = Tally()
    spreads: dict[str, Counter[int]] = {name: Counter() for name in (*SPREADS, "waiting")}
    for wait in waits:
        spreads["answered" if wait.answered else _unanswered(wait)][half_seconds(wait.wait_us)] += 1
        if wait.answered:
            found.wait_us += wait.wait_us
            found.transferred += wait.transferred
            if wait.over:
                found.over += 1
                found.talk_us += wait.talk_us
                found.hold_us += wait.hold_us
                found.wrap_us += wait.wrap_us
        found.timeouts += wait.outcome == "timeout"
        found.longest_us = max(found.longest_us, wait.wait_us)
        found.taken += wait.taken
        found.missed += wait.missed
    for name, counts in spreads.items():
        setattr(found, name, Spread.of(counts))
    return found


def _unanswered(wait: Wait) -> str:
    return "abandoned" if wait.abandoned else "waiting" if wait.waiting else "left"


@dataclass(slots=True)
class AgentTally:
    """What an agent did; times in microseconds."""

    ready_us: int = 0
    ringing_us: int = 0
    talk_us: int = 0  # hold not included
    hold_us: int = 0
    wrap_up_us: int = 0
    pause_us: int = 0
    answered: int = 0
    missed: int = 0
    cancelled: int = 0  # rung, but the caller hung up or another answered

    def add(self, other: AgentTally) -> None:
        for name in AGENT_SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


AGENT_SUMS = tuple(one.name for one in fields(AgentTally))
