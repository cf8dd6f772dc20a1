"""Samples of a run: medians, spread, ratios. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """The measurements of one side in one case: by quantity, one sample a round.

    `signs_in`, `saves`: how it does so; "" where a case does not ask.
    """

    name: str
    label: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    signs_in: str = ""
    saves: str = ""

    def add(self, **quantities: float) -> None:
        for name, value in quantities.items():
            self.samples.setdefault(name, []).append(value)

    def median(self, quantity: str) -> float:
        """NaN when it was not measured."""
        return median(self.samples.get(quantity, []))


@dataclass
class Table:
    """One case, and the `quantity` by which its sides are compared."""

    name: str
    title: str
    quantity: str
    rows: list[Row] = field(default_factory=list)

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def median(self, name: str, quantity: str | None = None) -> float:
        row = self.row(name)
        return row.median(quantity or self.quantity) if row else math.nan


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples) if samples else math.nan


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` per cent of all do not exceed; NaN without samples."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def short(value: float) -> str:
    """Three digits that matter, as people write them."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 1000:
        digits = 3 - len(str(int(abs(value))))
        return f"{round(value, digits):,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(samples: Sequence[float]) -> str:
    if not samples:
        return "–"
    text = short(median(samples))
    return text if len(samples) == 1 else f"{text} ({short(min(samples))} … {short(max(samples))})"


def latest(table: Table, quantity: str) -> str:
    """The last round in a line."""
    return ", ".join(
        f"{row.name} {short(row.samples[quantity][-1]) if row.samples.get(quantity) else 'does not count'}"
        for row in table.rows
    )
