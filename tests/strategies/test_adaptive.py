"""The loop around the rules, on a backend that answers as told."""

from __future__ import annotations

from types import EllipsisType

import pytest

from gateway import InvalidRequest
from gateway.inquiries import Probabilities, Rows
from gateway.registry import load, spec_of
from gateway.testing import FakeBackend, answer_of
from gateway.trace import Trace
from gateway.types import Call
from gateway.wishes import Wishes
from strategies.adaptive import adaptive

SPEC = spec_of(adaptive)
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")


def asking(rule: str, budget: int = 40) -> Wishes:
    return Wishes(budget=budget, params={"rule": rule})


async def test_it_draws_until_its_rule_says_stop() -> None:
    backend = FakeBackend(lambda sample, number: f"Answer: {4 if number != 1 else 5}")
    answer = await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=asking("beta;level=0.9"))
    assert answer.outcome.stop == "agreed"
    assert answer.outcome.candidates[0].text == "Answer: 4"
    assert backend.begun == answer.samples == 6  # 4, 5, then four times 4: P(Beta(6, 2) > .5) = .94


async def test_without_agreement_it_ends_at_its_cap() -> None:
    backend = FakeBackend(lambda sample, number: f"Answer: {number}")
    answer = await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=asking("beta", 7))
    assert (answer.samples, answer.outcome.stop) == (7, "complete")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("nonsense", "unknown rule 'nonsense'; allowed: .*beta"),
        ("beta;level=2", "level: .*less than 1"),
        ("beta;size=2", "takes no parameter 'size'; allowed: batch, level"),
        ("beta;", "not an RFC 9651 item"),
    ],
)
async def test_a_rule_that_is_not_there_is_refused_by_name(rule: str, said: str) -> None:
    backend = FakeBackend(lambda sample, number: "Answer: 4")
    with pytest.raises(InvalidRequest, match=f"rule: .*{said}"):
        await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=asking(rule))
    assert backend.begun == 0


async def test_a_rule_that_runs_out_of_time_stops_and_says_so() -> None:
    class Busy:
        async def run(self, function: object, *args: object, seconds: float) -> None:
            raise TimeoutError

    backend = FakeBackend(lambda sample, number: f"Answer: {number}")
    answer = await answer_of(
        SPEC, backend, verifiers=VERIFIERS, wishes=asking("value"), compute=Busy()
    )
    assert (answer.samples, answer.outcome.stop) == (2, "settled")
    assert "rule_out_of_time" in answer.outcome.degraded


@pytest.mark.parametrize(
    ("text", "rule", "counted", "lost"),
    [
        ("Answer: 4", "beta;level=0.9", "beta", 1 - 15 / 16),  # P(Beta(4, 1) > 1/2) = 15/16
        ("Answer: 4", "esc;window=3", "esc", None),
        ("Answer: 4", "auto", "value", ...),
        ("so it goes", "auto", "self_evaluation", None),
    ],
)
async def test_what_a_rule_saved_and_lost_is_counted_under_the_rule_that_decided(
    text: str, rule: str, counted: str, lost: float | EllipsisType | None
) -> None:
    """A candidate is three or two tokens here, of 40 that it may draw."""

    def sure(call: Call) -> Rows:
        assert isinstance(call, Probabilities)
        weights = [0.98 if choice.strip() == "No" else 0.02 for choice in call.choices]
        return Rows((tuple(weight / sum(weights) for weight in weights),))

    trace, backend = Trace(), FakeBackend(lambda sample, number: text, measure=sure)
    await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=asking(rule), trace=trace)
    told = trace.tallies
    saved = 40 - backend.begun
    assert told["rule_samples_saved", (counted,)] == saved > 0
    assert told["rule_tokens_saved", (counted,)] == saved * len(text.split())
    assert {labels for _, labels in told} == {(counted,)}
    if lost is None:
        assert ("rule_answers_lost", (counted,)) not in told
    else:
        own = told["rule_answers_lost", (counted,)]
        assert 0 <= own < 0.2 if lost is ... else own == pytest.approx(lost)


@pytest.mark.parametrize(
    ("choose", "texts", "best"),
    [
        ("best", ["Answer: 4", "Answer: 4", "Answer: 5"], 2),
        ("vote", ["Answer: 4", "Answer: 4", "Answer: 5"], 0),
        ("vote", ["so", "Answer: 4", "it goes"], 2),  # without an answer, each for itself
    ],
)
async def test_self_evaluations_weigh_votes(choose: str, texts: list[str], best: int) -> None:
    def judging(call: Call) -> Rows:
        assert isinstance(call, Probabilities)
        said = str(call.messages[-2]["content"])
        no = 0.6 if said == texts[2] else 0.5  # odds of 1.5 against 1 and 1
        half = len(call.choices) // 2
        return Rows(((no / half,) * half + ((1 - no) / half,) * half,))

    backend = FakeBackend(lambda sample, number: texts[number], measure=judging)
    rule = f"self_evaluation;tau=1.0;first=3;choose={choose}"
    answer = await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=asking(rule, 3))
    assert answer.outcome.candidates[0].text == texts[best]


async def test_the_same_formulas_are_compared_once_a_request() -> None:
    class Counting:
        def __init__(self) -> None:
            self.compared: list[tuple[object, ...]] = []

        async def run(self, function: object, *args: object, seconds: float) -> bool:
            self.compared.append(args)
            if "y" in str(args):
                raise TimeoutError
            return False

    texts, counting = ["\\sqrt{2}", "\\sqrt{3}", "\\sqrt{y}"], Counting()
    backend = FakeBackend(lambda sample, number: f"Answer: {texts[number % 3]}")
    wishes = asking("beta;level=0.99", 12)
    await answer_of(SPEC, backend, verifiers=VERIFIERS, wishes=wishes, compute=counting)
    assert backend.begun == 12
    assert 1 <= len(counting.compared) == len({frozenset(args) for args in counting.compared}) <= 3
