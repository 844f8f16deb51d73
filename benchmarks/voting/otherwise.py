"""`python -m benchmarks.voting.otherwise`: the rule `value` on recordings made otherwise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path
from statistics import geometric_mean

from benchmarks.voting.measured import Compared, compared
from benchmarks.voting.perturbed import BEDS
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, measured

HEAD = """\
# The rule `value` on recordings made otherwise

<!-- Written by `python -m benchmarks.voting.otherwise`; run that instead of editing. -->

Each bed changes every recording in one way (`benchmarks/voting/perturbed.py`). Points are accuracy
less that of a majority of 64 on the same shuffles (of 20, where there are 20), for the worst with a
95% interval over {shuffles} shuffles; tokens are shares of Adaptive-Consistency's at .95.

| bed | points, worst recording | points, mean | tokens, MATH500 at most | AIME (geometric) |
|---|---|---|---|---|
"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.voting.otherwise", description=__doc__
    )
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--beds", nargs="*", default=list(BEDS), choices=list(BEDS))
    parser.add_argument("--rule", default="value")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/otherwise.md"))
    options = parser.parse_args(argv)
    lines = []
    with Pool(options.processes) as pool:
        for bed in options.beds:
            rows = [
                _compared(pool, file, bed, options.rule, options.shuffles)
                for file in sorted(options.recorded.glob("*.jsonl"))
            ]
            lines.append(_line(bed, rows))
            print(lines[-1], flush=True)
    options.out.write_text(HEAD.format(shuffles=options.shuffles) + "\n".join(lines) + "\n")
    return 0


def _compared(pool: object, file: Path, bed: str, rule: str, shuffles: int) -> Compared:
    told, majority, baseline = (
        measured(pool, file, policy, shuffles, bed) for policy in ((rule, 64), MAJORITY, BASELINE)
    )
    return compared(file.stem, rule, told, majority, baseline)


def _line(bed: str, rows: Sequence[Compared]) -> str:
    worst = min(rows, key=lambda row: row.gain)
    mean = sum(row.gain for row in rows) / len(rows)
    easy = [row.tokens for row in rows if row.file.startswith("math500")]
    hard = [row.tokens for row in rows if row.file.startswith("aime")]
    return (
        f"| {bed} | {worst.gain:+.2f} ± {worst.interval:.2f} ({worst.file}) | {mean:+.2f} "
        f"| {f'{max(easy):.3f}' if easy else '–'} "
        f"| {f'{geometric_mean(hard):.3f}' if hard else '–'} |"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
