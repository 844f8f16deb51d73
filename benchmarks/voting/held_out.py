"""`python -m benchmarks.voting.held_out`: the constants of `value`, without the file that judges.

For each recording, price and sharpness are those that do best on the recordings of other models and
problems; what they come to on the one left out is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing import Pool
from pathlib import Path
from statistics import geometric_mean

from benchmarks.voting.measured import Compared, compared
from benchmarks.voting.running import BASELINE, MAJORITY, RECORDED, measured

GRID = [
    (sharpness, price)
    for sharpness, prices in {
        1.0: (0.08, 0.1),
        1.25: (0.1, 0.12),
        1.5: (0.12, 0.14, 0.165),
        2.0: (0.165, 0.19),
        2.5: (0.19,),
    }.items()
    for price in prices
]
"""Pairs of sharpness and price."""
Pair = tuple[float, float]
EASY, HARD = 0.48, 0.78
"""Most tokens that a pair may take of the baseline's: on each MATH500, on AIME in geometric mean.
Somewhat under the targets of .50 and .80, which a new recording has to meet as well."""
Found = Mapping[Pair, Sequence[Compared]]


def chosen(found: Found, without: str) -> Pair:
    """The pair whose worst loss is least on the recordings of other models than `without`'s, among
    those that keep to the tokens there; among all, where none does."""
    model = without.partition("_")[2]

    def others(pair: Pair) -> list[Compared]:
        return [row for row in found[pair] if row.file.partition("_")[2] != model]

    thrifty = [pair for pair in found if _thrifty(others(pair))] or list(found)
    return max(thrifty, key=lambda pair: min(row.gain for row in others(pair)))


def _thrifty(rows: Sequence[Compared]) -> bool:
    easy = [row.tokens for row in rows if row.file.startswith("math500")]
    hard = [row.tokens for row in rows if row.file.startswith("aime")]
    return max(easy, default=0.0) <= EASY and (not hard or geometric_mean(hard) <= HARD)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voting.held_out")
    parser.add_argument("--recorded", type=Path, default=RECORDED)
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/voting/held_out.md"))
    parser.add_argument("--json", type=Path, help="every pair's figures, too")
    options = parser.parse_args(argv)
    found: dict[Pair, list[Compared]] = {pair: [] for pair in GRID}
    with Pool(options.processes) as pool:
        for file in sorted(options.recorded.glob("*.jsonl")):
            majority = measured(pool, file, MAJORITY, options.shuffles)
            baseline = measured(pool, file, BASELINE, options.shuffles)
            for sharpness, price in GRID:
                rule = f"value;price={price};sharpness={sharpness}"
                told = measured(pool, file, (rule, 64), options.shuffles)
                row = compared(file.stem, rule, told, majority, baseline)
                found[sharpness, price].append(row)
                print(row.line(), flush=True)
    options.out.write_text(_page(found, options.shuffles))
    if options.json:
        rows = [asdict(row) for rows in found.values() for row in rows]
        options.json.write_text(json.dumps(rows))
    return 0


def _page(found: Found, shuffles: int) -> str:
    files = [row.file for row in next(iter(found.values()))]
    lines = [
        "# The constants of `value`, chosen without the file that judges",
        "",
        "<!-- Written by `python -m benchmarks.voting.held_out`; run that instead of editing. -->",
        "",
        f"{len(found)} pairs of sharpness and price, {shuffles} shuffles each. For each recording "
        "the pair is the one whose worst loss is least on the recordings of all other models, "
        f"among those that take at most {EASY} of Adaptive-Consistency's tokens on each MATH500 "
        f"there and {HARD} on AIME. Points are accuracy less a majority of 64's, with 95% "
        "intervals over shuffles.",
        "",
        "| left out | sharpness, price | points | of AC's tokens |",
        "|---|---|---|---|",
    ]
    for file in files:
        pair = chosen(found, file)
        row = next(each for each in found[pair] if each.file == file)
        lines.append(
            f"| {file} | {pair[0]}, {pair[1]} | {row.gain:+.2f} ± {row.interval:.2f} "
            f"| {row.tokens:.3f} |"
        )
    lines += [
        "",
        "## All pairs",
        "",
        "| sharpness | price | worst points | mean points | MATH500 at most | AIME (geometric) |",
        "|---|---|---|---|---|---|",
    ]
    for (sharpness, price), rows in found.items():
        gains = [row.gain for row in rows]
        easy = [row.tokens for row in rows if row.file.startswith("math500")]
        hard = [row.tokens for row in rows if row.file.startswith("aime")]
        lines.append(
            f"| {sharpness} | {price} | {min(gains):+.2f} | {sum(gains) / len(gains):+.2f} "
            f"| {max(easy):.3f} | {geometric_mean(hard):.3f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
