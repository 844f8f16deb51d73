"""Shuffles of recordings under rules, in worker processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.voting.measured import Measured
from benchmarks.voting.offline import passed
from benchmarks.voting.perturbed import BEDS, FEW, ORDERED
from benchmarks.voting.recorded import questions

RECORDED = Path(os.environ.get("ITS_DATA", "../shared/data")) / "recorded"
Policy = tuple[str, int]
"""A rule with its parameters, and how many candidates it may draw."""
MAJORITY: Policy = ("beta;level=0.999;batch=64", 64)
"""One round of 64, whatever is seen: what every rule is compared with."""
BASELINE: Policy = ("beta;level=0.95", 40)
"""Adaptive-Consistency as its paper has it: the tokens and rounds of others are in its own."""


def measured(pool: Any, file: Path, policy: Policy, shuffles: int, bed: str = "") -> Measured:
    """A policy on one recording; `bed` names how that is made otherwise ("": as it is)."""
    rows = pool.starmap(_shuffle, [(file, *policy, number, bed) for number in range(shuffles)])
    return Measured(np.array(rows))


def _shuffle(file: Path, rule: str, n: int, number: int, bed: str) -> list[tuple[float, ...]]:
    asked = BEDS[bed](questions(file)) if bed else questions(file)
    most = FEW.get(bed, 64)
    runs = passed(asked, rule, min(n, most), number, most, ordered=bed in ORDERED)
    return [(run.right, run.samples, run.tokens, run.rounds) for run in runs]
