"""Threshold rejection (ROC-n-reroll, arXiv 2507.12399)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop


@rule
def reroll(
    setting: Setting,
    *,
    threshold: Annotated[
        float, Field(allow_inf_nan=False, description="Score that is good enough.")
    ] = 0.9,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates a round.")] = 1,
) -> Rule:
    """Answer with the first candidate that scores `threshold`; with the best where none does.

    Where T of the right and F of the wrong candidates reach it, and a share p is right, the
    accuracy is Tp / (Tp + F(1 - p)) after 1 / (Tp + F(1 - p)) candidates on average: choose
    `threshold` by these two, from labelled traffic. Never worse than best-of-n at equal cost.
    """
    return _Reroll(threshold, batch)


class _Reroll(Rule):
    verifier = "reward_model"

    def __init__(self, threshold: float, batch: int):
        self._threshold = threshold
        self._batch = batch
        self._accepted: int | None = None

    def ask(self) -> Next:
        if self._accepted is not None:
            return Stop("accepted", {"threshold": self._threshold})
        return Draw(self._batch)

    def tell(self, seen: Sequence[Seen]) -> None:
        passed = (i for i, each in enumerate(seen) if each.value >= self._threshold)
        self._accepted = next(passed, None)


def accuracy(true_rate: float, false_rate: float, share: float) -> float:
    """That of threshold rejection, without a cap; 0 where nothing is ever accepted."""
    accepted = true_rate * share + false_rate * (1.0 - share)
    return true_rate * share / accepted if accepted else 0.0


def calls(true_rate: float, false_rate: float, share: float) -> float:
    """Candidates that threshold rejection draws on average, without a cap."""
    accepted = true_rate * share + false_rate * (1.0 - share)
    return 1.0 / accepted if accepted else float("inf")
