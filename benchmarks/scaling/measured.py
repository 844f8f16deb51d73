"""A run's records as what the comparison needs: a figure a problem, repeats averaged (pure)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.journal import Run
from benchmarks.evaluation.results import Results, of_run
from benchmarks.scaling.beds import REPEAT
from benchmarks.scaling.equal import Measured


def measured(run: Run) -> dict[str, Measured]:
    """Each policy of a finished run, problems in the order of their ids."""
    return {name: _measured(results) for name, results in of_run(run).items()}


def _measured(results: Results) -> Measured:
    ids = [problem.id.rpartition(REPEAT)[0] for problem in results.problems]
    _, groups = np.unique(ids, return_inverse=True)
    return Measured(
        name=results.policy,
        right=_averaged(results.right, groups),
        tokens=_averaged(results.completion_tokens, groups),
        seconds=_averaged(results.seconds, groups),
        samples=_averaged(results.samples, groups),
        failed=int(results.failed.sum()),
    )


def _averaged(values: Floats, groups: NDArray[np.intp]) -> Floats:
    """The mean of each group's known values; NaN where a group has none."""
    known = np.isfinite(values)
    sums = np.bincount(groups, np.where(known, values, 0.0))
    counts = np.bincount(groups, known.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = sums / counts
    return means
