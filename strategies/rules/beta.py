"""Adaptive-Consistency (Aggarwal et al., arXiv 2305.11860), its Beta criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.votes import leading


@rule
def beta(
    setting: Setting,
    *,
    level: Annotated[
        float,
        Field(gt=0.5, lt=1, description="Probability of the leader's being ahead, to stop at."),
    ] = 0.95,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates a round.")] = 1,
) -> Rule:
    """Stop when P(Beta(a + 1, b + 1) > 1/2) reaches `level`, a and b the votes of the first two.

    The paper's settings are the defaults, with a cap (`n`) of 40.
    """
    return _Beta(level, batch)


class _Beta(Rule):
    def __init__(self, level: float, batch: int):
        self._level = level
        self._batch = batch
        self._ahead = 0.0

    def ask(self) -> Next:
        if self._ahead >= self._level:
            return Stop("agreed", {"ahead": self._ahead}, lost=1 - self._ahead)
        return Draw(self._batch)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._ahead = ahead(*leading(seen))


def ahead(first: int, second: int) -> float:
    """P(Beta(first + 1, second + 1) > 1/2): a binomial tail, as both are whole."""
    total = first + second + 1
    term, tail = 0.5**total, 0.0
    for k in range(first + 1):
        tail += term
        term *= (total - k) / (k + 1)
    return tail
