"""Measures rules on every recording, and writes the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.voting.measured import Compared, Measured, compared
from benchmarks.voting.offline import passed
from benchmarks.voting.recorded import questions
from benchmarks.voting.report import report

RECORDED = Path(os.environ.get("ITS_DATA", "../shared/data")) / "recorded"
MAJORITY = ("beta;level=0.999;batch=64", 64)
"""One round of 64, whatever is seen: what every rule is compared with."""
BASELINE = ("beta;level=0.95", 40)
"""Adaptive-Consistency as its paper has it: the tokens and rounds of others are in its own."""
RULES = {
    "value": ("value", 64),
    "adaptive-consistency-95": BASELINE,
    "adaptive-consistency-90": ("beta;level=0.9", 40),
    "esc-5": ("esc", 64),
    "best-of-infinity": ("dirichlet", 64),
    "certified-05": ("certified;abstain=?0", 64),
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting", description=__doc__)
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--shuffles", type=int, default=100)
    parser.add_argument("--rules", nargs="*", default=list(RULES), help="of the report, or texts")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("benchmarks/voting/report.md"))
    options = parser.parse_args(argv)
    chosen = {name: RULES.get(name, (name, 64)) for name in options.rules}
    rows: list[Compared] = []
    with Pool(options.processes) as pool:
        for file in sorted(options.recorded.glob("*.jsonl")):
            measure = partial(_measured, pool, file, options.shuffles)
            majority, baseline = measure(MAJORITY), measure(BASELINE)
            for name, rule in chosen.items():
                told = baseline if rule == BASELINE else measure(rule)
                rows.append(compared(file.stem, name, told, majority, baseline))
                print(rows[-1].line(), flush=True)
    options.report.write_text(report(rows, chosen, options.shuffles))
    print(f"report: {options.report}")
    return 0


def _measured(pool: Any, file: Path, shuffles: int, rule: tuple[str, int]) -> Measured:
    rows = pool.starmap(_shuffle, [(file, *rule, number) for number in range(shuffles)])
    return Measured(np.array(rows))


def _shuffle(file: Path, rule: str, n: int, number: int) -> list[tuple[float, ...]]:
    runs = passed(questions(file), rule, n, number)
    return [(run.right, run.samples, run.tokens, run.rounds) for run in runs]
