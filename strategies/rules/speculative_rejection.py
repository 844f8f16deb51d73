"""Speculative rejection (arXiv 2410.20290): many begin, the reward model lets few go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.watching import Keeping


@rule
def speculative_rejection(
    setting: Setting,
    *,
    begin: Annotated[
        int, Field(ge=2, le=1024, description="Candidates that begin, at most the policy's `n`.")
    ] = 16,
    every: Annotated[
        int, Field(ge=1, le=1_000_000, description="Tokens between two checkpoints.")
    ] = 64,
    keep: Annotated[
        float, Field(gt=0, lt=1, description="Share that goes on after each checkpoint.")
    ] = 0.5,
    checkpoints: Annotated[int, Field(ge=1, le=64, description="How many there are.")] = 4,
) -> Rule:
    """Begin many candidates, stop the worse scored ones at each checkpoint, answer with the best.

    What was stopped is aborted upstream. The verifier has to judge unfinished text; by default it
    is the outcome reward model.
    """
    at = [every * (number + 1) for number in range(checkpoints)]
    return _SpeculativeRejection(min(begin, setting.n), Keeping(at, keep))


class _SpeculativeRejection(Rule):
    verifier = "reward_model"

    def __init__(self, begin: int, watch: Keeping):
        self._begin = begin
        self._watch = watch
        self._survived = 0

    def ask(self) -> Next:
        if self._survived:
            return Stop("halved", {"survived": self._survived})
        return Draw(self._begin, watch=self._watch)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._survived = len(seen)
