"""Which policies are measured: thresholds and prices that spend what is to be compared.

Scores have no scale that is known beforehand, so both are found on the candidates that were drawn,
from their scores and lengths alone: nothing here sees what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.policies import DIRECT, Policy
from benchmarks.self_evaluation.replayed import MOST, Bank, replay

AIMS = (1.2, 1.5, 1.9, 2.45, 3.1, 3.95, 4.8, 5.95, 7.5, 9.5, 12.0)
"""Samples on average that thresholds and prices are to come to; three lie just below the limits."""
CONFIRMED = 3.95
"""The aim whose policies are asked of the gateway as well."""
ONE, ALL, AT_ONCE = "direct", "annealed-16", "at-once-16"
PRUNED = {f"pruned-{share}": share for share in (0.5, 0.25)}
"""Policies that keep a share of 16 that begin at once."""
FAMILIES = {
    "threshold, batches 1, 2, 4, 8": ("threshold", 'tau="{:.6f}"', False),
    "threshold, one at a time": ("single", 'tau="{:.6f}";growth=1', False),
    "utility": ("utility", 'mode=utility;token_price="{:.6f}"', True),
}
"""By title: the names' beginning, the rule's parameters, and whether the number is a price."""


@dataclass(frozen=True)
class Family:
    """A way to stop, by rising cost: the rule's parameters by policy, and which policy is asked of
    the gateway as well."""

    params: dict[str, str]
    confirmed: str


def drawn(checkpoint: int) -> dict[str, Policy]:
    """What is drawn through the gateway: one plain sample, 16 annealed ones in batches of 1, 2, 4,
    8; 16 at once, and those pruned at `checkpoint` tokens."""
    at_once = f"tau=0.0;first={MOST};anneal=?0"
    return {
        ONE: DIRECT,
        ALL: policy("tau=1.0"),
        AT_ONCE: policy(at_once),
        **{
            name: policy(f"{at_once};keep={share};checkpoint={checkpoint}")
            for name, share in PRUNED.items()
        },
    }


def families(bank: Bank, *, aims: Sequence[float] = AIMS) -> dict[str, Family]:
    """For each way to stop, a policy for each aim."""
    return {title: _family(*how, bank, aims) for title, how in FAMILIES.items()}


def policy(params: str) -> Policy:
    return Policy(strategy="adaptive", budget=MOST, params={"rule": f"self_evaluation;{params}"})


def spent(params: str, bank: Bank) -> float:
    """Samples that the rule spends on average where it draws these candidates."""
    return float(np.mean([run.samples for run in replay(params, bank)]))


def _family(label: str, form: str, falls: bool, bank: Bank, aims: Sequence[float]) -> Family:
    """A policy for each aim, whose number comes closest to it without going over.

    Numbers are written as strings: RFC 9651 allows a decimal three places only.
    """

    def samples(number: float) -> float:
        return spent(form.format(number), bank)

    found = {f"{label}-{aim:.3g}": form.format(_closest(samples, aim, falls=falls)) for aim in aims}
    nearest = min(aims, key=lambda aim: abs(aim - CONFIRMED))
    return Family(found, f"{label}-{nearest:.3g}")


def _closest(samples: Callable[[float], float], aim: float, *, falls: bool) -> float:
    """A number at which at most `aim` samples are spent, found by bisection."""
    # A price lies somewhere on a logarithmic scale, and a higher one buys less.
    low, high = (-9.0, 7.0) if falls else (0.0, 1.0)
    for _ in range(12 if falls else 16):
        middle = (low + high) / 2
        over = samples(float(np.exp(middle)) if falls else middle) > aim
        low, high = (middle, high) if over is falls else (low, middle)
    return float(np.exp(high)) if falls else low
