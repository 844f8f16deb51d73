"""Ours: a vote is drawn while what it is expected to bring exceeds its price in tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from gateway import rule
from strategies.planning import Decision, decide
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop, Work
from strategies.rules.learning import Route
from strategies.rules.votes import counts

MOST_BLIND = 8
"""Candidates of a round while none has an answer."""


@rule
def value(
    setting: Setting,
    *,
    price: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            description="Points (hundredths) by which a candidate of the route's mean length must "
            "raise the chance of a right answer; a longer one must by more, as its tokens go.",
        ),
    ] = 0.14,
    sharpness: Annotated[
        float,
        Field(
            ge=1,
            le=4,
            description="How a model's answers are taken to be right: with chances that go with "
            "their shares of the votes, raised to this power.",
        ),
    ] = 1.5,
    first: Annotated[int, Field(ge=1, le=64, description="Candidates of the first round.")] = 2,
) -> Rule:
    """Stop when no number of further votes is expected to be worth its tokens.

    Votes are planned to the end by backward induction over a finite horizon (`n`, at most 64), in
    rounds. What they can bring follows from the shapes that answers' frequencies have: learned by
    expectation maximisation from how earlier questions of the route stood, without any label, and
    for each length by itself, as long questions tend to be hard. So it stops where the leader will
    hardly be overtaken, and gives up where nothing will settle it.
    """
    return _Value(setting, price / 100, sharpness, first)


class _Value(Rule):
    decay: float | None = 1.0

    def __init__(self, setting: Setting, price: float, sharpness: float, first: int):
        self._setting = setting
        self._price = price
        self._sharpness = sharpness
        self._first = first
        self._route = Route({})
        self._seen: Sequence[Seen] = ()
        self._decision: Decision | None = None

    def recall(self, learned: Mapping[str, float]) -> None:
        self._route = Route(learned)

    def lesson(self) -> Mapping[str, float]:
        return self._route.lesson(self._standing(), self._tokens())

    def tell(self, seen: Sequence[Seen]) -> None:
        self._seen = seen
        self._decision = None

    def ask(self) -> Next:
        if not self._seen:
            return Draw(self._first)
        if (n := self._standing()[0]) == 0:
            return Draw(min(len(self._seen), MOST_BLIND))  # nobody has voted yet
        if self._decision is None:
            return self._work()
        if self._decision.draw:
            return Draw(self._decision.draw)
        return Stop(
            "settled" if n < self._setting.n else "complete",
            {
                "votes": counts(self._seen),
                "leader_right": round(self._decision.right, 4),
                "learned_from": self._route.questions,
            },
            lost=max(0.0, self._decision.right_at_cap - self._decision.right),
        )

    def solved(self, result: Any) -> None:
        # Without a plan in time, no more is drawn: what is there is answered with.
        self._decision = result or Decision(0, 0.0, 0.0)

    def _work(self) -> Work:
        length = self._tokens() / self._route.tokens if self._route.tokens else 1.0
        settings = self._setting.n, self._price, self._sharpness
        return Work(decide, (self._route.standings, self._standing(), length, *settings))

    def _standing(self) -> tuple[int, int, int]:
        first, second, *_ = [*(votes := counts(self._seen)), 0, 0]
        return sum(votes), first, second

    def _tokens(self) -> float:
        """Expected tokens of a further vote: those seen, and one of the route's mean.

        Candidates without an answer are paid for like others, and bring none.
        """
        mean = self._route.tokens
        spent = sum(each.tokens for each in self._seen) + mean
        votes = self._standing()[0] + (mean > 0)
        return spent / votes if votes else 0.0
