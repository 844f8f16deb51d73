"""Two laws of coverage@k, fitted to the samples there are: what would more samples give?

`PowerLaw` is the one that Large Language Monkeys (arXiv 2407.21787, section 3) fits. It has no
reason to hold where coverage saturates: there its exponent drifts with k. So it is fitted to the
last two doublings of k alone, which on populations whose truth is known takes up to half of its
error where the whole curve misleads, and costs a few tenths of a point where the law is right.
`TailLaw` says instead
that each problem has a chance p of its own, so that coverage is 1 - E[(1 - p)^k], and that among
the hard problems, which alone matter beyond the data, p is beta distributed. It is fitted to the
problems of which at most a quarter of the samples were right: a beta law of all problems is led by
the easy ones and was biased by up to ten points on populations that are not beta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize
from scipy.special import betaln, digamma, expit, gammaln

from benchmarks.evaluation.coverage import Floats, solved, spread

POINTS = 40
"""Log-spaced k from 1 on, as in the paper, of which the power law is fitted to the last."""

LATE = 4
"""It is fitted to k from one in so many of the samples on."""

HARD = 4
"""A problem is hard where at most one in so many samples was right."""

START = np.array([1.0, 0.0, 0.0])
BOUNDS = [(-8.0, 8.0), (-4.0, 4.0), (-3.0, 6.0)]
"""Of the weight's logit and the logs of alpha and beta."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """coverage(k) = exp(a k^b) with a ≤ 0, b ≤ 0."""

    a: float
    b: float

    def at(self, ks: Floats) -> Floats:
        """Coverage at each of `ks` ≥ 1."""
        powers = np.asarray(ks, float) ** self.b
        return np.asarray(np.exp(self.a * powers), float)


@dataclass(frozen=True, slots=True)
class TailLaw:
    """coverage(k) = 1 - weight E[(1 - p)^k], p ~ Beta(alpha, beta), for k ≥ `samples`."""

    weight: float
    alpha: float
    beta: float
    samples: int

    def at(self, ks: Floats) -> Floats:
        """Coverage at each of `ks`; NaN below `samples`, where there are data to look at."""
        ks = np.asarray(ks, float)
        missed = np.exp(betaln(self.alpha, self.beta + ks) - betaln(self.alpha, self.beta))
        return np.where(ks < self.samples, np.nan, np.clip(1.0 - self.weight * missed, 0.0, 1.0))


def fit_power(ks: Floats, covered: Floats) -> PowerLaw:
    """The exponentiated power law nearest, by least squares, to coverage `covered` at `ks`."""
    ks, covered = np.asarray(ks, float), np.asarray(covered, float)
    if covered.max() <= 0.0:
        return PowerLaw(-math.inf, 0.0)
    if covered.min() >= 1.0:
        return PowerLaw(0.0, 0.0)
    logs = np.log(ks)
    inside = (covered > 0.0) & (covered < 1.0)
    start = _straight(logs[inside], np.log(-np.log(covered[inside])))

    def residuals(theta: Floats) -> Floats:
        return np.asarray(np.exp(-np.exp(theta[0] + theta[1] * logs)) - covered)

    def slopes(theta: Floats) -> Floats:
        each = np.exp(theta[0] + theta[1] * logs)
        first = -each * np.exp(-each)
        return np.column_stack([first, first * logs])

    found = least_squares(residuals, start, jac=slopes, method="lm")
    return PowerLaw(-math.exp(found.x[0]), min(0.0, float(found.x[1])))


def _straight(x: Floats, y: Floats) -> Floats:
    """Intercept and slope of the line through the points, or a guess where there are too few."""
    if len(x) < 2:
        return np.array([y[0] if len(y) else 0.0, -0.5])
    slope, intercept = np.polyfit(x, y, 1)
    return np.array([intercept, slope])


def power_of_counts(correct: NDArray[np.int64], n: int) -> PowerLaw:
    """The power law of problems of which `correct` [problems] of `n` samples were right."""
    ks = [k for k in spread(n, POINTS) if LATE * k >= n]
    return fit_power(np.asarray(ks, float), solved(correct, n, ks).mean(axis=0))


def tail_of_counts(correct: NDArray[np.int64], n: int) -> TailLaw:
    """The tail law of problems of which `correct` [problems] of `n` samples were right.

    Maximum likelihood of the numbers of right samples, where all above n/4 count as one: with
    chance `weight` a problem is of the beta-binomial kind, else its number is above.
    """
    most = n // HARD
    held = np.bincount(correct, minlength=n + 1)[: most + 1] / len(correct)
    hard = float(held.sum())
    if not hard:
        return TailLaw(0.0, 1.0, 1.0, n)
    counts = np.arange(most + 1)
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)

    def loss(theta: Floats) -> tuple[float, Floats]:
        weight, (alpha, beta) = expit(theta[0]), np.exp(theta[1:])
        each = ways + betaln(alpha + counts, beta + n - counts) - betaln(alpha, beta)
        chances = np.exp(each)
        above = max(1.0 - weight * float(chances.sum()), 1e-12)
        common = digamma(alpha + beta) - digamma(alpha + beta + n)
        slopes = np.stack(
            [
                np.full(len(counts), 1.0 - weight),
                alpha * (digamma(alpha + counts) - digamma(alpha) + common),
                beta * (digamma(beta + n - counts) - digamma(beta) + common),
            ]
        )
        total = held @ (np.log(weight) + each) + (1.0 - hard) * math.log(above)
        return -float(total), -(slopes @ (held - (1.0 - hard) / above * weight * chances))

    found = minimize(loss, START, jac=True, method="L-BFGS-B", bounds=BOUNDS)
    alpha, beta = np.exp(found.x[1:])
    return TailLaw(float(expit(found.x[0])), float(alpha), float(beta), n)
