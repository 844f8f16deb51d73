"""The rule for what there is to go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway import Score, rule
from strategies.rules.base import Next, Rule, Seen, Setting, Stop
from strategies.rules.hazard import hazard
from strategies.rules.pandora import pandora
from strategies.rules.self_evaluation import self_evaluation
from strategies.rules.value import value

BY_VERIFIER: Mapping[str, Callable[[Setting], Rule]] = {
    "agreement": value,
    "self_evaluation": self_evaluation,
}
"""The rule of a verifier that is named; `hazard` of others with verdicts, `pandora` of the rest."""


@rule
def auto(setting: Setting) -> Rule:
    """Choose by what is available; name a rule to overrule it.

    With a verifier named: `value` for agreement, `self_evaluation` for that, `hazard` for one that
    gives verdicts, `pandora` for one that gives scores. With none, but tests in the request:
    `hazard` by the verifier `code`. Else candidates vote by `value`, if those of the first round
    mark their answers. Where none does, `pandora` scores them by a reward model, if one has that
    role, and else `self_evaluation` does.
    """
    name = setting.verifier.partition(";")[0]
    if name:
        other: Callable[[Setting], Rule] = hazard if setting.verdicts else pandora
        return _Auto(BY_VERIFIER.get(name, other)(setting), setting.verifier)
    if setting.tests:
        return _Auto(hazard(setting), "code")
    return _Auto(value(setting), "agreement", _open(setting))


def _open(setting: Setting) -> tuple[Rule, str]:
    """The rule and the verifier of text in which no answer is marked."""
    if setting.reward:
        return pandora(setting), "reward_model"
    return self_evaluation(setting), "self_evaluation"


class _Auto(Rule):
    """Another rule; `fallback` takes its place where the first round marks no answer."""

    def __init__(self, chosen: Rule, by: str, fallback: tuple[Rule, str] | None = None):
        self._chosen = chosen
        self._fallback = fallback
        self.verifier = by
        self.decay = chosen.decay
        self.topic = type(chosen).__name__.strip("_").lower()

    def recall(self, learned: Mapping[str, float]) -> None:
        self._chosen.recall(learned)

    def lesson(self) -> Mapping[str, float]:
        return self._chosen.lesson()

    def tell(self, seen: Sequence[Seen]) -> None:
        if self._fallback is not None and seen and not any(each.marked for each in seen):
            self._chosen, self.verifier = self._fallback
            self.decay = None
            self._fallback = None
            return  # to be told again, as the new verifier scores them
        self._fallback = None
        self._chosen.tell(seen)

    def solved(self, result: Any) -> None:
        self._chosen.solved(result)

    def spent(self) -> Stop | None:
        return self._chosen.spent()

    def ask(self) -> Next:
        return self._chosen.ask()

    def scores(self, scores: Sequence[Score]) -> Sequence[Score]:
        return self._chosen.scores(scores)
