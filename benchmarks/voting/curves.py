"""Each rule with its own number turned from cheap to dear: accuracy against tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.voting.measured import compared
from benchmarks.voting.running import BASELINE, MAJORITY, Policy, measured

Point = tuple[float, float]
"""Tokens, in those of Adaptive-Consistency .95; points of accuracy less a majority of 64."""
Curves = dict[tuple[str, str], list[Point]]
"""By recording and rule."""
SWEEPS: Mapping[str, list[Policy]] = {
    "value (ours)": [
        (f"value;price={price}", 64) for price in (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.06)
    ],
    "Adaptive-Consistency": [
        (f"beta;level={level}", 40) for level in (0.8, 0.86, 0.9, 0.95, 0.98, 0.99)
    ],
    "ESC": [(f"esc;window={window}", 64) for window in (2, 3, 4, 5, 8)],
    "Best-of-infinity": [(f"dirichlet;factor={factor}", 64) for factor in (1, 2, 4, 10, 30)],
    "fixed number": [(f"beta;level=0.999;batch={n}", n) for n in (1, 2, 3, 4, 6, 8, 12, 16)],
}
"""The points of each rule's curve."""


def swept(pool: Any, file: Path, name: str, shuffles: int) -> list[Point]:
    """One rule's curve on one recording."""
    majority = measured(pool, file, MAJORITY, shuffles)
    baseline = measured(pool, file, BASELINE, shuffles)
    told = [
        compared(file.stem, name, measured(pool, file, each, shuffles), majority, baseline)
        for each in SWEEPS[name]
    ]
    return [(each.tokens, each.gain) for each in told]
