"""Agreement: shares of votes over answers that mean the same."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import Candidate, Session
from verifiers.agreement import agreement

MakeSession = Callable[..., Session]
Said = Callable[..., list[Candidate]]
Called = Callable[..., Candidate]


def shown(scores: Any) -> list[tuple[float | None, str | None]]:
    return [(round(s.value, 6) if s.judged else None, s.key) for s in scores]


async def test_value_is_the_share_of_equal_answers(make_session: MakeSession, said: Said) -> None:
    candidates = said("Answer: 18", r"\boxed{18.0}", "so\n#### $18", "The answer is 20.")
    scores = await agreement(make_session(), candidates)
    assert shown(scores) == [(0.75, "18")] * 3 + [(0.25, "20")]


async def test_nothing_in_nothing_out(make_session: MakeSession) -> None:
    assert await agreement(make_session(), []) == []


async def test_only_candidates_with_an_answer_vote(make_session: MakeSession, said: Said) -> None:
    cut = said("I was about to say", finish_reason="length")
    scores = await agreement(make_session(), [*said("Answer: 1", "no idea", ""), *cut])
    assert shown(scores) == [(1.0, "1"), (None, None), (None, None), (None, None)]
    assert all(score.reason for score in scores[1:])


async def test_whole_texts_vote_where_none_marks_one(make_session: MakeSession, said: Said) -> None:
    cut = said("Paris", finish_reason="length")
    scores = await agreement(make_session(), [*said("Paris", " paris\n", "Rome", " "), *cut])
    assert shown(scores) == [
        (0.666667, "paris"), (0.666667, "paris"), (0.333333, "rome"), (None, None), (None, None)
    ]  # fmt: skip


async def test_a_unit_joins_the_bare_number_unless_units_differ(
    make_session: MakeSession, said: Said
) -> None:
    one = said("Answer: 18", "Answer: 18 eggs")
    assert shown(await agreement(make_session(), one)) == [(1.0, "18")] * 2
    two = said("Answer: 5", "Answer: 5 km", "Answer: 5 m")
    assert len({score.key for score in await agreement(make_session(), two)}) == 3


@pytest.mark.parametrize(
    "forms",
    [
        ["x^2+2x", "2x + x^2", "x(x+2)"],
        [r"\frac{\sqrt{2}}{2}", r"1/\sqrt{2}", r"\sqrt{\frac12}"],
        [r"11\sqrt{5}+11", r"11(1+\sqrt{5})"],
        [r"\sqrt{16}", "4"],
    ],
)
async def test_formulas_are_compared_symbolically(
    make_session: MakeSession, said: Said, forms: list[str]
) -> None:
    candidates = said(*(f"\\boxed{{{form}}}" for form in [*forms, "x^2+1"]))
    scores = await agreement(make_session(), candidates)
    assert len({score.key for score in scores}) == 2
    assert scores[0].value == pytest.approx(len(forms) / (len(forms) + 1))


async def test_a_hostile_formula_does_not_spoil_the_others(
    make_session: MakeSession, said: Said
) -> None:
    hostile = r"\boxed{9^{9^{9^{9}}} x}"
    candidates = said(hostile, r"\boxed{x^2+2x}", r"\boxed{2x+x^2}")
    began = time.monotonic()
    scores = await agreement(make_session(), candidates)
    assert scores[1].key == scores[2].key != scores[0].key
    assert time.monotonic() - began < 10


async def test_json_is_compared_by_content(make_session: MakeSession, said: Said) -> None:
    candidates = said('{"a": 1, "b": 2}', '{"b":2,"a":1.0}', '{"a":1,"b":3}', "not JSON")
    session = make_session(response_format={"type": "json_object"})
    values = [score[0] for score in shown(await agreement(session, candidates))]
    assert values == [0.666667, 0.666667, 0.333333, None]


async def test_tool_calls_are_compared_by_function_and_arguments(
    make_session: MakeSession, said: Said, called: Called
) -> None:
    candidates = [
        called(("f", '{"a":1,"b":2}'), ("g", "{}")),
        called(("g", "{}"), ("f", '{"b": 2, "a": 1}')),
        called(("f", '{"a":1,"b":2}')),
        *said("I cannot."),
    ]
    values = [score.value for score in await agreement(make_session(), candidates)]
    assert values == [0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("mode", "texts", "values"),
    [
        ("number", ["it is 5", "5 or maybe 6", "#### 5"], [0.666667, 0.333333, 0.666667]),
        ("marked", ["it is 5", "Answer: 5"], [None, 1.0]),
        ("text", ["Answer: 5", "answer:  5", "5"], [0.666667, 0.666667, 0.333333]),
        ("json", ["```json\n[1]\n```", "[1.0]", "x"], [1.0, 1.0, None]),
    ],
)
async def test_the_client_says_what_is_compared(
    make_session: MakeSession, said: Said, mode: Any, texts: list[str], values: list[float | None]
) -> None:
    scores = await agreement(make_session(), said(*texts), answer=mode)
    assert [score[0] for score in shown(scores)] == values


POOL = [
    "1",
    "1.0",
    "1 egg",
    "1/2",
    "0.5",
    "50%",
    "x+1",
    "1+x",
    r"\frac{x}{1}+1",
    "(B)",
    "b",
    "Paris",
]


@settings(max_examples=25, deadline=None)
@given(picked=st.lists(st.sampled_from(POOL), max_size=8), seed=st.integers(0, 9))
async def test_the_order_of_candidates_does_not_matter(
    make_session: MakeSession, said: Said, picked: list[str], seed: int
) -> None:
    candidates = said(*(f"Answer: {answer}" for answer in picked))
    order = list(range(len(candidates)))
    random.Random(seed).shuffle(order)
    straight = await agreement(make_session(), candidates)
    shuffled = await agreement(make_session(), [candidates[i] for i in order])
    assert shown(shuffled) == shown([straight[i] for i in order])


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=5))
async def test_any_text_gets_a_share_or_nan(
    make_session: MakeSession, said: Said, texts: list[str]
) -> None:
    scores = await agreement(make_session(), said(*texts))
    assert len(scores) == len(texts)
    assert all(math.isnan(score.value) or 0 < score.value <= 1 for score in scores)


async def test_plain_numbers_cost_no_worker(make_session: MakeSession, said: Said) -> None:
    session = make_session()
    candidates = said(*(str(i % 3) for i in range(16)))
    best = math.inf
    for _ in range(20):
        began = time.perf_counter()
        await agreement(session, candidates)
        best = min(best, time.perf_counter() - began)
    assert best < 0.5e-3
    assert vars(session)["computed"] == 0


async def test_merges_recorded_spellings(
    make_session: MakeSession, said: Said, data: Callable[[str], Path]
) -> None:
    """Classes are never finer than the strings, and every string keeps to one class."""
    lines = data("recorded/math500_Qwen3-14B.jsonl").read_text().splitlines()[:60]
    strings = classes = 0
    for line in lines:
        given_ = [answer for answer, _ in json.loads(line)["all_answers"]][:16]
        scores = await agreement(make_session(), said(*(f"\\boxed{{{a}}}" for a in given_)))
        pairs = {(a, score.key) for a, score in zip(given_, scores, strict=True) if score.judged}
        assert max(Counter(a for a, _ in pairs).values()) == 1
        strings += len({a for a, _ in pairs})
        classes += len({key for _, key in pairs})
    assert classes < strings
