"""Probing while traces grow (MARS, arXiv 2606.12935): enough is enough once nobody can overtake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.watching import Growing, Watch


@rule
def mars(
    setting: Setting,
    *,
    begin: Annotated[
        int, Field(ge=2, le=1024, description="Candidates that begin, at most the policy's `n`.")
    ] = 16,
    every: Annotated[
        int, Field(ge=1, le=1_000_000, description="Tokens between two probes.")
    ] = 2048,
    probes: Annotated[int, Field(ge=1, le=64, description="How often all are probed.")] = 16,
    suffix: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="What makes a candidate end, its answer "
            "next; a reasoning model's end of thought belongs before it.",
        ),
    ] = "\n\nAnswer:",
    patience: Annotated[
        int, Field(ge=1, le=16, description="Probes in a row with one answer that make it stand.")
    ] = 2,
) -> Rule:
    """Every so many tokens make each candidate say its answer; stop once none can overtake.

    The vote of a candidate that ended stands, and that of one which gave the same answer at
    `patience` probes; the others may still go to whoever is second. Those stopped answer with what
    they had written, the suffix, and what they said after it. Needs a server that continues a text.
    """  # fmt: skip
    at = [every * (number + 1) for number in range(probes)]
    return _Mars(min(begin, setting.n), Probing(at, suffix, patience))


class Probing(Watch):
    """Stops all once the leader cannot be overtaken."""

    forced = True

    def __init__(self, at: Sequence[int], suffix: str, patience: int):
        self.at = at
        self.probe = suffix
        self.decided = False
        self._patience = patience
        self._said: dict[int, list[str | None]] = {}

    def look(self, growing: Sequence[Growing]) -> Collection[int]:
        votes: list[str | None] = []
        for each in growing:
            said = self._said.setdefault(each.index, [])
            said.append(each.score.key)
            if each.ended or self._stands(said):
                votes.append(each.score.key)
        self.decided = settled(votes, undecided=len(growing) - len(votes))
        return [each.index for each in growing if self.decided and not each.ended]

    def _stands(self, said: Sequence[str | None]) -> bool:
        last = said[-self._patience :]
        return len(last) == self._patience and len(set(last)) == 1 and None not in last


def settled(votes: Sequence[str | None], *, undecided: int) -> bool:
    """Whether the first of `votes` stays first wherever those `undecided` go; None is no vote."""
    counts = sorted(Counter(vote for vote in votes if vote is not None).values(), reverse=True)
    first, second, *_ = [*counts, 0, 0]
    return first > second + undecided


class _Mars(Rule):
    def __init__(self, begin: int, watch: Probing):
        self._begin = begin
        self._watch = watch
        self._told = 0

    def ask(self) -> Next:
        if not self._told:
            return Draw(self._begin, watch=self._watch)
        return Stop("decided" if self._watch.decided else "complete", {"candidates": self._told})

    def tell(self, seen: Sequence[Seen]) -> None:
        self._told = len(seen)
