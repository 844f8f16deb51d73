"""Votes with a certificate, after the Martingale Majority Certificate (arXiv 2510.17472)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.beta import ahead


@rule
def certified(
    setting: Setting,
    *,
    delta: Annotated[
        float,
        Field(gt=0, lt=0.5, description="Chance that a certificate may be wrong, over all time."),
    ] = 0.05,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates a round.")] = 1,
    abstain: Annotated[
        bool, Field(description="Whether to refuse where the cap comes before a certificate.")
    ] = True,
) -> Rule:
    """Stop when it is certain, up to `delta`, that the leader is the model's commonest answer.

    Each answer has an e-process against each other one, seen or not: a bet that of the votes for
    the two it gets more than half. The leader is certified once all of its own reach k (k + 1) /
    delta, where it was the k-th answer to appear: as the leader is chosen by looking, each answer
    has to pay for that. The certificate, in the `its` block, is of agreement, not of being right.
    """
    return _Certified(setting.n, delta, batch, abstain)


class _Certified(Rule):
    def __init__(self, n: int, delta: float, batch: int, abstain: bool):
        self._n = n
        self._delta = delta
        self._batch = batch
        self._abstain = abstain
        self._votes: list[str] = []
        self._seen = 0

    def ask(self) -> Next:
        certificate = self._certificate()
        if certificate.get("certified"):
            return Stop("certified", certificate, lost=self._delta)
        if self._seen >= self._n:
            return self._uncertain(certificate)
        return Draw(self._batch)

    def spent(self) -> Stop:
        return self._uncertain(self._certificate())

    def tell(self, seen: Sequence[Seen]) -> None:
        self._seen = len(seen)
        self._votes = [each.key for each in seen if each.key is not None]

    def _uncertain(self, certificate: Mapping[str, Any]) -> Stop:
        return Stop("complete", certificate, abstain=self._abstain)

    def _certificate(self) -> Mapping[str, Any]:
        if not self._votes:
            return {"certified": False, "delta": self._delta}
        keys = list(dict.fromkeys(self._votes))
        leader = max(keys, key=self._votes.count)  # ties: the first to appear
        rank = keys.index(leader) + 1
        since = self._votes[self._votes.index(leader) + 1 :]
        against = sorted(since.count(key) for key in keys if key != leader)[::-1]
        won = since.count(leader)
        needed = math.log(rank * (rank + 1) / self._delta)
        second, rest = (log_e(won, lost) for lost in (*against, 0, 0)[:2])
        return {
            "certified": min(second, rest) >= needed,
            "delta": self._delta,
            "log_e_second": round(second, 4),
            "log_e_rest": round(rest, 4),
            "log_e_needed": round(needed, 4),
        }


def log_e(won: int, lost: int) -> float:
    """Logarithm of the e-process against "at most half of these votes are won".

    The wealth of a bet on every share above one half alike: a martingale where the share is one
    half, and a supermartingale below, so that it ever reaches 1 / delta with chance delta at most.
    """
    votes = won + lost
    log_beta = math.lgamma(won + 1) + math.lgamma(lost + 1) - math.lgamma(votes + 2)
    return (votes + 1) * math.log(2) + log_beta + math.log(ahead(won, lost))
