"""Two ways to spend tokens, compared where they spend the same (pure).

Repeated sampling gives a curve, accuracy against mean completion tokens, known where it was
measured and interpolated between, on a logarithmic scale of tokens. A policy has one point. Its
advantage is the height of that point over the curve, with a paired bootstrap: each resample of
problems moves the point and the curve together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.evaluation.bootstrap import Estimate, Resamples, interval
from benchmarks.evaluation.coverage import Floats

Place = Literal["within", "below", "beyond"]


@dataclass(frozen=True)
class Measured:
    """One policy: what each problem came to, arrays [problems] in one order for all policies.

    `right` is in [0, 1], the share of repeats that were right; `tokens` are completion tokens,
    `seconds` wall time, NaN where every repeat failed. `failed` counts requests.
    """

    name: str
    right: Floats
    tokens: Floats
    seconds: Floats
    samples: Floats
    failed: int = 0


@dataclass(frozen=True)
class Against:
    """A policy's accuracy less a curve's where the curve spends as much.

    `baseline` is the curve's accuracy there. `place` tells whether the policy's tokens are within
    what the curve was measured for; outside, the nearest end of the curve is taken.
    """

    curve: str
    difference: Estimate
    baseline: float
    place: Place


def interpolated(tokens: Floats, accuracy: Floats, wanted: float) -> float:
    """The curve's accuracy at `wanted` tokens, linear in their logarithm; beyond an end, that end.

    `tokens` [points] are above 0, in any order.
    """
    order = np.argsort(tokens)
    return float(np.interp(np.log(wanted), np.log(tokens[order]), accuracy[order]))


def against(
    policy: Measured, name: str, curve: Sequence[Measured], resamples: Resamples
) -> Against:
    """`policy` against the curve that the points of `curve` make."""
    tokens, drawn_tokens = _means(policy.tokens, resamples)
    drawn_right = resamples.means(policy.right)
    points = [_means(point.tokens, resamples) for point in curve]
    at = np.array([mean for mean, _ in points])
    heights = np.array([point.right.mean() for point in curve])
    baseline = interpolated(at, heights, tokens)
    drawn_at = np.stack([drawn for _, drawn in points], axis=1)
    drawn_heights = np.stack([resamples.means(point.right) for point in curve], axis=1)
    drawn = np.array(
        [
            right - interpolated(there, height, spent)
            for right, spent, there, height in zip(
                drawn_right, drawn_tokens, drawn_at, drawn_heights, strict=True
            )
        ]
    )
    value = float(policy.right.mean()) - baseline
    return Against(name, interval(value, drawn), baseline, _place(tokens, at))


def _means(values: Floats, resamples: Resamples) -> tuple[float, Floats]:
    """The mean of what is known of `values`, of all problems and of each resample."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = resamples.means(filled) / resamples.means(known.astype(float))
    return float(filled.sum() / known.sum()), drawn


def _place(tokens: float, at: Floats) -> Place:
    # The first point is a single sample, drawn under the same seed: equal but for rounding.
    if tokens < at.min() * (1 - 1e-9):
        return "below"
    return "beyond" if tokens > at.max() * (1 + 1e-9) else "within"
