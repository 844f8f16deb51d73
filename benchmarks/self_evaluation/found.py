"""What the runs came to (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.journal import Entry, Run
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.measured import measured
from benchmarks.self_evaluation.plans import ALL, Row, seen
from benchmarks.self_evaluation.shares import told


@dataclass(frozen=True)
class Found:
    """Policies by name, problems in the order of their ids; of the annealed 16, in that order too,
    which candidates were right, the first ones' success, and how well their scores tell."""

    policies: Mapping[str, Measured]
    drawn_right: Sequence[NDArray[np.bool_]]
    first: Floats
    overall: float
    within: float

    @classmethod
    def of(cls, before: Run, after: Run) -> Found:
        """Of the first run and the second."""
        bank = _bank(before)
        right = [np.array([c["correct"] for c in each.candidates], bool) for each in bank]
        pairs = [
            ([c["score"] for c in judged], [c["correct"] for c in judged])
            for each in bank
            if (judged := [c for c in each.candidates if c["score"] is not None])
        ]
        apart = [value for each in pairs if not np.isnan(value := told(*each))]
        return cls(
            policies={**measured(before), **measured(after)},
            drawn_right=[each for each in right if len(each)],
            first=np.array([float(each[0]) if len(each) else 0.0 for each in right]),
            overall=told([s for ss, _ in pairs for s in ss], [r for _, rs in pairs for r in rs]),
            within=float(np.mean(apart)) if apart else float("nan"),
        )


def _bank(before: Run) -> list[Entry]:
    return [before.entries[ALL, id] for id in sorted(problem.id for problem in before.problems)]


def rows_of(before: Run) -> list[Row]:
    """The annealed candidates of each problem, less what is right."""
    return [
        [seen(c["score"], c["tokens"]) for c in each.candidates]
        for each in _bank(before)
        if each.candidates
    ]
