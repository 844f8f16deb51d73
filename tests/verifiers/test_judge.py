"""The prompted judge: exact grades, preferences without a place's offset, what it is shown."""

from __future__ import annotations

import math
import random

import pytest

from gateway import BudgetExhausted, InvalidRequest
from gateway.errors import ModelNotFound, UpstreamUnavailable
from gateway.inquiries import Probabilities, Rows
from gateway.testing import FakeBackend, session_on
from gateway.types import Call
from tests.verifiers.planted import (
    RIGHT,
    WRONG,
    comparer,
    grader,
    judged_by,
    prompt_of,
    right,
    written,
)
from verifiers import preferences
from verifiers.judge import judge


def telling(*row: float) -> FakeBackend:
    return FakeBackend(lambda sample, number: "", measure=lambda call: Rows((row,)))


async def test_a_grade_is_the_mean_by_exact_probabilities() -> None:
    backend = telling(0.1, 0.1, 0.2)
    session = judged_by(backend, tokens=1)
    [score] = await judge(session, written("an answer"), grades="abc")
    assert score.value == pytest.approx((0.1 * 0.5 + 0.2) / 0.4)
    assert score.reason == "judge/pointwise-1"
    [call] = backend.inquiries
    assert isinstance(call, Probabilities)
    assert (call.model, call.choices) == ("the-judge", ("a", "b", "c"))
    assert session.budget.tokens == 0
    assert session._trace.judging.completion_tokens == 1
    assert session.begun == 0


async def test_without_the_role_the_requests_model_judges() -> None:
    backend = telling(0.5, 0.5)
    await judge(session_on(backend), written("an answer"), grades="01")
    assert [call.model for call in backend.inquiries if isinstance(call, Probabilities)] == ["fake"]


@pytest.mark.parametrize("mode", ["pointwise", "pairwise"])
async def test_a_judge_that_would_say_something_else_does_not_judge(mode: str) -> None:
    backend = telling(0.001, 0.001)
    scores = await judge(judged_by(backend), written("a", "b"), grades="01", mode=mode)  # type: ignore[arg-type]
    assert all(math.isnan(score.value) and score.reason for score in scores)


@pytest.mark.parametrize("accuracy", [0.6, 0.8, 1.0])
async def test_selection_is_as_good_as_the_judge_allows(accuracy: float) -> None:
    """Of a right and a wrong answer, ties by a coin, the right is chosen as often as it judges."""
    chosen, trials = 0.0, 400
    for trial in range(trials):
        pair = written(f"{trial}: {RIGHT}", f"{trial}: {WRONG}")
        session = judged_by(grader(right, accuracy=accuracy, seed=1))
        good, bad = await judge(session, pair)
        chosen += 0.5 if good.value == bad.value else float(good.value > bad.value)
    sigma = math.sqrt(accuracy * (1 - accuracy) / trials)
    assert chosen / trials == pytest.approx(accuracy, abs=3.3 * sigma + 1e-9)


async def test_an_offset_of_the_place_is_removed() -> None:
    """However strong: as it adds to log-odds, the values are those of a judge without it."""
    candidates = written("bb", "a", "dddd", "ccc")
    plain = await judge(judged_by(comparer(len)), candidates, mode="pairwise")
    for bias in (-8.0, 3.0, 8.0):
        session = judged_by(comparer(len, bias=bias))
        scores = await judge(session, candidates, mode="pairwise")
        assert [s.value for s in scores] == pytest.approx([s.value for s in plain], abs=1e-6)
    assert sorted(range(4), key=lambda place: -plain[place].value) == [2, 3, 0, 1]
    assert plain[0].reason == "judge/pairwise-1"
    # One order alone would have called the first better in every pair.
    assert plain[2].value == pytest.approx(sum(1 / (1 + math.exp(-d)) for d in (3, 2, 1)) / 3)


