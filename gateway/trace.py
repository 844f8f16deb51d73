"""What happened in one request: filled by the session, read once at the end."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from gateway.types import NO_USAGE, Score, Usage

_JUDGE: ContextVar[str | None] = ContextVar("its_judge", default=None)
"""The verifier at work in this task: verifiers run side by side, and each pays for itself."""

Tallied = Literal[
    "language_samples",
    "language_answers",
    "rule_samples_saved",
    "rule_tokens_saved",
    "rule_answers_lost",
]
"""Metrics that guests count in, by their names in `Metrics`."""


@dataclass(slots=True)
class Trace:
    """Times are in seconds by `clock`; `sampling` and `judging` are tokens by their purpose.

    `reused` is the part of `sampling` that was drawn for an earlier request; `cached` says that the
    whole answer was an earlier one's.
    """

    clock: Callable[[], float] = time.monotonic
    sampling: Usage = NO_USAGE
    judging: Usage = NO_USAGE
    waited: float = 0.0
    samples: int = 0
    samples_saved: int = 0
    samples_reused: int = 0
    reused: Usage = NO_USAGE
    cached: bool = False
    verifier_seconds: dict[str, float] = field(default_factory=partial(defaultdict, float))
    verifier_usage: dict[str, Usage] = field(default_factory=partial(defaultdict, Usage))
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    tallies: dict[tuple[Tallied, tuple[str, ...]], float] = field(
        default_factory=partial(defaultdict, float)
    )
    degraded: dict[str, None] = field(default_factory=dict)
    _waiting: int = 0
    _since: float = 0.0

    @property
    def paid(self) -> Usage:
        """All tokens but those that an earlier request had drawn."""
        return (self.sampling + self.judging).less(self.reused)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in which at least one such block is open is not the gateway's own."""
        if self._waiting == 0:
            self._since = self.clock()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self.waited += self.clock() - self._since

    @contextmanager
    def judging_by(self, verifier: str) -> Iterator[bool]:
        """Book what is spent on judging meanwhile on `verifier`; says whether no other was open."""
        token = _JUDGE.set(verifier)
        try:
            yield token.old_value in (None, token.MISSING)
        finally:
            _JUDGE.reset(token)

    def judged(self, verifier: str, seconds: float, scores: list[Score]) -> None:
        """Book one run of `verifier`."""
        self.verifier_seconds[verifier] += seconds
        for score in scores:
            self.verdicts[verifier, _verdict(score)] += 1

    def spend(self, usage: Usage, *, judging: bool) -> None:
        """Book what calls cost, by their purpose."""
        if judging:
            self.judging += usage
            if (verifier := _JUDGE.get()) is not None and usage.total_tokens:
                self.verifier_usage[verifier] += usage
        else:
            self.sampling += usage

    def degrade(self, name: str) -> None:
        """Note, once, that something was not done as asked."""
        self.degraded[name] = None


def _verdict(score: Score) -> str:
    if not score.judged:
        return "unjudged"
    if score.passed is None:
        return "scored"
    return "passed" if score.passed else "failed"
