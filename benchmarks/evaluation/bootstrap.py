"""The bootstrap over problems: one set of seeded resamples for every figure of a run.

As all figures see the same resamples, the difference of two policies on the same problems is a
paired comparison. Intervals are percentile intervals (Efron and Tibshirani 1993, ch. 13).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats

LEVEL = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval; NaN where there is nothing to estimate it from."""

    value: float
    low: float
    high: float

    def json(self) -> dict[str, float | None]:
        """The figure for a JSON document, which knows no NaN."""
        return {k: v if np.isfinite(v) else None for k, v in asdict(self).items()}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Estimate:
        values = {
            k: np.nan if told[k] is None else float(told[k]) for k in ("value", "low", "high")
        }
        return cls(**values)


class Resamples:
    """`count` seeded resamples of `size` problems, each `size` indices drawn with replacement."""

    def __init__(self, size: int, seed: int, count: int):
        self.indices: NDArray[np.intp] = np.random.default_rng([seed, size]).integers(
            size, size=(count, size)
        )
        self._weights: Floats = np.zeros((count, size))
        np.add.at(self._weights, (np.arange(count)[:, None], self.indices), 1.0 / max(size, 1))

    def means(self, values: Floats) -> Floats:
        """Mean of `values` [problems, …] under each resample [count, …]."""
        return np.asarray(self._weights @ np.asarray(values, float), float)

    def mean(self, values: Floats) -> Estimate:
        """The mean of `values` [problems]; problems whose value is NaN do not take part."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0), known.astype(float))

    def ratio(self, above: Floats, below: Floats) -> Estimate:
        """Σ above / Σ below, both [problems]."""
        if not below.sum():
            return Estimate(np.nan, np.nan, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = self.means(above) / self.means(below)
        return interval(float(above.sum() / below.sum()), drawn)

    def statistic(self, of: Callable[[Floats], Floats], values: Floats) -> Estimate:
        """`of` the values [problems], where it takes [resamples, problems] to [resamples]."""
        if not len(values):
            return Estimate(np.nan, np.nan, np.nan)
        return interval(float(of(values[None, :])[0]), of(values[self.indices]))


def interval(value: float, drawn: Floats) -> Estimate:
    """`value` with the percentile interval of what the resamples gave."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Estimate(value, np.nan, np.nan)
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high))