async def test_a_noisy_comparer_chooses_as_often_as_its_noise_allows() -> None:
    """The half difference of two draws of noise σ is d + N(0, σ²/2): right with chance Φ(d√2/σ)."""
    noise, gap, trials, chosen = 2.0, 1.0, 400, 0
    for trial in range(trials):
        session = judged_by(comparer(right, bias=4.0, noise=noise, seed=trial))
        good, bad = await judge(session, written(RIGHT, WRONG), mode="pairwise")
        chosen += good.value > bad.value
    expected = 0.5 * (1 + math.erf(gap / noise))
    sigma = math.sqrt(expected * (1 - expected) / trials)
    assert chosen / trials == pytest.approx(expected, abs=3.3 * sigma)


async def test_many_are_compared_with_few_and_ranked_all_the_same() -> None:
    lengths = random.Random(3).sample(range(1, 80), 20)
    candidates = written(*("x" * length for length in lengths))
    backend = comparer(lambda text: len(text) / 10, bias=2.0)
    scores = await judge(judged_by(backend), candidates, mode="pairwise", rivals=4)
    assert len(backend.inquiries) == 20 * 4  # two neighbours on each side, in both orders
    assert sorted(range(20), key=lambda i: scores[i].value) == sorted(
        range(20), key=lambda i: lengths[i]
    )
    again = await judge(judged_by(backend), candidates[::-1], mode="pairwise", rivals=4)
    assert [score.value for score in again[::-1]] == [score.value for score in scores]


@pytest.mark.parametrize(("count", "rivals"), [(2, 2), (9, 8), (10, 8), (3, 2), (40, 5)])
def test_pairs_are_distinct_and_no_more_than_asked(count: int, rivals: int) -> None:
    texts = [str(i) for i in range(count)]
    pairs = preferences.pairs(texts, rivals)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    for i in range(count):
        assert 1 <= sum(i in pair for pair in pairs) <= rivals


async def test_equal_texts_are_judged_once_and_empty_ones_not() -> None:
    backend = grader(right)
    scores = await judge(judged_by(backend), written(RIGHT, "", RIGHT, "  ", WRONG))
    assert len(backend.inquiries) == 2
    assert scores[0] == scores[2]
    assert [math.isnan(score.value) for score in scores] == [False, True, False, True, False]


@pytest.mark.parametrize("mode", ["pointwise", "pairwise"])
async def test_a_failure_is_nan_and_stops_no_other(mode: str) -> None:
    def measure(call: Call) -> Rows:
        if "poison" in prompt_of(call):
            raise UpstreamUnavailable("the judge is down")
        assert isinstance(call, Probabilities)
        return Rows(((0.5,) * len(call.choices),))

    backend = FakeBackend(lambda sample, number: "", measure=measure)
    session = judged_by(backend)
    scores = await judge(session, written("a", "poison", "b"), mode=mode)  # type: ignore[arg-type]
    assert [math.isnan(score.value) for score in scores] == [False, True, False]
    assert scores[1].reason
    assert session.notes == ["judge"]
    assert all(
        math.isnan(score.value)
        for score in await judge(judged_by(backend), written("poison", "poison b"), mode=mode)  # type: ignore[arg-type]
    )
    assert backend.live == 0


async def test_a_judge_that_is_not_served_is_a_400_that_names_the_setting() -> None:
    def measure(call: Call) -> Rows:
        raise ModelNotFound("the model 'the-judge' does not exist")

    backend = FakeBackend(lambda sample, number: "", measure=measure)
    with pytest.raises(InvalidRequest, match=r"the-judge.*roles\.judge"):
        await judge(judged_by(backend), written("a"))


async def test_the_budgets_end_leaves_the_rest_unjudged() -> None:
    backend = grader(right)
    session = judged_by(backend, tokens=1)
    scores = await judge(session, written("a", "b"))
    assert sorted(math.isnan(score.value) for score in scores) == [False, True]
    assert session.notes == ["judge"]
    with pytest.raises(BudgetExhausted):
        await judge(session, written("c"))
