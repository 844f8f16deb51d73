"""A rule on recorded votes without a gateway: the rule itself, the loop around it in little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.voting.recorded import Question, Vote, answered, shuffled
from strategies.rules import Draw, Setting, Stop, Work
from strategies.rules.choosing import made


@dataclass(frozen=True, slots=True)
class Run:
    """One question under one rule; `right` by string equality with the reference."""

    right: bool
    samples: int
    tokens: int
    rounds: int


@dataclass
class Learned:
    """What a route has learned so far."""

    sums: dict[str, float] = field(default_factory=dict)

    def add(self, lesson: Mapping[str, float], decay: float) -> None:
        for name in self.sums:
            self.sums[name] *= decay
        for name, more in lesson.items():
            self.sums[name] = self.sums.get(name, 0.0) + more


def passed(
    questions: Sequence[Question],
    rule: str,
    n: int,
    shuffle: int,
    most: int = 64,
    *,
    ordered: bool = False,
    limit: int | None = None,
) -> list[Run]:
    """One shuffle of a recording: its questions in a random order, each with shuffled votes.
    `ordered` questions come as they are; after `limit` of them no more are asked.

    The route begins knowing nothing. Results are in the questions' own order.
    """
    numbers = list(range(len(questions))) if ordered else order(len(questions), shuffle)
    learned = Learned()
    runs: dict[int, Run] = {}
    for number in numbers[:limit]:
        votes = shuffled(questions[number], f"{shuffle} {number}", most)
        runs[number] = _run(votes, questions[number].gold, rule, n, learned)
    return [runs[number] for number in sorted(runs)]


def order(count: int, shuffle: int) -> list[int]:
    """In which order a shuffle asks the questions."""
    numbers = list(range(count))
    Random(f"order {shuffle}").shuffle(numbers)
    return numbers


def _run(votes: list[Vote], gold: str, text: str, n: int, learned: Learned) -> Run:
    _, rule = made(text, Setting(n))
    if rule.decay is not None:
        rule.recall(dict(learned.sums))
    drawn = rounds = 0
    while drawn < n:
        asked = rule.ask()
        if isinstance(asked, Stop):
            break
        if isinstance(asked, Work):
            rule.solved(asked.function(*asked.args))
            continue
        assert isinstance(asked, Draw)
        drawn, rounds = min(n, drawn + asked.n), rounds + 1
        rule.tell([vote.seen for vote in votes[:drawn]])
    if rule.decay is not None:
        learned.add(rule.lesson(), rule.decay)
    own = votes[:drawn]
    tokens = sum(vote.seen.tokens for vote in own)
    return Run(answered(own) == gold, drawn, tokens, rounds)
