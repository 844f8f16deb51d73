"""How well the scores that candidates got tell the right ones from the wrong (pure).

AUROC: the chance that a right candidate is scored above a wrong one, ties counting half. Over all
candidates it also rewards a score that knows easy problems; within problems only one that can
choose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.journal import Json
from benchmarks.evaluation.results import Results


def auroc(scores: Sequence[float] | Floats, right: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Over all candidates, but those whose score is NaN; NaN where there are not both kinds."""
    won, pairs = _won(np.asarray(scores, float), np.asarray(right, bool))
    return won / pairs if pairs else float("nan")


def ranking(results: Results, resamples: Resamples) -> Json | None:
    """AUROC over all scored candidates, and within problems; None where nothing is told apart."""
    right = np.concatenate(results.drawn_right) if results.drawn_right else np.zeros(0, bool)
    scores = np.concatenate(results.scores) if results.scores else np.zeros(0)
    scored = np.isfinite(scores)
    right, scores = right[scored], scores[scored]
    if right.all() or not right.any() or np.ptp(scores) == 0:
        return None
    each = [_won(s, r) for s, r in zip(results.scores, results.drawn_right, strict=True)]
    won, pairs = np.array(each).T
    return {
        "all": auroc(scores, right),
        "within": resamples.ratio(won, pairs).json(),
    }


def _won(scores: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    """In how many pairs of a right and a wrong candidate the right one is above; how many."""
    scored = np.isfinite(scores)
    good, bad = scores[scored & right], np.sort(scores[scored & ~right])
    below, at_most = (np.searchsorted(bad, good, side) for side in ("left", "right"))
    return float(below.sum() + at_most.sum()) / 2, float(len(good) * len(bad))
