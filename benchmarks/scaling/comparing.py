"""All comparisons of one bed (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.bootstrap import Estimate, Resamples
from benchmarks.scaling.equal import Against, Measured, against
from benchmarks.scaling.table import ONE, point

RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    """One policy's means over problems; `seconds` is wall time a request.

    `over_one` is its accuracy less that of a single sample, whatever either costs.
    """

    name: str
    accuracy: Estimate
    tokens: Estimate
    samples: float
    seconds: float
    failed: int
    over_one: Estimate
    compared: Sequence[Against] = ()


@dataclass(frozen=True)
class Comparison:
    """`curves` are repeated sampling's by verifier, each from one sample on; `rows` the others."""

    curves: Mapping[str, Sequence[Row]]
    rows: Sequence[Row]


def compare(
    found: Mapping[str, Measured],
    *,
    strategies: Sequence[str],
    verifiers: Sequence[str],
    budgets: Sequence[int],
    seed: int,
) -> Comparison:
    """Every strategy of `found` against every curve, on the same resamples of problems."""
    one = found[ONE]
    resamples = Resamples(len(one.right), seed, RESAMPLES)
    curves = {
        verifier: [one, *(found[point(verifier, budget)] for budget in budgets)]
        for verifier in verifiers
    }

    def compared(name: str) -> Row:
        against_all = [
            against(found[name], verifier, curve, resamples) for verifier, curve in curves.items()
        ]
        return row(found[name], one, resamples, against_all)

    return Comparison(
        curves={
            verifier: [row(each, one, resamples) for each in curve]
            for verifier, curve in curves.items()
        },
        rows=[compared(name) for name in strategies],
    )


def row(
    each: Measured, one: Measured, resamples: Resamples, compared: Sequence[Against] = ()
) -> Row:
    """The means of one policy, beside those of a single sample."""
    return Row(
        name=each.name,
        accuracy=resamples.mean(each.right),
        tokens=resamples.mean(each.tokens),
        samples=float(np.nanmean(each.samples)),
        seconds=float(np.nanmean(each.seconds)),
        failed=each.failed,
        over_one=resamples.mean(each.right - one.right),
        compared=compared,
    )
