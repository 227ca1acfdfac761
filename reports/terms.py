"""The symbols of the formulas: each counts one wait, and counts a tally, by one queue's rules.

O offered, A answered, B abandoned, F left otherwise, W waiting still; X_T: within the target T; B_s: abandoned
within less than s seconds. O = A + B + F + W. A formula is written in them once, and is what is computed and shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from config.queues import Queue
from config.settings import ServiceLevels
from cti.tallies import Tally, below, half_seconds, up_to
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
        )

    @property
    def thresholds(self) -> dict[str, float]:
        return {"T": self.target_s, "s": self.short_s, "c": self.counted_s}


@dataclass(frozen=True)
class Term:
    of_wait: Callable[[Wait, Rules], int]
    of_tally: Callable[[Tally, Rules], int]


def _in_time(wait: Wait, rules: Rules) -> bool:
    return half_seconds(wait.wait_us) <= 2 * rules.target_s


def _sooner(wait: Wait, seconds: int) -> bool:
    return half_seconds(wait.wait_us) < 2 * seconds


def _all(tally: Tally) -> int:
    return sum(sum(s.values()) for s in (tally.answered, tally.abandoned, tally.left, tally.waiting))


TERMS: dict[str, Term] = {
    "O": Term(lambda w, r: 1, lambda t, r: _all(t)),
    "A": Term(lambda w, r: w.answered, lambda t, r: sum(t.answered.values())),
    "A_T": Term(lambda w, r: w.answered and _in_time(w, r), lambda t, r: up_to(t.answered, r.target_s)),
    "A_late": Term(
        lambda w, r: w.answered and not _in_time(w, r),
        lambda t, r: sum(t.answered.values()) - up_to(t.answered, r.target_s),
    ),
    "B": Term(lambda w, r: w.abandoned, lambda t, r: sum(t.abandoned.values())),
    "B_T": Term(lambda w, r: w.abandoned and _in_time(w, r), lambda t, r: up_to(t.abandoned, r.target_s)),
    "B_s": Term(lambda w, r: w.abandoned and _sooner(w, r.short_s), lambda t, r: below(t.abandoned, r.short_s)),
    "B_c": Term(lambda w, r: w.abandoned and _sooner(w, r.counted_s), lambda t, r: below(t.abandoned, r.counted_s)),
    "F": Term(lambda w, r: w.left, lambda t, r: sum(t.left.values())),
    "F_T": Term(lambda w, r: w.left and _in_time(w, r), lambda t, r: up_to(t.left, r.target_s)),
    "F_time": Term(lambda w, r: w.outcome == "timeout", lambda t, r: t.timeouts),
    "W": Term(lambda w, r: w.waiting, lambda t, r: sum(t.waiting.values())),
    "W_T": Term(lambda w, r: w.waiting and _in_time(w, r), lambda t, r: up_to(t.waiting, r.target_s)),
    "A_over": Term(lambda w, r: w.answered and w.over, lambda t, r: t.over),
    "X": Term(lambda w, r: w.transferred, lambda t, r: t.transferred),
    "R_taken": Term(lambda w, r: w.taken, lambda t, r: t.taken),
    "R_missed": Term(lambda w, r: w.missed, lambda t, r: t.missed),
}


@dataclass(frozen=True)
class Sum:
    """Terms added and taken away, as ``O − B_s − W_T`` says it."""

    said: str
    terms: tuple[tuple[int, Term], ...]

    @classmethod
    def read(cls, said: str) -> Sum:
        """KeyError for a symbol nobody defined."""
        parts = re.findall(r"([+−]?)\s*([A-Z]\w*)", said)
        return cls(said, tuple((-1 if sign == "−" else 1, TERMS[name]) for sign, name in parts))

    def of_wait(self, wait: Wait, rules: Rules) -> int:
        return sum(sign * term.of_wait(wait, rules) for sign, term in self.terms)

    def of_tally(self, tally: Tally, rules: Rules) -> int:
        return sum(sign * term.of_tally(tally, rules) for sign, term in self.terms)


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
