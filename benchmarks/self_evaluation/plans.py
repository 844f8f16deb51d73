"""Which policies are measured: thresholds and prices that spend what is to be compared.

Scores have no scale that is known beforehand, so both are found on the candidates of a first run,
from their scores and lengths alone: nothing here sees what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.policies import DIRECT, Policy
from gateway import Score
from strategies.rules.base import Draw, Rule, Seen, Setting
from strategies.rules.choosing import made

MOST = 16
"""Samples of the paper's reference, and the cap of every rule."""
AIMS = (1.4, 2.45, 3.9, 5.9, 9.0)
"""Samples on average that thresholds and prices are to come to; three lie just below the limits."""
ONE, ALL, AT_ONCE = "direct", "annealed-16", "at-once-16"
MARGIN = 0.98
"""Of an aim, for a rule that learns: the order in which requests end is not the first run's."""
Row = Sequence[Seen]
"""One problem's candidates, in the order in which they were drawn."""


@dataclass(frozen=True)
class Plans:
    """Names of policies by what they are for, and all policies by name.

    `doubling` are thresholds with batches 1, 2, 4, 8; `single` with one sample at a time; `utility`
    goes by prices; `pruned` keep a share of 16 that begin at once.
    """

    doubling: Sequence[str]
    single: Sequence[str]
    utility: Sequence[str]
    pruned: dict[str, float]
    policies: dict[str, Policy]


def first() -> dict[str, Policy]:
    """One plain sample, and 16 annealed ones in batches of 1, 2, 4, 8."""
    return {ONE: DIRECT, ALL: _policy("tau=1.0")}


def plans(rows: Sequence[Row], checkpoint: int, *, aims: Sequence[float] = AIMS) -> Plans:
    """All that is measured after the first run, whose judged candidates are `rows`."""
    doubling = _found("threshold", 'tau="{:.6f}"', rows, aims, falls=False)
    single = _found("single", 'tau="{:.6f}";growth=1', rows, aims, falls=False)
    utility = _found("utility", 'mode=utility;token_price="{:.6f}"', rows, aims, falls=True)
    pruned = {f"pruned-{share}": share for share in (0.5, 0.25)}
    at_once = f"tau=0.0;first={MOST};anneal=?0"
    policies = {
        AT_ONCE: _policy(at_once),
        **doubling,
        **single,
        **utility,
        **{
            name: _policy(f"{at_once};keep={share};checkpoint={checkpoint}")
            for name, share in pruned.items()
        },
    }
    return Plans(list(doubling), list(single), list(utility), pruned, policies)


def _policy(params: str) -> Policy:
    return Policy(strategy="adaptive", budget=MOST, params={"rule": f"self_evaluation;{params}"})


def _found(
    label: str, params: str, rows: Sequence[Row], aims: Sequence[float], *, falls: bool
) -> dict[str, Policy]:
    """A policy for each aim, whose number comes closest to it without going over.

    Numbers are written as strings: RFC 9651 allows a decimal three places only.
    """
    found = {}
    for aim in aims:
        most = aim * MARGIN if falls else aim
        value = _closest(lambda number: spent(params.format(number), rows), most, falls=falls)
        found[f"{label}-{aim:.3g}"] = _policy(params.format(value))
    return found


def _closest(samples: Callable[[float], float], aim: float, *, falls: bool) -> float:
    """A number at which at most `aim` samples are spent, found by bisection."""
    # A price lies somewhere on a logarithmic scale, and a higher one buys less.
    low, high = (-12.0, 12.0) if falls else (0.0, 1.0)
    for _ in range(18):
        middle = (low + high) / 2
        over = samples(float(np.exp(middle)) if falls else middle) > aim
        low, high = (middle, high) if over is falls else (low, middle)
    return float(np.exp(high)) if falls else low


def spent(params: str, rows: Sequence[Row]) -> float:
    """Samples that the rule spends on average where it draws these candidates."""
    learned: dict[str, float] = {}
    return float(np.mean([_drawn(f"self_evaluation;{params}", row, learned) for row in rows]))


def _drawn(text: str, row: Row, learned: dict[str, float]) -> int:
    rule: Rule = made(text, Setting(MOST))[1]
    rule.recall(learned)
    drawn = 0
    while drawn < len(row) and isinstance(draw := rule.ask(), Draw):
        drawn = min(len(row), drawn + draw.n)
        rule.tell(row[:drawn])
    for name, value in rule.lesson().items():
        learned[name] = learned.get(name, 0.0) * (rule.decay or 1.0) + value
    return drawn


def seen(score: float | None, tokens: int | None) -> Seen:
    """A candidate as the rule is told of it."""
    return Seen(Score(float("nan") if score is None else score), tokens or 0)
