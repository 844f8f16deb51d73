"""What a perfect self-evaluation would have come to on the candidates that were drawn (pure).

It knows of each candidate whether it is right, and of each problem how often the model solves it:
the score is 1 for a right candidate, and for a wrong one the chance that another draw is wrong too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats

BATCHES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Curve:
    """Mean samples and accuracy, arrays [thresholds], by rising threshold."""

    samples: Floats
    accuracy: Floats

    def at(self, limit: float) -> float:
        """The best accuracy with at most `limit` samples on average; NaN where there is none.

        Between two thresholds lies every mixture of the two.
        """
        if self.samples[0] > limit:
            return float("nan")
        hull = np.maximum.accumulate(self.accuracy)
        return float(np.interp(limit, self.samples, hull))


def perfect(right: Sequence[NDArray[np.bool_]], batches: Sequence[int] = BATCHES) -> Curve:
    """The curve over thresholds; `right[i]` are the candidates of problem i as they were drawn."""
    most = min(len(each) for each in right)
    ends = [min(end, most) for end in np.cumsum(batches)]
    ends = sorted(set(ends) | {most})
    hits = np.array([[each[:end].any() for end in ends] for each in right])
    hopeless = np.array([1.0 - each.mean() for each in right])
    samples, accuracy = [], []
    for tau in np.unique(np.append(hopeless, [0.0, 1.0])):
        stops = hits | (hopeless >= tau)[:, None]
        stops[:, -1] = True
        first = stops.argmax(axis=1)
        samples.append(float(np.array(ends)[first].mean()))
        accuracy.append(float(hits[np.arange(len(hits)), first].mean()))
    order = np.argsort(samples, kind="stable")
    return Curve(np.array(samples)[order], np.array(accuracy)[order])
