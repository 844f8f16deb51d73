"""Likelihood: means over the tokens' log-probabilities, NaN where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import Candidate, Session
from verifiers.likelihood import likelihood

MakeSession = Callable[..., Session]
Said = Callable[..., list[Candidate]]


def token(logprob: Any, top: list[Any] | None = None) -> dict[str, Any]:
    entries = [{"token": str(i), "logprob": value} for i, value in enumerate(top or [])]
    return {"token": "t", "logprob": logprob, "top_logprobs": entries}


def of(*tokens: Any) -> Candidate:
    return Candidate(id="c", text="t", logprobs={"content": list(tokens)})


async def test_mean_log_probability(make_session: MakeSession) -> None:
    [score] = await likelihood(make_session(), [of(token(-1.0), token(-2.0))])
    assert score.value == -1.5


async def test_self_certainty_is_the_distance_from_uniform(make_session: MakeSession) -> None:
    halves = of(token(-1, [math.log(0.5)] * 2))
    sure = of(token(-1, [math.log(0.9), math.log(0.1)]))
    surer = of(token(-1, [math.log(0.99), math.log(0.01)]))
    scores = await likelihood(make_session(), [halves, sure, surer], measure="self_certainty")
    assert scores[0].value == pytest.approx(0)
    expected = -(math.log(2 * 0.9) + math.log(2 * 0.1)) / 2
    assert scores[1].value == pytest.approx(expected)
    assert scores[2].value > scores[1].value


async def test_self_certainty_renormalises_what_the_server_returned(
    make_session: MakeSession,
) -> None:
    whole = of(token(-1, [math.log(0.8), math.log(0.2)]))
    part = of(token(-1, [math.log(0.4), math.log(0.1)]))
    first, second = await likelihood(make_session(), [whole, part], measure="self_certainty")
    assert first.value == pytest.approx(second.value)


@pytest.mark.parametrize("measure", ["mean_logprob", "self_certainty"])
@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"content": None}, {"content": []}, {"content": "x"}, {"content": [None, 5]},
     {"content": [token(None, [None])]}, {"content": [token(math.nan, [math.nan])]}],
)  # fmt: skip
async def test_without_log_probabilities_nothing_is_judged(
    make_session: MakeSession, logprobs: Any, measure: Any
) -> None:
    candidate = Candidate(id="c", text="t", logprobs=logprobs)
    [score] = await likelihood(make_session(), [candidate], measure=measure)
    assert math.isnan(score.value)
    assert score.reason


@pytest.mark.parametrize("never", [-9999.0, -math.inf])
@pytest.mark.parametrize("measure", ["mean_logprob", "self_certainty"])
async def test_impossible_tokens_weigh_a_bounded_amount(
    make_session: MakeSession, measure: Any, never: float
) -> None:
    [score] = await likelihood(make_session(), [of(token(never, [0.0, never]))], measure=measure)
    assert abs(score.value) <= 30


@given(values=st.lists(st.lists(st.floats(-20, 0), max_size=4), max_size=4))
async def test_the_order_of_candidates_does_not_matter(
    make_session: MakeSession, values: list[list[float]]
) -> None:
    candidates = [of(*(token(v, [v, v / 2]) for v in row)) for row in values]
    straight = await likelihood(make_session(), candidates)
    backwards = await likelihood(make_session(), candidates[::-1])
    assert [repr(score) for score in backwards] == [repr(score) for score in straight[::-1]]


async def test_nothing_in_nothing_out(make_session: MakeSession) -> None:
    assert await likelihood(make_session(), []) == []
