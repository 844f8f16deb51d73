"""Sampling against a binary verifier that errs (Inference Scaling fLaws, arXiv 2411.17501)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.hazards import Stakes, after, fitted, worth

GRID = tuple((place + 0.5) / 20 for place in range(20))
PRIOR = 4.0
"""Questions that the uniform prior counts as."""

Chance = Annotated[float, Field(ge=0, le=1)]
Abstain = Literal["refuse", "error", "never"]


@rule
def hazard(
    setting: Setting,
    *,
    v_tp: Annotated[float, Field(ge=0, description="Value of an accepted right answer.")] = 1.0,
    v_fp: Annotated[float, Field(le=0, description="Value of an accepted wrong answer.")] = -1.0,
    cost: Annotated[float, Field(ge=0, description="Cost of a sample, in the same unit.")] = 0.0,
    completeness: Annotated[
        Chance, Field(description="Chance that the verifier accepts a right answer.")
    ] = 1.0,
    soundness: Annotated[
        Chance, Field(description="Chance that the verifier rejects a wrong answer.")
    ] = 0.75,
    abstain: Annotated[
        Abstain,
        Field(
            description="Where no answer is worth giving: `refuse`, a completion that is a "
            "refusal; `error`, a 422; `never`, the best there is."
        ),
    ] = "refuse",
) -> Rule:
    """Draw until one passes, while the next is worth its cost; abstain where no number is.

    Each rejection says that the question is rather a hard one, so that what passes later is rather
    a wrong answer that got through. How hard questions are is learned by route, on a grid, from
    how many samples it took before one passed; no label tells it. What is left when the rule stops
    are rejected answers: one is given only where that too is worth more than nothing.
    """
    return _Hazard(setting.n, Stakes(v_tp, v_fp, cost, completeness, soundness), abstain)


class _Hazard(Rule):
    verdicts: bool = True
    verifier: str = "math"
    decay: float | None = 0.999

    def __init__(self, n: int, stakes: Stakes, abstain: Abstain):
        self._n = n
        self._stakes = stakes
        self._abstain = abstain
        self._mix = fitted(GRID, {}, stakes, PRIOR)
        self._rejected = self._drawn = 0
        self._passed = False

    def recall(self, learned: Mapping[str, float]) -> None:
        outcomes = {_parsed(name): count for name, count in learned.items() if count > 0.01}
        self._mix = fitted(GRID, outcomes, self._stakes, PRIOR)

    def lesson(self) -> Mapping[str, float]:
        if not (self._rejected or self._passed):
            return {}
        return {f"{self._rejected}.{int(self._passed)}": 1.0}

    def tell(self, seen: Sequence[Seen]) -> None:
        verdicts = [each.score.passed for each in seen]
        self._drawn = len(seen)
        self._passed = True in verdicts
        told = verdicts[: verdicts.index(True)] if self._passed else verdicts
        self._rejected = told.count(False)

    def ask(self) -> Next:
        if self._passed:
            return Stop("passed", self._evidence())
        left = self._n - self._drawn
        if left > 0 and worth(self._now(), self._stakes, left):
            return Draw(1)
        return self.spent()

    def spent(self) -> Stop:
        """What was drawn was rejected, if anything was: an answer only where that is worth it."""
        right = self._stakes.right_if_rejected(self._now())
        value = right * self._stakes.v_tp + (1 - right) * self._stakes.v_fp
        give = self._abstain == "never" or (self._drawn > 0 and value > 0)
        return Stop("hopeless", self._evidence(), abstain=not give, error=self._abstain == "error")

    def _now(self) -> Mapping[float, float]:
        return after(self._mix, self._stakes, self._rejected)

    def _evidence(self) -> Mapping[str, float]:
        mix = self._now()
        return {
            "rejected": self._rejected,
            "right_each": round(sum(r * weight for r, weight in mix.items()), 4),
        }


def _parsed(name: str) -> tuple[int, bool]:
    rejected, passed = name.split(".")
    return int(rejected), passed == "1"
