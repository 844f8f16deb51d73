"""How far probabilities are from the truth that they speak of (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BINS = 10
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies in one tenth of [0, 1]."""

    told: float
    right: float
    n: int


def bins(told: Floats, right: Floats, weights: Floats) -> list[Bin]:
    """The tenths that have answers, in order: mean probability told, share right, number."""
    place = np.minimum((told * BINS).astype(int), BINS - 1)
    n = np.bincount(place, weights, BINS)
    sums = np.bincount(place, weights * told, BINS), np.bincount(place, weights * right, BINS)
    return [
        Bin(float(sums[0][i] / n[i]), float(sums[1][i] / n[i]), round(n[i]))
        for i in range(BINS)
        if n[i]
    ]


def ece(told: Floats, right: Floats, weights: Floats) -> float:
    """Expected calibration error (Guo et al., arXiv 1706.04599) in ten bins of equal width."""
    place = np.minimum((told * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, weights * (told - right), BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def brier(told: Floats, right: Floats, weights: Floats) -> float:
    """Mean squared distance of what was told from what came true."""
    return float(np.average((told - right) ** 2, weights=weights))


def floor(told: Floats, weights: Floats, seed: int) -> float:
    """The error that these probabilities would show on as many answers if they were exact.

    Few answers show some error whatever is told: each bin's share differs from its chance.
    """
    rng = np.random.default_rng(seed)
    n = weights.astype(int)
    drawn = rng.binomial(n, told, size=(DRAWS, len(told)))
    place = np.minimum((told * BINS).astype(int), BINS - 1)
    onto = np.zeros((len(told), BINS))
    onto[np.arange(len(told)), place] = 1.0
    gaps = np.abs((n * told - drawn) @ onto).sum(axis=1)
    return float(gaps.mean() / n.sum())
