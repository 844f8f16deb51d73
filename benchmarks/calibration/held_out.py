"""Is the confidence that a gateway tells a probability? `python -m benchmarks.calibration.held_out`

Problems of one seed are asked of the demo's gateway and their answers labelled; maps are fitted;
problems of another seed are asked of a gateway with these maps, and what it told is held against
what came true.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.calibration import errors
from benchmarks.calibration.command import main as calibrate
from benchmarks.evaluation.command import main as evaluate
from benchmarks.evaluation.journal import read
from benchmarks.evaluation.options import positive
from benchmarks.problems import LANGUAGES

POLICIES = ("agreement-4", "verified-16")
Told = Mapping[str, tuple[list[float], list[bool], int]]
"""By policy: the confidences told, whether the answers were right, and how many told none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 1 where a policy's error is over .05, or it told nothing."""
    options = parser().parse_args(argv)
    folder: Path = options.out
    fit, fresh, maps = folder / "fit", folder / "fresh", folder / "calibration.json"
    asked = _evaluated(fit, options.seed, options)
    if asked or calibrate([str(fit), "--out", str(maps), "--plots", str(folder / "plots")]):
        return 1
    config = folder / "its.toml"
    config.write_text(f"calibration = {json.dumps(str(maps.resolve()))}\n")
    if _evaluated(fresh, options.seed + 1, options, "--config", str(config)):
        return 1
    return _report(told(fresh), options.seed)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.calibration.held_out")
    made.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    made.add_argument("--problems", type=positive, default=700, help="of each seed (700)")
    made.add_argument("--policy", action="append", help="preset; repeat it for several")
    made.add_argument("--seed", type=int, default=501, help="of the problems; the next is fresh")
    return made


def _evaluated(out: Path, seed: int, options: argparse.Namespace, *more: str) -> int:
    policies = [part for each in options.policy or POLICIES for part in ("--policy", each)]
    return evaluate(
        ["--out", str(out), "--generate", str(options.problems), "--seed", str(seed),
         "--languages", ",".join(LANGUAGES), "--no-texts", "--quiet", *policies, *more]
    )  # fmt: skip


def told(folder: Path) -> Told:
    """What the gateway told of each answer in an evaluation's folder."""
    found: dict[str, tuple[list[float], list[bool], int]] = defaultdict(lambda: ([], [], 0))
    for entry in read(folder).entries.values():
        if entry.failed:
            continue
        policy = entry.request["policy"]
        confidences, right, silent = found[policy]
        if entry.request["confidence"] is None:
            found[policy] = confidences, right, silent + 1
        else:
            confidences.append(entry.request["confidence"])
            right.append(entry.request["correct"])
    return found


def _report(found: Told, seed: int) -> int:
    print("\n| policy | told | told none | mean told | right | ECE | if exact | Brier |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for policy, (confidences, right, silent) in sorted(found.items()):
        if not confidences:
            print(f"| {policy} | 0 | {silent} | – | – | – | – | – |")
            worst = 1.0
            continue
        said, true = np.asarray(confidences), np.asarray(right, float)
        ones = np.ones(len(said))
        ece = errors.ece(said, true, ones)
        worst = max(worst, ece)
        print(
            f"| {policy} | {len(said)} | {silent} | {said.mean():.3f} | {true.mean():.3f} "
            f"| {ece:.3f} | {errors.floor(said, ones, seed):.3f} "
            f"| {errors.brier(said, true, ones):.3f} |"
        )
    return 0 if worst <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
