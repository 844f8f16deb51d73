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
CHOICES = {"vote": "a vote that scores weigh", "best": "the best scored"}
"""How the answer is chosen of what was drawn, by the rule's parameter `choose`."""
FAMILIES = {
    "threshold, batches 1, 2, 4, 8": ("threshold", 'tau="{:.6f}"', False),
    "threshold, one at a time": ("single", 'tau="{:.6f}";growth=1', False),
    "utility": ("utility", 'mode=utility;token_price="{:.6f}"', True),
}
"""By title: the names' beginning, the rule's parameters, and whether the number is a price."""


@dataclass(frozen=True)
class Family:
    """A way to stop with a way to choose, by rising cost: the rule's parameters by policy, and
    which policy is asked of the gateway as well."""

    title: str
    choose: str
    params: dict[str, str]
    confirmed: str

    @property
    def whole(self) -> str:
        """The policy of all samples, replayed with this way to choose."""
        return f"{ALL}-{self.choose}"


def drawn(checkpoint: int) -> dict[str, Policy]:
    """What is drawn through the gateway: one plain sample, 16 annealed ones in batches of 1, 2, 4,
    8; 16 at once, and those pruned at `checkpoint` tokens, whose answer is voted for."""
    at_once = f"tau=0.0;first={MOST};anneal=?0"
    return {
        ONE: DIRECT,
        ALL: policy(whole("best")),  # of a vote, its shares would be told in place of the scores
        AT_ONCE: policy(at_once),
        **{
            name: policy(f"{at_once};keep={share};checkpoint={checkpoint}")
            for name, share in PRUNED.items()
        },
    }


def families(bank: Bank, *, aims: Sequence[float] = AIMS) -> list[Family]:
    """For each way to stop and to choose, a policy for each aim; how it chooses changes no stop."""
    told = []
    for title, (label, form, falls) in FAMILIES.items():
        found = _found(form, bank, aims, falls=falls)
        nearest = min(aims, key=lambda aim: abs(aim - CONFIRMED))
        for choose in CHOICES:
            params = {
                f"{label}-{choose}-{aim:.3g}": f"{text};choose={choose}"
                for aim, text in found.items()
            }
            told.append(Family(title, choose, params, f"{label}-{choose}-{nearest:.3g}"))
    return told


def whole(choose: str) -> str:
    """The parameters of all samples in batches of 1, 2, 4, 8."""
    return f"tau=1.0;choose={choose}"


def policy(params: str) -> Policy:
    return Policy(strategy="adaptive", budget=MOST, params={"rule": f"self_evaluation;{params}"})


def spent(params: str, bank: Bank) -> float:
    """Samples that the rule spends on average where it draws these candidates."""
    return float(np.mean([run.samples for run in replay(params, bank)]))


def _found(form: str, bank: Bank, aims: Sequence[float], *, falls: bool) -> dict[float, str]:
    """By aim, the parameters whose number comes closest to it without going over.

    Numbers are written as strings: RFC 9651 allows a decimal three places only.
    """

    def samples(number: float) -> float:
        return spent(form.format(number), bank)

    return {aim: form.format(_closest(samples, aim, falls=falls)) for aim in aims}


def _closest(samples: Callable[[float], float], aim: float, *, falls: bool) -> float:
    """A number at which at most `aim` samples are spent, found by bisection."""
    # A price lies somewhere on a logarithmic scale, and a higher one buys less.
    low, high = (-9.0, 7.0) if falls else (0.0, 1.0)
    for _ in range(11 if falls else 16):
        middle = (low + high) / 2
        over = samples(float(np.exp(middle)) if falls else middle) > aim
        low, high = (middle, high) if over is falls else (low, middle)
    return float(np.exp(high)) if falls else low
