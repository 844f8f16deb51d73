"""coverage@k from counts (Large Language Monkeys, arXiv 2407.21787, eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def coverage(correct: Sequence[int], n: int, k: int) -> float:
    """Unbiased share, in [0, 1], of problems that at least one of `k` samples solves.

    `correct[i]` of the `n` samples drawn for problem `i` were right; 1 ≤ k ≤ n.
    """
    return float(solved(np.asarray(correct), n, [k]).mean())


def solved(correct: NDArray[np.int64], n: int, ks: Sequence[int]) -> Floats:
    """Chance [problems, ks] that at least one of k samples is right: 1 - C(n-c, k) / C(n, k).

    `correct` [problems] of the `n` samples of each problem were right; 1 ≤ k ≤ n.
    """
    for k in ks:
        if not 1 <= k <= n:
            raise ValueError(f"k must be between 1 and {n}, not {k}")
    # log of Π_{i=n-c+1}^{n} (1 - k/i), by c: a sum of logs neither overflows nor cancels.
    factors = 1.0 - np.asarray(ks, float)[None, :] / np.arange(n, 0, -1)[:, None]
    with np.errstate(divide="ignore"):
        logs = np.log(np.clip(factors, 0.0, None))
    missed = np.exp(np.vstack([np.zeros(len(ks)), np.cumsum(logs, axis=0)]))
    return np.asarray(1.0 - missed[np.asarray(correct)], float)


def spread(n: int, count: int = 40) -> list[int]:
    """At most `count` log-spaced whole numbers from 1 to `n`, both included."""
    return [int(k) for k in np.unique(np.round(np.geomspace(1, n, count)))]
