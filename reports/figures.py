"""A figure and what it means: value, unit, formula, thresholds and version of the definition, always together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a report. ``value`` is None where there was nothing to measure, never 0 divided by 0."""

    name: str
    value: float | None
    unit: str  # calls, share (0 to 1), s
    zh: str
    en: str
    formula_zh: str
    formula_en: str
    definition_version: int
    thresholds: Mapping[str, float] = field(default_factory=dict)  # empty: each queue's own

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def formula(self, language: str) -> str:
        return self.formula_zh if language == "zh" else self.formula_en


@dataclass(frozen=True, kw_only=True)
class Definition(Generic[Row]):
    """How a figure is made of rows; ``version`` rises with every change that can change a number."""

    name: str
    unit: str
    zh: str
    en: str
    formula_zh: str
    formula_en: str
    version: int
    counts: Callable[[Row], bool]  # the rows behind the figure; of a share those above the line
    of: Callable[[Row], bool] | None = None  # of a share the rows below the line
    measure: Callable[[Row], float] | None = None  # what is averaged, ranked or added
    take: Callable[[Sequence[float]], float | None] | None = None  # how: mean, share_below(0.9), longest …

    def figure(self, rows: Sequence[Row], thresholds: Mapping[str, float] | None = None) -> Figure:
        return Figure(
            name=self.name,
            value=self.value(rows),
            unit=self.unit,
            zh=self.zh,
            en=self.en,
            formula_zh=self.formula_zh,
            formula_en=self.formula_en,
            definition_version=self.version,
            thresholds=dict(thresholds or {}),
        )

    def value(self, rows: Sequence[Row]) -> float | None:
        counted = [row for row in rows if self.counts(row)]
        if self.measure is not None and self.take is not None:
            return self.take([self.measure(row) for row in counted])
        if self.of is None:
            return len(counted)
        below = sum(1 for row in rows if self.of(row))
        return len(counted) / below if below else None


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def longest(values: Sequence[float]) -> float | None:
    return max(values, default=None)


def share_below(share: float) -> Callable[[Sequence[float]], float | None]:
    """The nearest-rank percentile: the smallest value that at least this share of the values does not exceed."""

    def take(values: Sequence[float]) -> float | None:
        if not values:
            return None
        ranked = sorted(values)
        return ranked[max(0, -(-round(share * 1_000_000) * len(ranked) // 1_000_000) - 1)]

    return take
