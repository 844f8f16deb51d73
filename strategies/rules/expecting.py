"""What more draws can be expected to bring: a problem's scores, seen as normal in their logits.

A score s in (0, 1) has the logit z = ln(s / (1 - s)). A problem's logits are normal around a mean
of its own, these means normal around that of all problems: so what was seen of a problem says how
far another draw may reach (Gelman et al., Bayesian Data Analysis, section 5.4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST = 8.0
"""Logits beyond this say nothing more."""
GRID = 24
"""Places between the best score and 1 at which the chance of reaching them is looked up."""
NODES = (
    (0.0, 0.45714286),
    (-1.15440539, 0.24012318),
    (1.15440539, 0.24012318),
    (-2.36675941, 0.03075712),
    (2.36675941, 0.03075712),
    (-3.75043972, 0.00054827),
    (3.75043972, 0.00054827),
)
"""Gauss-Hermite nodes and weights of the standard normal, of order 7."""


def logit(score: float) -> float:
    """ln(s / (1 - s)), within ±`LARGEST`."""
    if not 0.0 < score < 1.0:
        return LARGEST if score >= 1.0 else -LARGEST
    return max(-LARGEST, min(LARGEST, math.log(score / (1.0 - score))))


@dataclass(frozen=True, slots=True)
class Shape:
    """How scores lie, in logits: the mean of all problems, the deviation between problems' means,
    and that of one problem's scores within it."""

    mean: float = 2.0
    between: float = 1.5
    within: float = 1.5

    @classmethod
    def learned(cls, told: Mapping[str, float], weight: float = 16.0) -> Shape:
        """From the sums of `lesson`s; the defaults count as `weight` problems (moments)."""
        start, count = cls(), told.get("problems", 0.0)
        freedom = told.get("freedom", 0.0) + weight
        within = (weight * start.within**2 + told.get("scatter", 0.0)) / freedom
        mean = (weight * start.mean + told.get("mean", 0.0)) / (weight + count)
        spread = told.get("square", 0.0) - 2 * mean * told.get("mean", 0.0) + count * mean**2
        # Of the means seen, this share of the scatter is that of scores within a problem.
        between = max(0.0, spread - within * told.get("shares", 0.0))
        between = (weight * start.between**2 + between) / (weight + count)
        return cls(mean, math.sqrt(between), math.sqrt(within))


def lesson(scores: Sequence[float]) -> dict[str, float]:
    """What one problem's scores add to the sums that `Shape.learned` reads."""
    logits = [logit(score) for score in scores]
    if not logits:
        return {}
    mean = math.fsum(logits) / len(logits)
    return {
        "problems": 1.0,
        "mean": mean,
        "square": mean * mean,
        "shares": 1.0 / len(logits),
        "scatter": math.fsum((each - mean) ** 2 for each in logits),
        "freedom": len(logits) - 1.0,
    }


class Outlook:
    """What is to be expected of further scores, `scores` in [0, 1] having been seen."""

    def __init__(self, shape: Shape, scores: Sequence[float]):
        prior, each = shape.between**-2, shape.within**-2
        precision = prior + len(scores) * each
        total = math.fsum(logit(score) for score in scores)
        self.best = max(scores, default=0.0)
        self.mean = (prior * shape.mean + each * total) / precision
        self.spread = precision**-0.5
        self._within = shape.within

    def gains(self, draws: Sequence[int]) -> list[float]:
        """By how much the best of what is there and of m more draws is expected to beat what is
        there, in [0, 1 - best], for each m of `draws`."""
        gains = [0.0] * len(draws)
        step = (1.0 - self.best) / GRID
        for place in range(GRID):
            reached = logit(self.best + (place + 0.5) * step) - self.mean
            for node, weight in NODES:
                below = normal((reached - node * self.spread) / self._within)
                for number, more in enumerate(draws):
                    gains[number] += weight * step * (1.0 - below**more)
        return gains


def normal(z: float) -> float:
    """The standard normal's distribution function."""
    return 0.5 * math.erfc(-z * math.sqrt(0.5))
