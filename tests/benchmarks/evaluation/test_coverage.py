"""The unbiased estimator against enumeration."""

from __future__ import annotations

from itertools import combinations

import pytest

from benchmarks.evaluation.coverage import coverage


@pytest.mark.parametrize("n", [1, 4, 7])
def test_equals_the_mean_over_all_subsets(n: int) -> None:
    for correct in range(n + 1):
        draws = [i < correct for i in range(n)]
        for k in range(1, n + 1):
            hits = [any(subset) for subset in combinations(draws, k)]
            assert coverage([correct], n, k) == pytest.approx(sum(hits) / len(hits))


def test_is_a_mean_over_problems() -> None:
    assert coverage([0, 4], 4, 1) == 0.5


def test_does_not_overflow() -> None:
    assert 0 < coverage([1], 10_000, 5_000) < 1


def test_k_out_of_range() -> None:
    with pytest.raises(ValueError, match="between 1 and 4"):
        coverage([1], 4, 5)
