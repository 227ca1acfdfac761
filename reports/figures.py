"""A figure and what it means: value, unit, formula, thresholds and version of the definition, always together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Figure:
    """One number of a report. ``value`` is None where there was nothing to measure, never 0 divided by 0.

    Never changed; frozen, it would take three times as long to make, and a report makes thousands.
    """

    name: str
    value: float | None
    unit: str  # calls, share (0 to 1), s
    zh: str
    en: str
    formula_zh: str
    formula_en: str
    definition_version: int
    queue_version: int | None = None  # of its queue's thresholds; None: of several queues, or of none
    of_calls: bool = True  # it leads to them; else it is made of agents' time
    thresholds: Mapping[str, float] = field(default_factory=dict)  # empty: each queue's own

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def formula(self, language: str) -> str:
        return self.formula_zh if language == "zh" else self.formula_en
