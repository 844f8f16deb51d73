"""Best-of-infinity's rule (arXiv 2509.21091): is the leader the answer of unlimited votes?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated
from zlib import crc32

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.votes import counts

DRAWS = 500
"""Monte Carlo draws of the posterior."""


@rule
def dirichlet(
    setting: Setting,
    *,
    unknown: Annotated[
        float, Field(gt=0, le=10, description="Pseudo-votes for answers not seen yet (alpha).")
    ] = 0.3,
    factor: Annotated[
        float, Field(gt=0, le=1e6, description="Bayes factor at which to stop (B).")
    ] = 10.0,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates a round.")] = 1,
) -> Rule:
    """Stop when unknown * P / (1 - P) reaches `factor`, P the posterior chance that the leader is
    the commonest answer of all.

    The shares of the answers seen, and of all others together, have the posterior Dirichlet(votes,
    unknown); P is found by 500 draws, which are the same for the same votes.
    """
    return _Dirichlet(unknown, factor, batch)


class _Dirichlet(Rule):
    def __init__(self, unknown: float, factor: float, batch: int):
        self._unknown = unknown
        self._factor = factor
        self._batch = batch
        self._votes: list[int] = []

    def ask(self) -> Next:
        chance = leads(tuple(self._votes), self._unknown) if self._votes else 0.0
        odds = self._unknown * chance / max(1 - chance, 1e-9)
        if odds >= self._factor:
            return Stop("agreed", {"mode": chance}, lost=1 - chance)
        return Draw(self._batch)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._votes = counts(seen)


@lru_cache(maxsize=4096)
def leads(votes: tuple[int, ...], unknown: float) -> float:
    """P(the first of `votes` is the largest share), all answers not seen counted as one.

    Of 500 draws, and within 1/1002 of 0 and 1, as no number of draws makes sure.
    """
    import numpy as np  # here, as few gateways need it

    rng = np.random.default_rng(crc32(repr((votes, unknown)).encode()))
    shares = rng.standard_gamma([*votes, unknown], size=(DRAWS, len(votes) + 1))
    won = int((shares[:, 0] > shares[:, 1:].max(axis=1)).sum())
    return (won + 0.5) / (DRAWS + 1)
