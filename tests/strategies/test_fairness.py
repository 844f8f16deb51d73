"""Budgets split among languages: least error, against brute force."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import product

import pytest

from strategies.fairness import split

OF: dict[str, Callable[[list[float]], float]] = {"sum": math.fsum, "worst": max}


def curves_of(rng: random.Random, names: str, length: int) -> dict[str, list[float]]:
    """Convex falling error curves."""
    found = {}
    for name in names:
        drops = sorted((rng.random() * 0.2 for _ in range(length - 1)), reverse=True)
        curve = [0.9]
        for drop in drops:
            curve.append(curve[-1] - drop * 0.9)
        found[name] = [max(0.0, value) for value in curve]
    return found


@pytest.mark.parametrize("objective", ["sum", "worst"])
def test_no_other_split_has_less_error(objective: str) -> None:
    rng = random.Random(5)
    of = OF[objective]
    for _ in range(60):
        curves = curves_of(rng, "abc", 6)
        found = split(curves, 3, objective)  # type: ignore[arg-type]
        assert sum(found.values()) <= 9
        mine = of([curves[name][n - 1] for name, n in found.items()])
        best = min(
            of([curves[name][n - 1] for name, n in zip("abc", counts, strict=True)])
            for counts in product(range(1, 7), repeat=3)
            if sum(counts) <= 9
        )
        assert mine == pytest.approx(best)


def test_the_weak_language_gets_more_for_the_worst_and_the_steep_one_for_the_sum() -> None:
    curves = {"en": [0.4, 0.1, 0.05, 0.04], "ja": [0.6, 0.58, 0.56, 0.54]}
    assert split(curves, 2, "worst") == {"en": 1, "ja": 3}
    assert split(curves, 2, "sum") == {"en": 3, "ja": 1}


def test_samples_that_bring_nothing_are_kept() -> None:
    assert split({"en": [0.3, 0.3, 0.3], "de": [0.3]}, 3, "sum") == {"en": 1, "de": 1}
    assert split({}, 5, "worst") == {}


def test_a_plateau_is_stepped_over_and_noise_is_none() -> None:
    assert split({"en": [0.5, 0.5, 0.1]}, 3, "sum") == {"en": 3}
    assert split({"en": [0.5, 0.6, 0.4, 0.7]}, 4, "worst") == {"en": 3}
