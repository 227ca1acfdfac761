"""Waits counted so that any threshold can be asked of them later, and agents' time added up. Pure.

A wait is counted under twice its whole seconds, plus one if it was longer than them: 20 s sharp under 40, a moment
more under 41. So "up to 20 s" and "less than 5 s" are both exact, and two tallies add up to that of all their waits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from cti.waits import Wait

Spread = dict[int, int]
"""How many waits were of each half second."""

SECOND_US = 1_000_000


def half_seconds(us: int) -> int:
    whole, more = divmod(us, SECOND_US)
    return 2 * whole + (more > 0)


def up_to(spread: Spread, seconds: int) -> int:
    """How many waited no longer than so many seconds."""
    return sum(count for length, count in spread.items() if length <= 2 * seconds)


def below(spread: Spread, seconds: int) -> int:
    """How many waited less than so many seconds."""
    return sum(count for length, count in spread.items() if length < 2 * seconds)


def rank(spread: Spread, share: float) -> int | None:
    """The nearest-rank percentile in whole seconds, rounded up; None where nobody waited."""
    total = sum(spread.values())
    if not total:
        return None
    wanted = max(1, -(-round(share * 1_000_000) * total // 1_000_000))
    seen = 0
    for length in sorted(spread):
        seen += spread[length]
        if seen >= wanted:
            return (length + 1) // 2
    raise AssertionError("a share above 1")


@dataclass(slots=True)
class Tally:
    """What some waits amount to; times in microseconds."""

    answered: Spread = field(default_factory=dict)
    abandoned: Spread = field(default_factory=dict)
    left: Spread = field(default_factory=dict)
    waiting: Spread = field(default_factory=dict)
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

    def count(self, wait: Wait) -> None:
        length = half_seconds(wait.wait_us)
        if wait.answered:
            spread = self.answered
            self.wait_us += wait.wait_us
            self.transferred += wait.transferred
            if wait.over:
                self.over += 1
                self.talk_us += wait.talk_us
                self.hold_us += wait.hold_us
                self.wrap_us += wait.wrap_us
        elif wait.abandoned:
            spread = self.abandoned
        elif wait.waiting:
            spread = self.waiting
        else:
            spread = self.left
            self.timeouts += wait.outcome == "timeout"
        spread[length] = spread.get(length, 0) + 1
        self.longest_us = max(self.longest_us, wait.wait_us)
        self.taken += wait.taken
        self.missed += wait.missed

    def add(self, other: Tally) -> None:
        for mine, its in (
            (self.answered, other.answered),
            (self.abandoned, other.abandoned),
            (self.left, other.left),
            (self.waiting, other.waiting),
        ):
            for length, count in its.items():
                mine[length] = mine.get(length, 0) + count
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_us = max(self.longest_us, other.longest_us)


SPREADS = ("answered", "abandoned", "left")  # what a finished day can hold
NUMBERS = tuple(one.name for one in fields(Tally) if one.name not in (*SPREADS, "waiting"))
SUMS = tuple(name for name in NUMBERS if name != "longest_us")


def tally(waits: Iterable[Wait]) -> Tally:
    found = Tally()
    for wait in waits:
        found.count(wait)
    return found


def together(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for one in tallies:
        whole.add(one)
    return whole


def packed(spread: Spread) -> bytes:
    """Lengths, then counts, as little-endian 32-bit numbers."""
    lengths = sorted(spread)
    return struct.pack(f"<{2 * len(lengths)}I", *lengths, *(spread[length] for length in lengths))


def unpacked(data: bytes) -> Spread:
    numbers = struct.unpack(f"<{len(data) // 4}I", data)
    half = len(numbers) // 2
    return dict(zip(numbers[:half], numbers[half:], strict=True))


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
