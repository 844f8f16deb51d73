"""Verifiers put together: the grammar, what members' scores come to, and what each costs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from gateway import Candidate, Score, Session, selection, verifier
from gateway.composition import Misnamed, appointed
from gateway.errors import InvalidRequest
from gateway.expressions import MAX_NAMES, Combined, parse_verifier
from gateway.naming import Named
from gateway.policy import check_verifier
from gateway.registry import Registry, spec_of
from gateway.testing import FakeBackend, Reply, session_on, user
from gateway.types import Sample

NAN = math.nan


@verifier(binary=True, needs=("logprobs",))
async def short(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
    """Pass what has fewer than five letters; an empty one cannot be judged."""
    return [
        Score(float(len(c.text) < 5), key=c.text[:1], passed=len(c.text) < 5, reason="length")
        if c.text
        else Score(NAN)
        for c in candidates
    ]


@verifier()
async def letters(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    sign: Annotated[float, Field(description="Multiplies the value.")] = 1.0,
) -> list[Score]:
    """How many letters there are; NaN for an x."""
    return [Score(NAN if c.text == "x" else sign * len(c.text), steps=(0.5,)) for c in candidates]


@verifier(order_sensitive=True, preload=("json",))
async def dear(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
    """Ask a model about each."""
    for candidate in candidates:
        await session.sample(messages=user(candidate.text), max_tokens=3)
    return [Score(0.25) for _ in candidates]


@verifier()
async def broken(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
    """Refuse the request."""
    raise InvalidRequest("no", param="x", code="invalid_value")


VERIFIERS = Registry("verifier", map(spec_of, (short, letters, dear, broken)))


def asked() -> tuple[FakeBackend, Session]:
    backend = FakeBackend(lambda sample, number: Reply.of("a b c"))
    return backend, session_on(backend, verifiers=VERIFIERS)


async def scored(by: str, *texts: str) -> list[Score]:
    return await asked()[1].score([Candidate(str(i), t) for i, t in enumerate(texts)], by)


def test_members_keep_their_parameters_and_weights() -> None:
    tree = parse_verifier('weighted( math:2 , judge;model=org/m:7;p="a,(:3":0.5,all(a;k,b):1 )')
    assert isinstance(tree, Combined)
    first, second, third = tree.members
    assert (first.verifier, first.weight) == (Named("math"), 2.0)
    assert second.verifier == Named("judge", {"model": "org/m:7", "p": "a,(:3"})
    assert (second.weight, third.weight) == (0.5, 1.0)
    assert isinstance(third.verifier, Combined)
    assert [member.verifier for member in third.verifier.members] == [
        Named("a", {"k": True}), Named("b"),
    ]  # fmt: skip
    assert parse_verifier("math;seconds=2") == Named("math", {"seconds": 2})


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("all()", 5, "missing"),
        ("all(short,)", 11, "missing"),
        ("all(short", 10, "')'"),
        ('all(short;a=")', 15, "not closed"),
        ("all(short))", 11, "follows"),
        ("all(short) x", 12, "follows"),
        ("any(short)", 1, "all, first, weighted"),
        ("all(short,any(short))", 11, "all, first, weighted"),
        ("all(short,tall)", 11, "unknown verifier 'tall'"),
        ("all(short,letters;size=3)", 11, "takes no parameter 'size'"),
        ("all(short,letters;sign=big)", 11, "valid number"),
        ("all(short,lett ers)", 11, "RFC 9651"),
        ("weighted(short,letters:1)", 10, "weight is missing"),
        ("weighted(short:1,letters:0)", 26, "over 0"),
        ("weighted(short:1,letters:1e3)", 18, "weight is missing"),
        ("weighted(short:-1)", 10, "weight is missing"),
        ("first(letters,short)", 7, "gives no verdicts"),
        ("all(" * 5 + "short" + ")" * 5, 17, "deeper than 4"),
        ("all(" + ",".join(["short"] * (MAX_NAMES + 1)) + ")", 1, "more than 16"),
        ("all(" + " " * 3000 + "short)", 2001, "longer than"),
    ],
)
def test_what_is_wrong_is_told_by_its_position(text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_verifier(VERIFIERS, text, "X-ITS-Verifier")
    assert f"position {position}: " in str(caught.value)
    assert says in str(caught.value)
    assert str(caught.value.param).startswith("X-ITS-Verifier")


@given(st.text(alphabet='alfirstweghd(),:;="\\12. ', max_size=60))
def test_any_text_is_named_or_refused(text: str) -> None:
    with suppress(Misnamed):  # and nothing else
        appointed(text, VERIFIERS)


def test_flags_come_from_the_members() -> None:
    spec, params = appointed("all(short,letters,dear)", VERIFIERS)
    assert (spec.needs, spec.preload, spec.order_sensitive) == (("logprobs",), ("json",), True)
    assert (spec.binary, params) == (False, {})
    assert appointed("all(short,first(short,short))", VERIFIERS)[0].binary
    assert not appointed("first(short,letters)", VERIFIERS)[0].binary
    assert appointed("first(short,short)", VERIFIERS)[0].binary
    assert not appointed("weighted(short:1)", VERIFIERS)[0].binary


async def test_all_is_the_least_and_passes_where_all_do() -> None:
    scores = await scored("all(short,letters)", "abc", "abcdef", "", "x")
    assert [score.value for score in scores] == [1.0, 0.0, 0.0, 1.0]
    # `letters` gives no verdict, so that nothing passes; `short` can still fail one.
    assert [score.passed for score in scores] == [None, False, None, None]
    assert [score.key for score in scores] == ["a", "a", None, "x"]
    assert scores[0].steps == (0.5,)
    assert scores[0].reason == "short: length"
    both = await scored("all(short,short)", "abc", "abcdef", "")
    assert [score.passed for score in both] == [True, False, None]
    assert math.isnan(both[2].value)


async def test_weighted_is_the_mean_over_those_that_judged() -> None:
    scores = await scored("weighted(short:3,letters:1)", "abc", "abcdef", "x", "")
    assert [score.value for score in scores] == [1.5, 1.5, 1.0, 0.0]
    assert {score.passed for score in scores} == {None}


async def test_first_spares_the_dear_one_what_the_gate_rejects() -> None:
    backend, session = asked()
    texts = ["abcdef", "ab", "", "cd"]
    candidates = [Candidate(str(i), text) for i, text in enumerate(texts)]
    scores = await session.score(candidates, "first(short,dear)")
    assert [call.messages[0]["content"] for call in backend.calls] == ["ab", "cd"]
    assert [score.value for score in scores[1::2]] == [0.25, 0.25]
    assert scores[0].passed is False
    assert math.isnan(scores[2].value)
    assert selection.order(scores) == [1, 3, 0, 2]


async def test_a_gate_that_nothing_passes_ends_the_cascade() -> None:
    backend, session = asked()
    [score] = await session.score([Candidate("a", "abcdef")], "first(short,dear)")
    assert (backend.calls, score.value, score.passed) == ([], -3.0, False)


@pytest.mark.parametrize("sign", [-1e9, -1, 0.5, 1, 1e9])
async def test_what_passes_a_gate_ranks_above_what_does_not(sign: float) -> None:
    texts = ("abcdef", "a", "abc", "x", "ab")
    scores = await scored(f"first(short,letters;sign={sign:.1f})", *texts)
    longest = [2, 4, 1] if sign > 0 else [1, 4, 2]
    # An x passes the gate, and cannot be judged behind it.
    assert selection.order(scores) == [*longest, 3, 0]


async def test_each_member_pays_for_itself() -> None:
    _, session = asked()
    by = "all(dear,weighted(short:1,first(short,dear):1))"
    await session.score([Candidate("1", "ab"), Candidate("2", "abcdef")], by)
    trace = session._trace
    assert set(trace.verifier_seconds) == {"dear", "short"}
    assert trace.verifier_usage["dear"] == trace.judging
    assert trace.judging.completion_tokens == 3 * 3
    assert trace.verdicts["dear", "scored"] == 3
    assert session.scores["1"].value == 0.25


async def test_side_by_side_tokens_do_not_mix() -> None:
    def handler(sample: Sample, number: int) -> Reply:
        words = "a b c d" if "long" in str(sample.messages[0]["content"]) else "a"
        return Reply.of(words, delay=0.002)

    @verifier()
    async def long(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
        """Four tokens."""
        await session.sample(messages=user("long"))
        return [Score(1.0) for _ in candidates]

    @verifier()
    async def brief(session: Session, candidates: Sequence[Candidate]) -> list[Score]:
        """One token."""
        await session.sample(messages=user("brief"))
        return [Score(1.0) for _ in candidates]

    backend = FakeBackend(handler)
    registry = Registry("verifier", [spec_of(long), spec_of(brief)])
    session = session_on(backend, verifiers=registry)
    await session.score([Candidate("1", "x")], "all(long,brief)")
    told = {name: usage.completion_tokens for name, usage in session._trace.verifier_usage.items()}
    assert told == {"long": 4, "brief": 1}


async def test_a_member_that_refuses_leaves_no_sibling_behind() -> None:
    backend = FakeBackend(lambda sample, number: Reply.of("word " * 500, delay=0.01))
    session = session_on(backend, verifiers=VERIFIERS)
    before = asyncio.all_tasks()
    with pytest.raises(InvalidRequest):
        await session.score([Candidate("1", "x")], "all(dear,broken)")
    assert asyncio.all_tasks() == before
    assert backend.live == 0
