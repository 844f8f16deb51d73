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
LENGTHS = (0.35, 0.6, 1.0, 1.7, 2.9, 5.0)
"""Tokens of a question's candidates, in those of the route's mean: each has a plan of its own."""
NEAR = 0.4
"""What a question counts for those one class of length away; two away, its square, and so on."""


def row_of(length: float) -> int:
    """The class of length that is nearest, by ratio."""
    return int(np.abs(np.log(np.array(LENGTHS) / max(length, 1e-9))).argmin())


def place(stage: Stage, a: int, b: int) -> int:
    """Index of the stage's standing that is nearest to `a` and `b` votes."""
    return int(np.argmin(np.abs(stage.a - a) + np.abs(stage.b - b)))


def fitted(standings: Sequence[tuple[Standing, float, float]], sharpness: float) -> Floats:
    """The weight of each shape by class of length, each row summing to 1.

    `standings` are how the route's questions stood, with the length of their candidates (in those
    of the route's mean) and how often that was seen. Long ones tend to be hard ones: so each class
    is fitted to its own questions, with all questions' weights as the prior.
    """
    prior = shapes().prior
    if not standings:
        return np.repeat(prior[None], len(LENGTHS), axis=0)
    every = stages(sharpness)
    likely = np.array([_likelihood(every[min(n, HORIZON)], a, b) for (n, a, b), _, _ in standings])
    times = np.array([count for _, _, count in standings])
    rows = np.array([row_of(length) for _, length, _ in standings])
    pooled = _weights(likely, times, prior)
    return np.array(
        [
            _weights(likely, times * NEAR ** np.abs(rows - row), pooled)
            for row in range(len(LENGTHS))
        ]
    )


def _weights(likely: Floats, times: Floats, prior: Floats) -> Floats:
    weights: Floats = prior
    for _ in range(ROUNDS):
        shares = likely * weights
        shares /= shares.sum(axis=1, keepdims=True)
        counted = QUESTIONS * prior + times @ shares
        weights = counted / (QUESTIONS + times.sum())
    return weights


def _likelihood(stage: Stage, a: int, b: int) -> Floats:
    return stage.reached[:, place(stage, a, b)].astype(np.float64) + LEAST
