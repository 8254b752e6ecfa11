"""The arithmetic of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median


def percentile(ordered: Sequence[int], percent: int) -> int:
    """The least value that this percentage of all does not exceed (nearest rank); 0 of none."""
    if not ordered:
        return 0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds: the middle one, and how far the others were from it."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


def ratios(values: Mapping[str, float], to: str) -> dict[str, float]:
    """Each value in proportion to one of them."""
    return {name: value / values[to] for name, value in values.items()} if values.get(to) else {}


def fastest(values: Mapping[str, float], among: Sequence[str]) -> str | None:
    """Which of these has the least value; None where none has one."""
    known = [name for name in among if name in values]
    return min(known, key=lambda name: values[name]) if known else None
