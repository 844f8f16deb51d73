"""Which shapes the questions of a route have: expectation maximisation over how they stood.

A rule stops by what it sees, which tells nothing of the shape beyond that: so questions that were
stopped early count like others, each by the likelihood of its standing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from strategies.planning.shapes import QUESTIONS, Floats, shapes
from strategies.planning.walks import HORIZON, Stage, stages

ROUNDS = 30
LEAST = 1e-6
"""Likelihood of a standing that no simulated question of a shape had."""

Standing = tuple[int, int, int]
"""Votes in all, for the leader, for the second."""


def place(stage: Stage, a: int, b: int) -> int:
    """Index of the stage's standing that is nearest to `a` and `b` votes."""
    return int(np.argmin(np.abs(stage.a - a) + np.abs(stage.b - b)))


def fitted(standings: Sequence[tuple[Standing, float]], sharpness: float) -> Floats:
    """The weight of each shape, given how often each standing was seen; sums to 1."""
    prior = shapes().prior
    if not standings:
        return prior
    every = stages(sharpness)
    likely = np.array([_likelihood(every[min(n, HORIZON)], a, b) for (n, a, b), _ in standings])
    times = np.array([count for _, count in standings])
    weights: Floats = prior
    for _ in range(ROUNDS):
        shares = likely * weights
        shares /= shares.sum(axis=1, keepdims=True)
        counted = QUESTIONS * prior + times @ shares
        weights = counted / (QUESTIONS + times.sum())
    return weights


def _likelihood(stage: Stage, a: int, b: int) -> Floats:
    return stage.reached[:, place(stage, a, b)].astype(np.float64) + LEAST
