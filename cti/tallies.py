"""Waits counted so that any threshold can be asked of them later, and agents' time added up. Pure.

A wait is counted under twice its whole seconds, plus one if it was longer than them: 20 s sharp under 40, a moment
more under 41. So "up to 20 s" and "less than 5 s" are both exact.
"""

from __future__ import annotations

import struct
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


class Spread(NamedTuple):
    """How long some waited: the lengths that occurred, in order, and how many waited no longer than each."""

    lengths: tuple[int, ...] = ()
    sums: tuple[int, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Spread:
        lengths = tuple(sorted(counts))
        return cls(lengths, tuple(accumulate(counts[length] for length in lengths)))

    @classmethod
    def unpacked(cls, data: bytes) -> Spread:
        numbers = struct.unpack(f"<{len(data) // 4}I", data)
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
    while low < high:  # the least number of seconds that so many did not wait longer than
        middle = (low + high) // 2
        reached = 0
        for lengths, sums in some:
            at = bisect_right(lengths, 2 * middle)
            if at:
                reached += sums[at - 1]
        if reached >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def _merged(spreads: Iterable[Spread]) -> Spread:
    counts: dict[int, int] = {}
    for lengths, sums in spreads:
        before = 0
        for length, reached in zip(lengths, sums, strict=True):
            counts[length] = counts.get(length, 0) + reached - before
            before = reached
    return Spread.of(counts)


_FEW = 30  # lengths in a spread: so few are quicker counted together than looked through ten times
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
