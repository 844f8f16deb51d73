"""`python -m benchmarks.voting.equal`: `value` against Adaptive-Consistency at equal tokens.

Adaptive-Consistency with its level turned from low to high gives a curve, accuracy against tokens,
one candidate a round or two; `value` at a few prices gives points. Intervals are over problems, a
paired bootstrap: a recording's thirty problems say less than its many shuffles seem to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.tables import percent, table
from benchmarks.scaling.equal import Measured as Point
from benchmarks.scaling.equal import against, interpolated
from benchmarks.voting.perturbed import BEDS
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, Policy, measured

PRICES = (0.3, 0.2, 0.14, 0.1)
LEVELS = (0.8, 0.86, 0.88, 0.9, 0.93, 0.95, 0.98)
CURVES: Mapping[str, Sequence[Policy]] = {
    "one a round": [(f"beta;level={level}", 40) for level in LEVELS],
    "two a round": [(f"beta;level={level};batch=2", 40) for level in LEVELS],
}
RESAMPLES = 2000
HEAD = """\
# `value` against Adaptive-Consistency at equal tokens

<!-- Written by `python -m benchmarks.voting.equal`; run that instead of editing. -->

{shuffles} shuffles. Points are accuracy less a majority of 64's; tokens and rounds are shares of
Adaptive-Consistency's at .95, one candidate a round, averaged over a set's recordings. The
differences are to Adaptive-Consistency at levels {levels} where it takes as many tokens, in points,
with 95% intervals of a paired bootstrap over problems; the last columns are its rounds there.

"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting.equal", description=__doc__)
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--sets", nargs="*", default=["aime2024", "math500"])
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--prices", type=float, nargs="*", default=list(PRICES))
    parser.add_argument("--bed", default="", choices=["", *BEDS], help="recordings made otherwise")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/equal.md"))
    options = parser.parse_args(argv)
    rows = []
    with Pool(options.processes) as pool:
        for name in options.sets:
            files = sorted(options.recorded.glob(f"{name}_*.jsonl"))
            rows += _rows(pool, name, files, options)
    header = ["set", "price", "points", "tokens", "rounds"]
    header += [f"− AC, {each}" for each in CURVES] + [f"its rounds, {each}" for each in CURVES]
    head = HEAD.format(shuffles=options.shuffles, levels=", ".join(map(str, LEVELS)))
    options.out.write_text(head + table(header, rows) + "\n")
    print(f"report: {options.out}")
    return 0


def _rows(
    pool: Any, name: str, files: Sequence[Path], options: argparse.Namespace
) -> list[list[str]]:
    """A set's rows, one a price."""

    def runs(policy: Policy) -> list[Any]:
        told = [measured(pool, file, policy, options.shuffles, options.bed) for file in files]
        return [each.runs for each in told]

    majority = runs(MAJORITY)
    units = [each[:, :, 2:].mean(axis=(0, 1)) for each in runs(BASELINE)]
    curves = {
        title: [_point(runs(each), majority, units, each[0]) for each in policies]
        for title, policies in CURVES.items()
    }
    rows = []
    for price in options.prices:
        own = _point(runs((f"value;price={price}", 64)), majority, units, f"{price}")
        resamples = Resamples(len(own.right), 1, RESAMPLES)
        compared = [against(own, title, curve, resamples) for title, curve in curves.items()]
        rows.append(
            [
                *(name, f"{price}", percent(resamples.mean(own.right).json(), signed=True)),
                *(f"{own.tokens.mean():.3f}", f"{own.samples.mean():.3f}"),
                *(percent(each.difference.json(), signed=True) for each in compared),
                *(f"{_rounds(curve, own):.3f}" for curve in curves.values()),
            ]
        )
        print(" | ".join(rows[-1]), flush=True)
    return rows


def _point(runs: Sequence[Any], majority: Sequence[Any], units: Sequence[Any], name: str) -> Point:
    """A policy by problem: points over the majority, tokens, and rounds (in `samples`); means over
    shuffles and recordings of one set."""
    gains = [own[:, :, 0] - most[:, :, 0] for own, most in zip(runs, majority, strict=True)]
    costs = [own[:, :, 2:] / unit for own, unit in zip(runs, units, strict=True)]
    tokens, rounds = np.moveaxis(np.mean(costs, axis=(0, 1)), -1, 0)
    right = np.mean(gains, axis=(0, 1))
    return Point(name, right, tokens, np.full(len(right), np.nan), rounds)


def _rounds(curve: Sequence[Point], own: Point) -> float:
    """The curve's rounds where it takes the tokens of `own`."""
    tokens = np.array([each.tokens.mean() for each in curve])
    rounds = np.array([each.samples.mean() for each in curve])
    return interpolated(tokens, rounds, float(own.tokens.mean()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
