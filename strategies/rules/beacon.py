"""BEACON (arXiv 2510.15945): Bayesian search among rewards of unknown mean and spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.expecting import NODES, normal

AHEAD = (1, 2, 4, 8, 16)
"""Numbers of further draws that are weighed against their price."""
SPREADS = 8
"""Equally probable values at which the posterior of the deviation is looked at."""
GRID = 24


@rule
def beacon(
    setting: Setting,
    *,
    price: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="Of a candidate: in deviations of this problem's scores, "
            "or in units of the score where not `relative`.",
        ),
    ] = 0.05,
    relative: Annotated[
        bool, Field(description="Whether `price` goes with the scores' scale, problem by problem.")
    ] = True,
    first: Annotated[int, Field(ge=3, le=1024, description="Candidates of the first batch.")] = 3,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates of each later batch.")] = 1,
) -> Rule:
    """Stop when no number of further draws is expected to raise the best score by its price.

    Rewards are normal, their mean and variance have the posterior of a flat prior (normal-inverse-
    gamma), so that an unusual first batch is not taken at its word. Where the paper looks its
    threshold up in a table of the sequential problem, this compares batches of 1 to 16 more, which
    is never less ready to stop.
    """  # fmt: skip
    return _Beacon(price, relative, first, batch)


class _Beacon(Rule):
    verifier = "reward_model"

    def __init__(self, price: float, relative: bool, first: int, batch: int):
        self._price = price
        self._relative = relative
        self._first = first
        self._batch = batch
        self._scores: list[float] = []

    def ask(self) -> Next:
        if len(self._scores) < self._first:
            return Draw(self._first - len(self._scores))
        scale = statistics.stdev(self._scores) if self._relative else 1.0
        worth = [
            gain - more * self._price * scale
            for more, gain in zip(AHEAD, gains(self._scores, AHEAD), strict=True)
        ]
        if max(worth) <= 0:
            return Stop("not_worth_more", {"best": max(self._scores), "worth": max(worth)})
        return Draw(self._batch)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._scores = [each.value for each in seen if each.score.judged]


def gains(scores: Sequence[float], draws: Sequence[int]) -> list[float]:
    """How far m more are expected to rise above the best of `scores` (two or more), for each m."""
    count, mean, best = len(scores), statistics.fmean(scores), max(scores)
    scatter = math.fsum((score - mean) ** 2 for score in scores)
    total = [0.0] * len(draws)
    for within in _deviations(scatter, count - 1) if scatter else ():
        spread = within / math.sqrt(count)
        # Nothing beyond six deviations of the next draw is looked at.
        step = max(0.0, mean + 6 * math.hypot(within, spread) - best) / GRID
        for place in range(GRID):
            reached = best + (place + 0.5) * step - mean
            for node, weight in NODES:
                below = normal((reached - node * spread) / within)
                for number, more in enumerate(draws):
                    total[number] += weight * step * (1.0 - below**more) / SPREADS
    return total


def _deviations(scatter: float, freedom: int) -> list[float]:
    """Quantiles of the posterior of a deviation: scatter / chi-squared (Wilson and Hilferty)."""
    inverse, part = statistics.NormalDist().inv_cdf, 2.0 / (9.0 * freedom)
    levels = [(number + 0.5) / SPREADS for number in range(SPREADS)]
    roots = [max(0.1, 1.0 - part + inverse(level) * math.sqrt(part)) for level in levels]
    return [math.sqrt(scatter / (freedom * root**3)) for root in roots]
