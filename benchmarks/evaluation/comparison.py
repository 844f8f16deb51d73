"""Whether two runs of the same problems say the same, policy by policy (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.evaluation.journal import Json, Run
from benchmarks.evaluation.results import of_run
from benchmarks.evaluation.summary import PAIRED, paired


def agreement(runs: Mapping[str, Run], resamples: int) -> Sequence[Json]:
    """Each later run against the first, for the policies that both have.

    Two runs agree in a figure where the 95% interval of its paired difference contains nought. Of
    many true agreements one in twenty is therefore called a difference.
    """
    (first, base), *others = runs.items()
    seed = int(base.manifest["seed"])
    left = of_run(base)
    found: list[Json] = []
    for label, run in others:
        right = of_run(run)
        for policy in left:
            if policy in right:
                told = paired(left[policy], right[policy], seed, resamples)
                agrees = {name: _holds_nought(told[name]) for name in PAIRED if name in told}
                found.append(
                    {"policy": policy, "run": label, "against": first, **told, "agrees": agrees}
                )
    return found


def _holds_nought(estimate: Json) -> bool | None:
    low, high = estimate["low"], estimate["high"]
    return None if low is None else bool(low <= 0.0 <= high)
