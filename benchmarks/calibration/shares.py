"""Completeness and soundness of verdicts, with intervals."""

from __future__ import annotations

import math

from benchmarks.calibration.labelled import Verdicts
from gateway.calibration.maps import Interval, Key, Reliability

Z = 1.959963984540054
"""Of a 95% interval."""


def reliability(key: Key, verdicts: Verdicts) -> Reliability | None:
    """Shares over all candidates; None where none is right, or none is wrong."""
    cells = list(verdicts.by_request.values())
    passed = [(cell.get((True, True), 0), cell.get((False, True), 0)) for cell in cells]
    failed = [(cell.get((False, False), 0), cell.get((True, False), 0)) for cell in cells]
    completeness, soundness = share(passed), share(failed)
    if completeness is None or soundness is None:
        return None
    model, route, verifier = key
    return Reliability(
        model=model,
        route=route,
        verifier=verifier,
        n=completeness.n + soundness.n,
        completeness=completeness,
        soundness=soundness,
    )


def share(counts: list[tuple[int, int]]) -> Interval | None:
    """The share of the first of each pair, a request each, with Wilson's interval.

    Candidates of one request resemble each other: the number that the interval counts is the one
    of as many independent candidates (Kish's effective size, by the variance between requests).
    """
    counts = [(yes, no) for yes, no in counts if yes + no]
    n = sum(yes + no for yes, no in counts)
    if not n:
        return None
    p = sum(yes for yes, _ in counts) / n
    effective = min(float(n), _effective(counts, p, n))
    low, high = wilson(p, effective)
    return Interval(share=p, low=low, high=high, n=n)


def _effective(counts: list[tuple[int, int]], p: float, n: int) -> float:
    groups = len(counts)
    if groups < 2 or p in (0.0, 1.0):
        return float(n) if all(yes + no == 1 for yes, no in counts) else float(groups)
    spread = sum((yes - p * (yes + no)) ** 2 for yes, no in counts) * groups / (groups - 1)
    return p * (1 - p) * n**2 / spread if spread else float(n)


def wilson(p: float, n: float) -> tuple[float, float]:
    """The 95% interval of a share `p` of `n` independent draws (Wilson, 1927)."""
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)
