"""What more samples would give, by both laws, against what they did give where that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.bootstrap import Estimate, Resamples, interval
from benchmarks.evaluation.coverage import Floats, solved
from benchmarks.evaluation.laws import PowerLaw, TailLaw, power_of_counts, tail_of_counts
from benchmarks.evaluation.results import Results

FEWEST = 8
"""Samples a problem below which no law is fitted."""

REFITS = 300
"""Resamples that each law is fitted to; a fit takes milliseconds, unlike a mean."""

LAWS: dict[str, Callable[[NDArray[np.int64], int], PowerLaw | TailLaw]] = {
    "power_law": power_of_counts,
    "tail_law": tail_of_counts,
}


@dataclass(frozen=True, slots=True)
class Horizon:
    """Fit to the first `start` samples of each problem, forecast coverage@`end`; None by default
    all samples there are, and four times as many as are fitted."""

    start: int | None = None
    end: int | None = None


def forecast(results: Results, horizon: Horizon, seed: int) -> dict[str, Any] | None:
    """The forecast of a policy's coverage, or None where it has no law: too few samples of a
    problem, or a number of samples that hangs on what they were."""
    drawn = results.same_number()
    start = horizon.start or drawn
    if drawn is None or start is None or drawn < start or start < FEWEST:
        return None
    end = horizon.end or 4 * start
    counts = results.counts(start)
    resamples = Resamples(len(counts), seed, REFITS)
    measured = solved(results.counts(drawn), drawn, [end])[:, 0] if end <= drawn else None
    found: dict[str, Any] = {
        "from": start,
        "to": end,
        "measured": None if measured is None else resamples.mean(measured).json(),
    }
    ks = np.unique(np.concatenate([np.geomspace(1, end, 40).round(), [start]]))
    for name, fit in LAWS.items():
        law = fit(counts, start)
        refits = [fit(counts[indices], start) for indices in resamples.indices]
        found[name] = _told(law, refits, ks)
        if measured is not None:
            errors = np.array([each.at(ks[-1:])[0] for each in refits]) - resamples.means(measured)
            error = float(law.at(ks[-1:])[0] - measured.mean())
            found[name]["error"] = interval(error, errors).json()
    return found


def _told(law: PowerLaw | TailLaw, refits: list[PowerLaw | TailLaw], ks: Floats) -> dict[str, Any]:
    curves = np.array([each.at(ks) for each in refits])
    beyond = np.isfinite(law.at(ks))
    bands = [
        interval(float(value), drawn)
        for value, drawn in zip(law.at(ks)[beyond], curves[:, beyond].T, strict=True)
    ]
    told: dict[str, Any] = {name: _of(law, refits, name).json() for name in _names(law)}
    told["forecast"] = bands[-1].json()
    told["curve"] = {
        "k": [int(k) for k in ks[beyond]],
        "value": [each.value for each in bands],
        "low": [each.low for each in bands],
        "high": [each.high for each in bands],
    }
    return told


def _names(law: PowerLaw | TailLaw) -> tuple[str, ...]:
    return ("a", "b") if isinstance(law, PowerLaw) else ("weight", "alpha", "beta")


def _of(law: PowerLaw | TailLaw, refits: list[PowerLaw | TailLaw], name: str) -> Estimate:
    return interval(float(getattr(law, name)), np.array([getattr(each, name) for each in refits]))
