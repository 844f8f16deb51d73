"""Problems with planted judges: what is right is known, and how well the judge tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bed:
    """`scores`, `right` and `lengths` are arrays [problems, candidates]."""

    scores: Floats
    right: NDArray[np.bool_]
    lengths: Floats


def self_judged(problems: int, candidates: int, *, seed: int, telling: float = 2.0) -> Bed:
    """A judge's honest chance that a candidate wins or ties against another draw.

    Problems are solved with chances from Beta(1.2, .8). The judge sees, of each candidate, a normal
    number that lies `telling` apart for right and wrong ones, and of each problem how hard it is,
    with an error of one in the logit; it knows how all of this is drawn.
    """
    random = np.random.default_rng(seed)
    chance = random.beta(1.2, 0.8, problems)
    right = random.random((problems, candidates)) < chance[:, None]
    seen = np.where(right, telling / 2, -telling / 2) + random.normal(size=right.shape)
    hard = np.log(chance / (1 - chance)).clip(-6, 6) + random.normal(size=problems)
    grid = np.linspace(0.005, 0.995, 100)
    prior = grid**0.2 * (1 - grid) ** -0.2
    weight = prior * np.exp(-((hard[:, None, None] - np.log(grid / (1 - grid))) ** 2) / 2)
    is_right = grid * np.exp(-((seen[..., None] - telling / 2) ** 2) / 2)
    is_wrong = (1 - grid) * np.exp(-((seen[..., None] + telling / 2) ** 2) / 2)
    beaten = (weight * is_wrong * grid).sum(-1) / (weight * (is_right + is_wrong)).sum(-1)
    long = np.exp(random.normal(3.8, 0.5, (problems, 1)))
    lengths = np.rint(long * np.exp(0.15 * random.normal(size=right.shape)))
    return Bed(1 - beaten, right, lengths)
