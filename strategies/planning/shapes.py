"""Shapes of a question: how the answers that a model would give to it share the votes.

A shape is a share for each answer, the largest first: the first has `p`, and each further one the
fraction `f` of what those before leave. Answers have no names here, as only their counts are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FIRST = (1.0, 0.995, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.04)
FRACTIONS = (0.9, 0.5, 0.25, 0.1)
ANSWERS = 40
"""Answers of a shape; what is left after them falls to the last."""
QUESTIONS = 10.0
"""Questions that the prior counts as."""


@dataclass(frozen=True)
class Shapes:
    """`shares` by shape and answer; `prior` by shape, which sums to 1."""

    shares: Floats
    prior: Floats

    def right(self, sharpness: float) -> Floats:
        """The chance that each answer is right, by shape and answer.

        No label tells it: answers are taken to be right with chances that go with their shares,
        raised to `sharpness` and renormalised.
        """
        powers: Floats = self.shares**sharpness
        chances: Floats = powers / powers.sum(axis=1, keepdims=True)
        return chances


@lru_cache(maxsize=1)
def shapes() -> Shapes:
    """All shapes. Sure ones weigh more before anything is known: most traffic is easy."""
    rows, weights = [], []
    for first in FIRST:
        for fraction in FRACTIONS if first < 1 else FRACTIONS[:1]:
            rest = (1 - first) * fraction * (1 - fraction) ** np.arange(ANSWERS - 1)
            rest[-1] += max(0.0, 1 - first - rest.sum())
            rows.append(np.sort(np.concatenate([[first], rest]))[::-1])
            weights.append(8.0 if first == 1 else 3.0 if first >= 0.95 else 1.0)
    prior = np.array(weights)
    return Shapes(np.array(rows), prior / prior.sum())
