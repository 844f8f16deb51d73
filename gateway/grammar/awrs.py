"""Adaptive weighted rejection sampling of one token (arXiv 2504.05410).

For constraints that are dear to check: tokens are drawn without replacement and checked one at a
time, so that few of the vocabulary are ever checked. The token found is distributed as masking
would draw it; the weight is an unbiased estimate of the mass that the constraint allows, which
makes (token, weight) properly weighted for the unmasked target, as sequential Monte Carlo needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gateway.grammar.trie import Floats

EXTRA = 2
"""Draws behind the first accepted one from which its weight is estimated."""


class Drawn(NamedTuple):
    """A token, None where none is allowed; its log weight; and how many tokens were checked."""

    token: int | None
    log_weight: float
    checks: int


def awrs(
    logp: Floats,
    allows: Callable[[int], bool],
    random: np.random.Generator,
    *,
    extra: int = EXTRA,
) -> Drawn:
    """Draw a token with log-probabilities `logp` [vocab] that the constraint `allows`.

    Once a token is accepted, `extra` more are drawn of what has not been rejected by then, each
    rejected one leaving for good. Every such draw is accepted with the probability allowed mass /
    remaining mass, given all that went before, so remaining mass · accepted averages to the allowed
    mass whatever came first; the weight is the mean of those.
    """
    weights = np.exp(np.asarray(logp, np.float64))
    whole = float(weights.sum())
    verdicts: dict[int, bool] = {}
    found: int | None = None
    estimates: list[float] = []
    while len(estimates) < extra or found is None:
        left = float(weights.sum())
        if left <= 0.0:
            break
        token = _pick(weights, random)
        if token not in verdicts:
            verdicts[token] = allows(token)
        if found is not None:
            estimates.append(left if verdicts[token] else 0.0)
        elif verdicts[token]:
            found = token
        if not verdicts[token]:
            weights[token] = 0.0
    if found is None:
        return Drawn(None, -math.inf, len(verdicts))
    mean = sum(estimates) / (len(estimates) * whole)
    return Drawn(found, math.log(mean) if mean > 0 else -math.inf, len(verdicts))


def _pick(weights: Floats, random: np.random.Generator) -> int:
    reached = weights.cumsum()
    at = int(np.searchsorted(reached, random.random() * reached[-1], side="right"))
    return min(at, int(np.flatnonzero(weights)[-1]))
