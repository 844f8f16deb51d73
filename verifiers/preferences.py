"""From comparisons of pairs to a value for each (pure)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

Pair = tuple[int, int]


def pairs(texts: Sequence[str], rivals: int) -> list[Pair]:
    """Places (i, j) of the texts to compare, each with at most `rivals` others.

    All pairs where that is enough; else neighbours on a circle in the order of the texts' digests,
    which no author of a text chooses, and the order of candidates has no part in.
    """
    count = len(texts)
    if count - 1 <= rivals:
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    circle = sorted(range(count), key=lambda i: hashlib.blake2b(texts[i].encode()).digest())
    return [
        (circle[place], circle[(place + step) % count])
        for place in range(count)
        for step in range(1, rivals // 2 + 1)
    ]


def chances(count: int, gaps: Mapping[Pair, float]) -> list[float | None]:
    """The mean chance, in [0, 1], of each of `count` to be preferred to another it is tied to.

    `gaps` are log-odds that i is preferred to j. Strengths s minimise Σ (s_i − s_j − gap)², so
    that incomplete comparisons count by who the rivals were (Bradley-Terry in its log-odds). None
    for one without any comparison; who is not connected by comparisons is not compared.
    """
    import numpy as np  # here, as few gateways need it

    rows = np.zeros((len(gaps), count))
    for row, (i, j) in enumerate(gaps):
        rows[row, i], rows[row, j] = 1.0, -1.0
    strengths = np.linalg.lstsq(rows, np.array(list(gaps.values())), rcond=None)[0] if gaps else []
    groups = _groups(count, gaps)
    return [
        _mean([_sigmoid(float(strengths[i] - strengths[j])) for j in groups[i] if j != i])
        for i in range(count)
    ]


def _groups(count: int, gaps: Mapping[Pair, float]) -> list[set[int]]:
    """Whom each is connected to by comparisons, itself included."""
    groups = [{i} for i in range(count)]
    for i, j in gaps:
        if groups[i] is not groups[j]:
            groups[i] |= groups[j]
            for member in groups[j]:
                groups[member] = groups[i]
    return groups


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
