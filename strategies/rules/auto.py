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

RULES: Mapping[str, Callable[[Setting], Rule]] = {
    "value": value,
    "self_evaluation": self_evaluation,
    "hazard": hazard,
    "pandora": pandora,
}
BY_VERIFIER: Mapping[str, str] = {"agreement": "value", "self_evaluation": "self_evaluation"}
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
        other = "hazard" if setting.verdicts else "pandora"
        return _Auto(setting, BY_VERIFIER.get(name, other), setting.verifier)
    if setting.tests:
        return _Auto(setting, "hazard", "code")
    return _Auto(setting, "value", "agreement", _open(setting))


def _open(setting: Setting) -> tuple[str, str]:
    """The rule and the verifier of text in which no answer is marked."""
    if setting.reward:
        return "pandora", "reward_model"
    return "self_evaluation", "self_evaluation"


class _Auto(Rule):
    """Another rule; `fallback` takes its place where the first round marks no answer."""

    def __init__(
        self, setting: Setting, name: str, by: str, fallback: tuple[str, str] | None = None
    ):
        self._setting = setting
        self._chosen = RULES[name](setting)
        self._fallback = fallback
        self.verifier = by
        self.decay = self._chosen.decay
        self.topic = name
        self.voted = self._chosen.voted

    def recall(self, learned: Mapping[str, float]) -> None:
        self._chosen.recall(learned)

    def lesson(self) -> Mapping[str, float]:
        return self._chosen.lesson()

    def tell(self, seen: Sequence[Seen]) -> None:
        if self._fallback is not None and seen and not any(each.marked for each in seen):
            self.topic, self.verifier = self._fallback
            self._chosen = RULES[self.topic](self._setting)
            self.decay, self.voted = None, self._chosen.voted
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
