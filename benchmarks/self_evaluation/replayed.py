"""Rules replayed on candidates that were drawn once (pure).

A candidate's seed and temperature go by its number alone, however many are drawn at once, and its
score by its text: so a rule that stops early sees the first of the candidates that were drawn to
the cap, and replaying it is exact. `confirmed` is how that is checked through the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.journal import Entry
from benchmarks.scaling.equal import Measured
from gateway import Score, selection
from strategies.adaptive import voted
from strategies.rules.base import Draw, Rule, Seen, Setting
from strategies.rules.choosing import made

MOST = 16
"""Samples of the paper's reference, and the cap of every rule."""


@dataclass(frozen=True, slots=True)
class Banked:
    """One problem's candidates in the order of drawing: as a rule sees them, whether right, what
    they answer (None: nothing).

    `judged` are the completion tokens that one judgement took.
    """

    seen: Sequence[Seen]
    right: Sequence[bool]
    answers: Sequence[str | None]
    judged: float

    @classmethod
    def of(cls, entry: Entry) -> Banked:
        drawn = entry.candidates
        own = sum(each["tokens"] or 0 for each in drawn)
        spent = (entry.request.get("completion_tokens") or own) - own
        return cls(
            [seen(each["score"], each["tokens"]) for each in drawn],
            [bool(each["correct"]) for each in drawn],
            [each["answer"] for each in drawn],
            max(0, spent) / max(1, len(drawn)),
        )


Bank = Sequence[Banked]


@dataclass(frozen=True, slots=True)
class Run:
    """What one problem came to."""

    samples: int
    tokens: float
    right: bool


def seen(score: float | None, tokens: int | None) -> Seen:
    """A candidate as the rule is told of it."""
    return Seen(Score(float("nan") if score is None else score), tokens or 0)


def replay(params: str, bank: Bank) -> list[Run]:
    """Rule `self_evaluation` with `params` on all problems, in this order, as it learns."""
    learned: dict[str, float] = {}
    return [_run(f"self_evaluation;{params}", each, learned) for each in bank]


def measured(name: str, runs: Sequence[Run]) -> Measured:
    """The runs as a policy's figures; what it took by the clock is not known."""
    return Measured(
        name=name,
        right=np.array([float(run.right) for run in runs]),
        tokens=np.array([run.tokens for run in runs]),
        seconds=np.full(len(runs), np.nan),
        samples=np.array([float(run.samples) for run in runs]),
    )


def _run(text: str, own: Banked, learned: dict[str, float]) -> Run:
    rule: Rule = made(text, Setting(MOST))[1]
    rule.recall(learned)
    drawn = 0
    while drawn < len(own.seen) and isinstance(draw := rule.ask(), Draw):
        drawn = min(len(own.seen), drawn + draw.n)
        rule.tell(own.seen[:drawn])
    for name, value in rule.lesson().items():
        learned[name] = learned.get(name, 0.0) * (rule.decay or 1.0) + value
    if not drawn:
        return Run(0, 0.0, right=False)
    scores = rule.scores([each.score for each in own.seen[:drawn]])
    if rule.voted:
        votes = [Score(1.0 if each else float("nan"), key=each) for each in own.answers[:drawn]]
        scores = voted(votes, scores)
    best = selection.order(scores)[0]
    tokens = sum(each.tokens for each in own.seen[:drawn]) + drawn * own.judged
    return Run(drawn, tokens, own.right[best])
