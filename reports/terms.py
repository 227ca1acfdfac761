"""The symbols of the formulas: each counts one wait, and counts a tally, by one queue's rules.

O offered, A answered, B abandoned, F left otherwise, W waiting still; X_T: within the target T; B_s: abandoned
within less than s seconds. O = A + B + F + W. A formula is written in them once, and is what is computed and shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.queues import Queue
from config.settings import ServiceLevels
from cti.tallies import Tally, half_seconds
from cti.waits import Wait

FORMS = ("sl1", "sl2", "sl3", "sl4", "sl5", "sl6", "sl7", "sl8")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One queue's thresholds, in whole seconds, and which service level it is measured by."""

    target_s: int = 20
    target_share: float = 0.8
    short_s: int = 5
    counted_s: int = 0  # RingCentral's own threshold of abandons, SL6; 0: all count
    form: str = "sl8"
    queue: str = ""
    version: int = 0  # of the queue's definitions

    @classmethod
    def of(cls, queue: Queue | None, levels: ServiceLevels) -> Rules:
        """A queue deleted since has the usual ones."""
        if queue is None:
            return cls(counted_s=levels.sl6_abandoned_s, form=levels.form)
        return cls(
            target_s=queue.target_s,
            target_share=queue.target_share,
            short_s=queue.short_abandon_s,
            counted_s=levels.sl6_abandoned_s,
            form=queue.service_level or levels.form,
            queue=queue.name,
            version=queue.version,
        )

    @property
    def thresholds(self) -> dict[str, float]:
        return {"T": self.target_s, "s": self.short_s, "c": self.counted_s}


def _in_time(wait: Wait, rules: Rules) -> bool:
    return half_seconds(wait.wait_us) <= 2 * rules.target_s


def _sooner(wait: Wait, seconds: int) -> bool:
    return half_seconds(wait.wait_us) < 2 * seconds


OF_WAIT: dict[str, Callable[[Wait, Rules], int]] = {
    "O": lambda w, r: 1,
    "A": lambda w, r: w.answered,
    "A_T": lambda w, r: w.answered and _in_time(w, r),
    "A_late": lambda w, r: w.answered and not _in_time(w, r),
    "B": lambda w, r: w.abandoned,
    "B_T": lambda w, r: w.abandoned and _in_time(w, r),
    "B_s": lambda w, r: w.abandoned and _sooner(w, r.short_s),
    "B_c": lambda w, r: w.abandoned and _sooner(w, r.counted_s),
    "F": lambda w, r: w.left,
    "F_T": lambda w, r: w.left and _in_time(w, r),
    "F_time": lambda w, r: w.outcome == "timeout",
    "W": lambda w, r: w.waiting,
    "W_T": lambda w, r: w.waiting and _in_time(w, r),
    "A_over": lambda w, r: w.answered and w.over,
    "X": lambda w, r: w.transferred,
    "R_taken": lambda w, r: w.taken,
    "R_missed": lambda w, r: w.missed,
}


def of_tally(tally: Tally, rules: Rules) -> tuple[int, ...]:
    """The same of many waits at once, in the same order."""
    within = rules.target_s
    answered, abandoned, left, waiting = tally.answered, tally.abandoned, tally.left, tally.waiting
    a, b, f, w = answered.total, abandoned.total, left.total, waiting.total
    a_t = answered.up_to(within) if a else 0
    return (
        a + b + f + w,
        a,
        a_t,
        a - a_t,
        b,
        abandoned.up_to(within) if b else 0,
        abandoned.below(rules.short_s) if b else 0,
        abandoned.below(rules.counted_s) if b else 0,
        f,
        left.up_to(within) if f else 0,
        tally.timeouts,
        w,
        waiting.up_to(within) if w else 0,
        tally.over,
        tally.transferred,
        tally.taken,
        tally.missed,
    )


_PLACES = {symbol: place for place, symbol in enumerate(OF_WAIT)}


@dataclass(frozen=True)
class Sum:
    """Terms added and taken away, as ``O − B_s − W_T`` says it."""

    said: str
    terms: tuple[tuple[int, str], ...]
    places: tuple[tuple[int, int], ...]  # the same, by where of_tally has them

    @classmethod
    def read(cls, said: str) -> Sum:
        parts = re.findall(r"([+−]?)\s*([A-Z]\w*)", said)
        assert all(name in _PLACES for _, name in parts), said
        terms = tuple((-1 if sign == "−" else 1, name) for sign, name in parts)
        return cls(said, terms, tuple((sign, _PLACES[name]) for sign, name in terms))

    def of_wait(self, wait: Wait, rules: Rules) -> int:
        return sum(sign * OF_WAIT[name](wait, rules) for sign, name in self.terms)

    def of(self, counts: Sequence[int]) -> int:
        """Of what ``of_tally`` counted, or the sum of several such."""
        found = 0
        for sign, place in self.places:
            found += sign * counts[place]
        return found


@dataclass(frozen=True)
class Share:
    above: Sum
    below: Sum

    @classmethod
    def read(cls, above: str, below: str) -> Share:
        return cls(Sum.read(above), Sum.read(below))

    @property
    def said(self) -> str:
        over = f"({self.above.said})" if len(self.above.terms) > 1 else self.above.said
        under = f"({self.below.said})" if len(self.below.terms) > 1 else self.below.said
        return f"{over} / {under}"


def service_levels(levels: ServiceLevels) -> dict[str, Share]:
    """The forms in use, by name. Of SL5 and SL6 the settings say what they leave out."""
    sl5 = "A" + (" + B" if levels.sl5_abandons else "") + (" + F" if levels.sl5_flow_outs else "")
    if levels.sl5_abandons and not levels.sl5_short_abandons:
        sl5 += " − B_s"
    return {
        "sl1": Share.read("A_T", "A"),
        "sl2": Share.read("A_T + B_T", "A + B"),
        "sl3": Share.read("A_T", "A + B"),
        "sl4": Share.read("A_T", "A + B − B_T"),
        "sl5": Share.read("A − A_late", sl5),
        "sl6": Share.read("A_T", "A + B − B_c"),
        "sl7": Share.read("A_T + B_T + F_T", "O − W_T"),
        "sl8": Share.read("A_T", "O − B_s − W_T"),
    }
