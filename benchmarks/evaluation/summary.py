"""What a run comes to, as one JSON document; every figure of the report is in it (pure)."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.evaluation.bootstrap import Resamples, interval
from benchmarks.evaluation.coverage import Floats, solved, spread
from benchmarks.evaluation.forecast import Horizon, forecast
from benchmarks.evaluation.journal import Json, Run
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.ranking import ranking
from benchmarks.evaluation.results import Results, of_run

FORMAT = 1
TIMES = "seconds"
"""Key under which all stands that another run at the same seed need not repeat."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """How figures are made of records."""

    resamples: int = 2000
    horizon: Horizon = field(default_factory=Horizon)


def summarise(run: Run, how: Statistics) -> Json:
    """The summary of a run, finished or not."""
    # Thousands of tiny fits: threads that wait for each other cost ten times the work.
    with threadpool_limits(1):
        return _summary(run, how)


def _summary(run: Run, how: Statistics) -> Json:
    results = of_run(run)
    seed = int(run.manifest["seed"])
    policies = {name: _policy(each, seed, how) for name, each in results.items()}
    return {
        "format": FORMAT,
        "versions": versions(),
        "settings": run.manifest,
        "problems": len(run.problems),
        "complete": all(
            (name, each.id) in run.entries
            for name in run.manifest["policies"]
            for each in run.problems
        ),
        "resamples": how.resamples,
        "policies": policies,
        "differences": _differences(results, seed, how.resamples),
    }


def versions() -> dict[str, str]:
    """Of what made the figures."""
    names = ("its-gateway", "numpy", "scipy", "matplotlib")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _policy(results: Results, seed: int, how: Statistics) -> Json:
    resamples = Resamples(len(results.problems), seed, how.resamples)
    drawn = results.same_number()
    return {
        "requests": len(results.problems),
        "failed": int(results.failed.sum()),
        "errors": dict(sorted(results.errors.items())),
        "stops": dict(sorted(results.stops.items())),
        "degraded": dict(sorted(results.degraded.items())),
        **_figures(results, resamples),
        "prompt_tokens": resamples.mean(results.prompt_tokens).json(),
        "total_completion_tokens": int(np.nansum(results.completion_tokens)),
        "total_prompt_tokens": int(np.nansum(results.prompt_tokens)),
        "coverage": None if drawn is None else _curve(results, drawn, resamples),
        "auroc": ranking(results, resamples),
        "forecast": forecast(results, how.horizon, seed),
        "by_language": _groups(results, lambda problem: problem.language, seed, how),
        "by_steps": _groups(results, lambda problem: problem.steps, seed, how),
        TIMES: _times(results, resamples),
    }


def _figures(results: Results, resamples: Resamples) -> Json:
    """What is told of a policy as a whole and of each language: means over problems."""
    hits = results.hits
    return {
        "accuracy": resamples.mean(results.right).json(),
        "any_right": resamples.mean(hits).json(),
        "selection_accuracy": resamples.ratio(hits * results.right, hits).json(),
        "selection_gap": resamples.mean(hits - results.right).json(),
        "samples": resamples.mean(results.samples).json(),
        "completion_tokens": resamples.mean(results.completion_tokens).json(),
    }


def _times(results: Results, resamples: Resamples) -> Json:
    return {
        "mean": resamples.mean(results.seconds).json(),
        **{
            f"p{share}": resamples.statistic(
                partial(np.nanpercentile, q=share, axis=1), results.seconds
            ).json()
            for share in (50, 95)
            if np.isfinite(results.seconds).all()
        },
    }


def _curve(results: Results, drawn: int, resamples: Resamples) -> Json:
    """coverage@k for log-spaced k and the powers of two, up to all samples drawn."""
    doubling = [2**i for i in range(drawn.bit_length()) if 2**i <= drawn]
    ks = sorted({*spread(drawn), *doubling})
    each = solved(results.counts(drawn), drawn, ks)
    bands = [
        interval(float(value), column)
        for value, column in zip(each.mean(axis=0), resamples.means(each).T, strict=True)
    ]
    return {
        "samples": drawn,
        "k": ks,
        "value": [band.value for band in bands],
        "low": [band.low for band in bands],
        "high": [band.high for band in bands],
    }


def _groups(
    results: Results, of: Callable[[Problem], str | int | None], seed: int, how: Statistics
) -> dict[str, Json]:
    """Figures for each language or number of steps; none where the problems do not tell it."""
    keys = [of(problem) for problem in results.problems]
    found = {}
    for key in sorted(
        {key for key in keys if key is not None}, key=lambda key: (str(type(key)), key)
    ):
        part = results.only([place for place, each in enumerate(keys) if each == key])
        resamples = Resamples(len(part.problems), seed, how.resamples)
        found[str(key)] = {"problems": len(part.problems), **_figures(part, resamples)}
    return found


PAIRED: Mapping[str, Callable[[Results], Floats]] = {
    "accuracy": lambda results: results.right,
    "any_right": lambda results: results.hits,
    "completion_tokens": lambda results: results.completion_tokens,
}
"""What two policies, or two runs, are compared in, problem by problem."""


def paired(one: Results, other: Results, seed: int, count: int) -> Json:
    """`other` minus `one` on the problems that both were asked (paired bootstrap)."""
    places = {problem.id: place for place, problem in enumerate(one.problems)}
    common = [(places[p.id], i) for i, p in enumerate(other.problems) if p.id in places]
    if not common:
        return {"problems": 0}
    left, right = one.only([pair[0] for pair in common]), other.only([pair[1] for pair in common])
    resamples = Resamples(len(common), seed, count)
    return {
        "problems": len(common),
        **{name: resamples.mean(of(right) - of(left)).json() for name, of in PAIRED.items()},
    }


def _differences(results: Mapping[str, Results], seed: int, count: int) -> Sequence[Json]:
    """Every policy against the run's first."""
    if not results:
        return []
    first, *others = results
    return [
        {"policy": name, "against": first, **paired(results[first], results[name], seed, count)}
        for name in others
    ]
