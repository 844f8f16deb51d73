"""Capability-aware self-evaluation (Adaptive Inference-Time Compute, arXiv 2410.02725)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Protocol

from pydantic import Field

from gateway import Sampling, Score, rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.expecting import Outlook, Shape, lesson, logit
from strategies.rules.watching import Keeping, Watch

Mode = Literal["threshold", "utility"]
Choice = Literal["best", "vote"]
TOKENS = 1000.0
"""Prices are a thousand tokens'."""
AHEAD = (1, 2, 3, 4, 6, 8, 12, 16)
"""How many more draws are weighed against one another."""


@rule
def self_evaluation(
    setting: Setting,
    *,
    mode: Annotated[
        Mode,
        Field(
            description="`threshold` stops at `tau`; `utility` when no number of further draws is "
            "expected to raise the best score by more than they cost."
        ),
    ] = "threshold",
    tau: Annotated[
        float, Field(ge=0, le=1, description="Score of the best at which `threshold` stops.")
    ] = 0.96,
    token_price: Annotated[
        float,
        Field(ge=0, le=1000, description="Of 1000 completion tokens, in units of the score."),
    ] = 0.5,
    latency_price: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Of waiting while 1000 tokens are written one after the other, in units of "
            "the score; `utility` draws more at once where waiting is dear.",
        ),
    ] = 0.0,
    first: Annotated[int, Field(ge=1, le=1024, description="Candidates of the first batch.")] = 1,
    growth: Annotated[
        float,
        Field(ge=1, le=16, description="Each batch of `threshold` is so many times the last."),
    ] = 2.0,
    anneal: Annotated[
        bool,
        Field(
            description="Temperature 0 for the first candidate, 1/2 for the next two, 3/4 for the "
            "next four, …, in place of the client's own."
        ),
    ] = True,
    choose: Annotated[
        Choice,
        Field(
            description="What answers: by `vote` the answer whose candidates have the largest sum "
            "of odds, s / (1 - s), so that scores which hardly differ count heads and clear ones "
            "decide; or the `best` scored candidate, as in the paper."
        ),
    ] = "vote",
    keep: Annotated[
        float,
        Field(gt=0, le=1, description="Share of a batch that is kept at `checkpoint`."),
    ] = 1.0,
    checkpoint: Annotated[
        int, Field(ge=1, le=1_000_000, description="Tokens at which a batch is pruned.")
    ] = 64,
) -> Rule:
    """Stop when the model itself is sure enough that it would not do better, by one token each.

    Batches of 1, 2, 4, 8, …; the candidates vote, weighed by their scores; one without an answer
    stands for itself. With `keep` below 1, a batch of two or more writes `checkpoint` tokens, is
    scored as far as it goes, and only the best share goes on: the others are aborted upstream. The
    scores presume a model that was trained for the question.
    """
    watch = Keeping((checkpoint,), keep) if keep < 1 else None
    begin = max(first, setting.first)
    made: Rule
    if mode == "threshold":
        made = _SelfEvaluation(_Threshold(tau, growth), begin, anneal=anneal, watch=watch)
    else:
        prices = _Utility(setting.n, token_price / TOKENS, latency_price / TOKENS)
        made = _Learning(prices, begin, anneal=anneal, watch=watch)
    made.voted = choose == "vote"
    return made


class _Sizes(Protocol):
    """How many more to draw once `scores` are there; 0 to stop, for `reason`."""

    @property
    def reason(self) -> str: ...

    def more(self, scores: Sequence[float], tokens: Sequence[int], last: int) -> int: ...


@dataclass(frozen=True, slots=True)
class _Threshold:
    tau: float
    growth: float
    reason: str = "sure"

    def more(self, scores: Sequence[float], tokens: Sequence[int], last: int) -> int:
        if max(scores, default=-1.0) >= self.tau:
            return 0
        return max(1, round(last * self.growth))


@dataclass(slots=True)
class _Utility:
    """Prices are a token's."""

    most: int
    token_price: float
    latency_price: float
    shape: Shape = field(default_factory=Shape)
    reason: str = "not_worth_more"

    def more(self, scores: Sequence[float], tokens: Sequence[int], last: int) -> int:
        if not scores:
            return max(1, last)
        known = [each for each in tokens if each] or [1]
        length = sum(known) / len(known)
        draws = [each for each in AHEAD if each <= max(1, self.most - len(scores))]
        outlook = Outlook(self.shape, scores)
        gains = between(outlook.best, outlook.gains(draws))
        cost = [length * (self.token_price * each + self.latency_price) for each in draws]
        worth = [gain - price for gain, price in zip(gains, cost, strict=True)]
        best = max(range(len(draws)), key=lambda place: worth[place])
        if worth[best] <= 0:
            return 0
        # Without a price of waiting, one at a time: each tells whether another pays.
        return draws[best] if self.latency_price else 1


def between(best: float, gains: Sequence[float]) -> list[float]:
    """What more draws are worth, the first of `gains` being that of one more.

    The scores' own rise is too little: of a problem that is seldom solved, a right answer is scored
    above a wrong one by as little as the problem is seldom solved. The chance that another draw is
    better, 1 - `best`, is too much: the scores do not always tell. One more draw is taken to be
    worth the geometric mean of the two, further ones in proportion.
    """
    if not gains or gains[0] <= 0:
        return [0.0] * len(gains)
    return [gain * math.sqrt((1.0 - best) / gains[0]) for gain in gains]


class _SelfEvaluation(Rule):
    verifier = "self_evaluation"

    def __init__(self, sizes: _Sizes, first: int, *, anneal: bool, watch: Watch | None):
        self._sizes = sizes
        self._next = first
        self._anneal = anneal
        self._watch = watch
        self._drawn = 0
        self._scores: list[float] = []

    def ask(self) -> Next:
        if not self._next:
            return Stop(self._sizes.reason, {"self_evaluation": max(self._scores)})
        last = self._drawn + self._next
        sampling = Sampling(temperature=annealed(last)) if self._anneal else Sampling()
        return Draw(self._next, sampling, self._watch if self._next > 1 else None)

    def tell(self, seen: Sequence[Seen]) -> None:
        self._drawn = len(seen)
        judged = [each for each in seen if each.score.judged]
        self._scores = [each.value for each in judged]
        self._next = self._sizes.more(self._scores, [each.tokens for each in judged], self._next)

    def scores(self, scores: Sequence[Score]) -> Sequence[Score]:
        return [_odds(each) for each in scores] if self.voted else scores


class _Learning(_SelfEvaluation):
    """Knows by what it has seen on its route how scores lie."""

    decay = 0.999

    def __init__(self, prices: _Utility, first: int, *, anneal: bool, watch: Watch | None):
        super().__init__(prices, first, anneal=anneal, watch=watch)
        self._prices = prices

    def recall(self, learned: Mapping[str, float]) -> None:
        self._prices.shape = Shape.learned(learned)

    def lesson(self) -> Mapping[str, float]:
        return lesson(self._scores)


def _odds(score: Score) -> Score:
    """The weight of a vote; one that could not be judged has none."""
    return replace(score, value=math.exp(logit(score.value))) if score.judged else score


def annealed(number: int) -> float:
    """The temperature of a batch whose last candidate is the request's `number`th (section 3.3).

    Of batches of 1, 2, 4, 8: greedy, one half, three quarters, …; a candidate's is the same where
    they are drawn one by one.
    """
    return 1.0 - 2.0 ** (1 - number.bit_length())
