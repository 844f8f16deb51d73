"""Minimum Bayes risk: what each candidate is worth, seen from all of them and from evidence (pure).

A table of utilities has a row a candidate and a column for each candidate, then each answer of the
evidence; NaN is a utility that is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from gateway import answers

Table = Sequence[Sequence[float]]
MAX_TEXT = 8_000
"""Characters at the beginning of a text that utilities of whole texts read."""


def expected(table: Table) -> list[float]:
    """Each row's mean utility over its known columns; NaN where it has none.

    Where all are known this orders rows as Σ U(y, e) over Y ∪ M does (arXiv 2506.20544, X-MBR).
    """
    known = [[utility for utility in row if not math.isnan(utility)] for row in table]
    return [math.fsum(row) / len(row) if row else math.nan for row in known]


def chrf(texts: Sequence[str], others: Sequence[str]) -> list[list[float]]:
    """chrF2 of each of `texts` with each of `others` as its reference, 0 to 100, by sacrebleu.

    For a worker process: a pair of long texts takes milliseconds.
    """
    from sacrebleu.metrics.chrf import CHRF  # here, because only a worker needs it

    metric = CHRF()
    known: dict[tuple[str, str], float] = {}
    for text in texts:
        for other in others:
            if (text, other) not in known:
                scored = metric.sentence_score(text[:MAX_TEXT], [other[:MAX_TEXT]])
                known[text, other] = float(scored.score)
    return [[known[text, other] for other in others] for text in texts]


def cosines(vectors: Sequence[Sequence[float]], rows: int) -> list[list[float]]:
    """Cosine of each of the first `rows` vectors with each of all; NaN beside a zero vector."""
    import numpy as np  # here, as few gateways need it

    matrix = np.asarray(vectors, float)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = matrix / lengths
    table: list[list[float]] = (unit[:rows] @ unit.T).tolist()
    return table


def votes(keys: Sequence[str | None], evidence: Sequence[str | None]) -> list[list[float]]:
    """1.0 where two answers are the same, else 0.0; NaN where either has none.

    Among candidates a class of answers has one key. Evidence is in another language, so that its
    units have other names: there the numbers alone are compared, and per cent with per cent only.
    """
    table = []
    for mine in keys:
        own = [_told(mine, theirs, mine == theirs) for theirs in keys]
        others = [_told(mine, theirs, _across(mine, theirs)) for theirs in evidence]
        table.append([*own, *others])
    return table


def contested(keys: Sequence[str | None], eligible: Sequence[int], evidence: int) -> bool:
    """Whether as many as `evidence` more votes could change which class of `eligible` leads.

    A tie is the leader's, who has more candidates of its own.
    """
    counts = Counter(key for key in keys if key is not None)
    named = {keys[i] for i in eligible} - {None}
    sizes = sorted((counts[name] for name in named if name is not None), reverse=True)
    return len(sizes) > 1 and sizes[0] - sizes[1] < evidence


def _told(mine: str | None, theirs: str | None, same: bool) -> float:
    return math.nan if mine is None or theirs is None else float(same)


def _across(mine: str | None, theirs: str | None) -> bool:
    if mine is None or theirs is None or mine == theirs:
        return mine == theirs
    left, right = answers.quantity(mine), answers.quantity(theirs)
    if left is None or right is None:
        return False
    return left.value == right.value and (left.unit == "%") is (right.unit == "%")
