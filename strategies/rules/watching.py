"""The seam between a rule and candidates that it looks at while they grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import Score


@dataclass(frozen=True, slots=True)
class Growing:
    """Candidate `index` of the request at a checkpoint: what its verifier makes of it as far as it
    goes, and whether it has ended."""

    index: int
    score: Score
    ended: bool


class Watch:
    """What a rule does about a round's candidates before they end.

    `at` are checkpoints, growing numbers of tokens: once all have written so many or ended, `look`
    is told how they stand. With `probe`, they are judged by how they end when they are made to go
    on with that text; where `forced`, so those do which are stopped, and count as ended. Log-
    probabilities, where the round's sampling asks for them, are told to `hear`.
    """

    at: Sequence[int] = ()
    probe: str = ""
    forced: bool = False

    def look(self, growing: Sequence[Growing]) -> Collection[int]:
        """Indices of those to stop."""
        return ()

    def hear(self, index: int, logprobs: Sequence[Mapping[str, Any]]) -> bool:
        """Whether to stop candidate `index`, which wrote tokens of these OpenAI entries."""
        return False


class Keeping(Watch):
    """At each checkpoint keeps the best share, by score; those that ended are not stopped.

    Speculative rejection (arXiv 2410.20290); with one checkpoint, the pruning of arXiv 2410.02725.
    """

    def __init__(self, at: Sequence[int], share: float):
        self.at = at
        self._share = share

    def look(self, growing: Sequence[Growing]) -> Collection[int]:
        kept = max(1, round(self._share * len(growing)))
        # What could not be judged is kept last, like everywhere.
        ranked = sorted(growing, key=lambda each: -each.score.value if each.score.judged else 1e9)
        return [each.index for each in ranked[kept:] if not each.ended]
