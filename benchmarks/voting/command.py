"""Measures rules on every recording, and writes the report with its pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

from benchmarks.voting.curves import SWEEPS, Curves, swept
from benchmarks.voting.measured import Compared, compared
from benchmarks.voting.pictures import draw
from benchmarks.voting.report import report
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, Policy, measured

RULES: dict[str, Policy] = {
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
    parser.add_argument(
        "--sweep", type=int, default=8, help="shuffles of the pictures (8; 0: none)"
    )
    parser.add_argument("--rules", nargs="*", default=list(RULES), help="of the report, or texts")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting"))
    options = parser.parse_args(argv)
    chosen = {name: RULES.get(name, (name, 64)) for name in options.rules}
    rows: list[Compared] = []
    curves: Curves = {}
    with Pool(options.processes) as pool:
        for file in sorted(options.recorded.glob("*.jsonl")):
            majority = measured(pool, file, MAJORITY, options.shuffles)
            baseline = measured(pool, file, BASELINE, options.shuffles)
            for name, rule in chosen.items():
                told = (
                    baseline if rule == BASELINE else measured(pool, file, rule, options.shuffles)
                )
                rows.append(compared(file.stem, name, told, majority, baseline))
                print(rows[-1].line(), flush=True)
            for name in SWEEPS if options.sweep else ():
                curves[file.stem, name] = swept(pool, file, name, options.sweep)
    pictures = draw(curves, options.out) if curves else []
    page = options.out / "report.md"
    page.write_text(report(rows, chosen, options.shuffles, pictures))
    print(f"report: {page}")
    return 0
