"""How many samples a binary verifier makes worth drawing (Inference Scaling fLaws, 2411.17501).

Problems come in types: a type's model is right with chance r. The verifier accepts a right answer
with chance `completeness` and rejects a wrong one with chance `soundness`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stakes:
    """What an accepted right answer is worth, an accepted wrong one (below 0), and what a sample
    costs; and how good the verifier is."""

    v_tp: float = 1.0
    v_fp: float = -1.0
    cost: float = 0.0
    completeness: float = 1.0
    soundness: float = 0.75

    def accepted(self, right: float) -> float:
        """Expected value of a sample of a type, 0 where it is rejected, its cost paid."""
        true = self.completeness * right
        false = (1 - self.soundness) * (1 - right)
        return self.v_tp * true + self.v_fp * false - self.cost

    def rejects(self, right: float) -> float:
        """The chance that a type's sample is rejected."""
        return (1 - self.completeness) * right + self.soundness * (1 - right)

    def right_if_rejected(self, mix: Mapping[float, float]) -> float:
        """The chance that a sample which was rejected is right all the same."""
        rejected = math.fsum(weight * self.rejects(r) for r, weight in mix.items())
        missed = math.fsum(weight * (1 - self.completeness) * r for r, weight in mix.items())
        return missed / rejected if rejected > 0 else 0.0


Mix = Mapping[float, float]
"""The weight of each type, by its r."""


def after(mix: Mix, stakes: Stakes, rejections: int) -> dict[float, float]:
    """The mix once so many samples were rejected; weights sum to 1."""
    weights = {r: weight * stakes.rejects(r) ** rejections for r, weight in mix.items()}
    total = math.fsum(weights.values())
    return {r: weight / total for r, weight in weights.items()} if total > 0 else dict(mix)


def worth(mix: Mix, stakes: Stakes, most: int) -> int:
    """The best number of further samples, 0 to `most`: draw until one is accepted, or so many.

    The fewest, where several are best. That is the largest total of the expected values of sample
    1, 2, … each reached only if all before were rejected. Where a rejection speaks against a type
    (completeness + soundness > 1) these change their sign once, and the rule is the paper's: draw
    while the next one is worth its cost.
    """
    weights, values = dict(mix), []
    for _ in range(most):
        values.append(math.fsum(weight * stakes.accepted(r) for r, weight in weights.items()))
        weights = {r: weight * stakes.rejects(r) for r, weight in weights.items()}
    best, ahead = most, 0.0
    for number in range(most, 0, -1):
        ahead += values[number - 1]
        if ahead <= 0:  # not worth reaching, whatever comes after it
            best, ahead = number - 1, 0.0
    return best


def fitted(
    grid: Sequence[float], outcomes: Mapping[tuple[int, bool], float], stakes: Stakes, prior: float
) -> dict[float, float]:
    """The mix of a route, over `grid`, by expectation maximisation.

    `outcomes` counts questions by their rejections and whether a sample was accepted after them;
    a uniform prior counts as `prior` questions.
    """
    mix = dict.fromkeys(grid, 1 / len(grid))
    for _ in range(30 if outcomes else 0):
        told = dict.fromkeys(grid, prior / len(grid))
        for (rejections, passed), count in outcomes.items():
            likely = {
                r: w * stakes.rejects(r) ** rejections * (1 - stakes.rejects(r) if passed else 1)
                for r, w in mix.items()
            }
            total = math.fsum(likely.values()) or 1.0
            for r, weight in likely.items():
                told[r] += count * weight / total
        total = math.fsum(told.values())
        mix = {r: weight / total for r, weight in told.items()}
    return mix
