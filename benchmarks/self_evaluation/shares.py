"""How much of what 16 samples gain is kept with fewer (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.bootstrap import Estimate, Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.scaling.equal import Measured
from benchmarks.self_evaluation.bound import Curve

LIMITS = {2.5: 0.55, 4.0: 0.75, 6.0: 0.85}
"""Most samples on average, and the share of the gain that is asked for there."""


@dataclass(frozen=True)
class Kept:
    """The policy of a family that spends most within `limit`; `share` of the gain of 16 samples.

    `bound` is the share that a perfect self-evaluation keeps of its own gain, and `highest` its
    accuracy. `name` is None where the family has no policy within the limit, `share` NaN where 16
    samples gain nothing.
    """

    family: str
    limit: float
    wanted: float
    name: str | None
    samples: float
    accuracy: float
    share: Estimate
    bound: float
    highest: float


def kept(
    found: Mapping[str, Measured],
    families: Mapping[str, Sequence[str]],
    *,
    base: Floats,
    whole: Floats,
    curve: Curve,
    resamples: Resamples,
) -> list[Kept]:
    """For each family and limit; `base` and `whole` [problems] are right with 1 and 16 samples."""
    rows = []
    top = float(curve.accuracy.max())
    for family, names in families.items():
        for limit, wanted in LIMITS.items():
            name = _within(found, names, limit)
            highest = curve.at(limit)
            bound = (highest - base.mean()) / (top - base.mean()) if top > base.mean() else np.nan
            chosen = found[name] if name else None
            rows.append(
                Kept(
                    family=family,
                    limit=limit,
                    wanted=wanted,
                    name=name,
                    samples=float(np.nanmean(chosen.samples)) if chosen else np.nan,
                    accuracy=float(chosen.right.mean()) if chosen else np.nan,
                    share=resamples.ratio(chosen.right - base, whole - base)
                    if chosen and whole.mean() > base.mean()
                    else Estimate(np.nan, np.nan, np.nan),
                    bound=float(bound),
                    highest=highest,
                )
            )
    return rows


def _within(found: Mapping[str, Measured], names: Sequence[str], limit: float) -> str | None:
    """The policy that spends most samples within `limit`: chosen by its cost alone."""
    spent = {name: float(np.nanmean(found[name].samples)) for name in names}
    allowed = [name for name in names if spent[name] <= limit]
    return max(allowed, key=lambda name: spent[name], default=None)
