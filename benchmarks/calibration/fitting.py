"""Fitting a map to labelled answers, and judging it by answers that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from benchmarks.calibration import errors
from benchmarks.calibration.errors import Bin, Floats
from benchmarks.calibration.labelled import Answers
from gateway.calibration.maps import Key, Map

FOLDS = 5
LEAST_OF_EACH = 10
"""Right answers, and wrong ones, below which nothing is fitted."""

Shape = tuple[tuple[float, ...], tuple[float, ...]]
"""A map's `xs` and `ys`."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Answers as arrays; `folds` keeps the answers of one request together."""

    scores: Floats
    right: Floats
    weights: Floats
    folds: np.ndarray[tuple[int], np.dtype[np.int64]]

    @classmethod
    def of(cls, answers: Answers, seed: int) -> Rows:
        """The rows of `answers`, counted ones spread over the folds one by one."""
        weights = np.asarray(answers.weights)
        each = np.repeat(np.arange(len(weights)), weights)
        names = np.unique(np.asarray(answers.groups), return_inverse=True)[1]
        alone = np.repeat(weights > 1, weights)
        # What was only counted has no request of its own to keep together.
        groups = np.where(alone, names.max() + 1 + np.arange(len(each)), names[each])
        _, groups = np.unique(groups, return_inverse=True)
        order = np.random.default_rng(seed).permutation(groups.max() + 1)
        return cls(
            np.asarray(answers.scores, float)[each],
            np.asarray(answers.right, float)[each],
            np.ones(len(each)),
            order[groups] % FOLDS,
        )

    def only(self, which: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Rows:
        return Rows(self.scores[which], self.right[which], self.weights[which], self.folds[which])


@dataclass(frozen=True, slots=True)
class Fit:
    """A map, what it told of answers that it had not seen, and `why` it is not for use, if so."""

    key: Key
    n: int
    share: float
    map: Map | None = None
    floor: float = 0.0
    bins: tuple[Bin, ...] = ()
    why: str = ""


def fitted(key: Key, answers: Answers, *, least: int, most_ece: float, seed: int) -> Fit:
    """The better of both kinds of map for `answers`, by cross-validated Brier score.

    It is for use where there are `least` labels and its error on answers that it was not fitted to
    is at most `most_ece`.
    """
    n, right = sum(answers.weights), sum(np.multiply(answers.right, answers.weights))
    unfit = Fit(key, n, float(right / n))
    if min(right, n - right) < LEAST_OF_EACH:
        return replace(unfit, why=f"needs {LEAST_OF_EACH} right and {LEAST_OF_EACH} wrong answers")
    rows = Rows.of(answers, seed)
    told = {kind: _cross_told(rows, kind) for kind in SHAPES}
    kind = min(told, key=lambda kind: errors.brier(told[kind], rows.right, rows.weights))
    seen = told[kind], rows.right, rows.weights
    ece = errors.ece(*seen)
    fit = replace(
        unfit,
        map=_map(key, kind, rows, ece=ece, brier=errors.brier(*seen)),
        floor=errors.floor(told[kind], rows.weights, seed),
        bins=tuple(errors.bins(*seen)),
    )
    if n < least:
        return replace(fit, why=f"needs {least} labels")
    if ece > most_ece:
        return replace(fit, why=f"its error is over {most_ece:g}")
    return fit


def told_by(found: Map, scores: Floats) -> Floats:
    """What a map tells of each of `scores`."""
    return np.asarray([found.probability(float(score)) for score in scores])


def _map(key: Key, kind: str, rows: Rows, *, ece: float = 0.0, brier: float = 0.0) -> Map:
    model, route, verifier = key
    xs, ys = SHAPES[kind](rows)
    of = {"model": model, "route": route, "verifier": verifier, "n": len(rows.scores)}
    return Map.model_validate({**of, "kind": kind, "xs": xs, "ys": ys, "ece": ece, "brier": brier})


def _cross_told(rows: Rows, kind: str) -> Floats:
    """What a map tells of each answer that was fitted to the other folds."""
    told = np.full(len(rows.scores), rows.right.mean())
    for fold in range(FOLDS):
        out = rows.folds == fold
        rest = rows.only(~out)
        if out.any() and 0 < rest.right.sum() < len(rest.right):
            told[out] = told_by(_map(("-", "-", "-"), kind, rest), rows.scores[out])
    return told


def _isotonic(rows: Rows) -> Shape:
    """Zadrozny & Elkan (2002); half an answer that says otherwise at either end, as no finite
    number of answers shows a chance of 0 or 1."""
    ends = [rows.scores.min(), rows.scores.max()]
    fit = IsotonicRegression(out_of_bounds="clip")
    fit.fit(
        np.concatenate([rows.scores, ends]),
        np.concatenate([rows.right, [1.0, 0.0]]),
        np.concatenate([rows.weights, [0.5, 0.5]]),
    )
    xs, ys = fit.X_thresholds_, np.clip(fit.y_thresholds_, 0.0, 1.0)
    return tuple(map(float, xs)), tuple(map(float, ys))


def _platt(rows: Rows) -> Shape:
    """Platt (1999), with his targets; level where higher scores are not better."""
    yes, no = rows.right.sum(), len(rows.right) - rows.right.sum()
    target = np.where(rows.right > 0, (yes + 1) / (yes + 2), 1 / (no + 2))
    spread = rows.scores.std() or 1.0
    xs = np.concatenate([rows.scores, rows.scores])[:, None] / spread
    labels = np.concatenate([np.ones_like(target), np.zeros_like(target)])
    weights = np.concatenate([target, 1 - target])
    fit = LogisticRegression(C=1e6, max_iter=1000).fit(xs, labels, sample_weight=weights)
    slope, offset = float(fit.coef_[0, 0] / spread), float(fit.intercept_[0])
    if slope >= 0:
        return (), (slope, offset)
    mean = float(target.mean())
    return (), (0.0, float(np.log(mean / (1 - mean))))


SHAPES: Mapping[str, Callable[[Rows], Shape]] = {"isotonic": _isotonic, "platt": _platt}
