"""Pandora's boxes (Optimal Stopping vs Best-of-N, arXiv 2510.01394), without its oracle."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop


@rule
def pandora(
    setting: Setting,
    *,
    price: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="Of a candidate: in units of the scores' own deviation "
            "above their median, or of the score where not `relative`.",
        ),
    ] = 0.1,
    relative: Annotated[
        bool, Field(description="Whether `price` goes with the scores' scale, problem by problem.")
    ] = True,
    confidence: Annotated[
        float, Field(ge=0, le=10, description="Deviations of optimism about the tail (UCB).")
    ] = 1.0,
    first: Annotated[int, Field(ge=2, le=1024, description="Candidates of the first batch.")] = 3,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates of each later batch.")] = 1,
) -> Rule:
    """Stop when the best score reaches the value at which another draw costs what it brings.

    The scores above their median are taken as exponential; the deviation is that of the scores
    seen so far, raised by `confidence`. The paper's code normalises by the best of all draws,
    which nobody has while drawing; here nothing but what was seen enters.
    """  # fmt: skip
    return _Pandora(price, relative, confidence, first, batch)


class _Pandora(Rule):
    verifier = "reward_model"

    def __init__(self, price: float, relative: bool, confidence: float, first: int, batch: int):
        self._price = price
        self._relative = relative
        self._confidence = confidence
        self._first = first
        self._batch = batch
        self._scores: list[float] = []

    def ask(self) -> Next:
        if len(self._scores) < self._first:
            return Draw(self._first - len(self._scores))
        value = reservation(
            self._scores, self._price, relative=self._relative, confidence=self._confidence
        )
        if max(self._scores) >= value:
            return Stop("not_worth_more", {"best": max(self._scores), "reservation": value})
        return Draw(self._batch)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._scores = [each.value for each in seen if each.score.judged]


def reservation(
    scores: Sequence[float], price: float, *, relative: bool = False, confidence: float = 0.0
) -> float:
    """The value t with E[max(0, next - t)] = `price`, an exponential tail above the median.

    P(next > x) = exp(-(x - median) / b) / 2 above it, so t = median + b ln(b / (2 price)), with b
    the mean excess of those above, raised by `confidence` / sqrt(their number). Where `price` is
    half of b or more, t is the median less what makes up for it: any score is then good enough.
    """
    middle = statistics.median(scores)
    above = [score - middle for score in scores if score > middle]
    if not above:
        return middle
    deviation = statistics.fmean(above) * (1.0 + confidence / math.sqrt(len(above)))
    paid = price * statistics.fmean(above) if relative else price
    if 2 * paid >= deviation:
        return middle
    return middle + deviation * math.log(deviation / (2 * paid))
