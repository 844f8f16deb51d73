"""coverage@k and accuracy from counts (Large Language Monkeys, arXiv 2407.21787, eq. 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def coverage(correct: Sequence[int], n: int, k: int) -> float:
    """Unbiased share, in [0, 1], of problems that at least one of `k` samples solves.

    `correct[i]` of the `n` samples drawn for problem `i` were right; 1 ≤ k ≤ n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and {n}, not {k}")
    return sum(1.0 - _all_wrong(c, n, k) for c in correct) / len(correct)


def _all_wrong(c: int, n: int, k: int) -> float:
    """C(n-c, k) / C(n, k), as a product that does not overflow."""
    if n - c < k:
        return 0.0
    return math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))
