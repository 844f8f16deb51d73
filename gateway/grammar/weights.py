"""Weighted proposals made into draws from their target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random


def normalised(log_weights: Sequence[float]) -> list[float]:
    """Weights that sum to 1; NaN and -inf weigh nothing. All 0 where nothing weighs anything."""
    sound = [w for w in log_weights if w > -math.inf]
    if not sound:
        return [0.0] * len(log_weights)
    most = max(sound)
    raw = [math.exp(w - most) if w > -math.inf else 0.0 for w in log_weights]
    total = math.fsum(raw)
    return [value / total for value in raw]


def effective(weights: Sequence[float]) -> float:
    """Effective sample size of weights that sum to 1, from 1 to their number; 0 for none."""
    squares = math.fsum(weight * weight for weight in weights)
    return 1.0 / squares if squares else 0.0


def resampled(weights: Sequence[float], n: int, rng: Random) -> list[int]:
    """`n` indices drawn by systematic resampling of weights that sum to 1, in random order.

    Each index comes up floor(n·w) or ceil(n·w) times, n·w on average.
    """
    start = rng.random()
    drawn: list[int] = []
    reached = 0.0
    last = max((i for i, weight in enumerate(weights) if weight > 0), default=-1)
    for index, weight in enumerate(weights):
        # The sum may fall short of 1 by rounding, and no draw may be lost to that.
        reached = float(n) if index == last else reached + n * weight
        while len(drawn) + start < reached and len(drawn) < n:
            drawn.append(index)
    rng.shuffle(drawn)
    return drawn


def chain(log_weights: Sequence[float], rng: Random) -> int | None:
    """Where an independence chain ends that is offered the proposals in order; None without one.

    MCMC-Restart (arXiv 2506.05754): the state moves to a proposal with probability
    min(1, w(new) / w(old)), where w is target over proposal. NaN and -inf are never moved to.
    """
    at: int | None = None
    for index, weight in enumerate(log_weights):
        if not weight > -math.inf:
            continue
        if at is None or math.log(1.0 - rng.random()) < weight - log_weights[at]:
            at = index
    return at
