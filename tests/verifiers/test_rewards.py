"""Reward models: rows into values, steps into rows, errors that name what to set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import InvalidRequest, Unsupported
from gateway.errors import ModelNotFound, UpstreamRejected, UpstreamUnavailable
from gateway.inquiries import Pool, Rows
from gateway.testing import FakeBackend
from gateway.types import Call
from tests.verifiers.planted import judged_by, written
from verifiers.process_reward import process_reward
from verifiers.reward_model import reward_model
from verifiers.steps import ends, marked


def telling(rows: Callable[[str, Sequence[int]], Sequence[Sequence[float]]]) -> FakeBackend:
    """Tells rows of the answer's text and its ends."""

    def measure(call: Call) -> Rows:
        assert isinstance(call, Pool)
        text = str(call.messages[-1]["content"])
        return Rows(tuple(tuple(row) for row in rows(text, call.ends)))

    return FakeBackend(lambda sample, number: "", measure=measure)


def good_until_wrong(text: str, places: Sequence[int]) -> list[list[float]]:
    """Bad and good of each step: .9 good before the first 'wrong', .2 from there on."""
    shares = [0.2 if "wrong" in text[:end] else 0.9 for end in places]
    return [[1 - share, share] for share in shares]


async def test_an_outcome_is_the_probability_of_the_whole_answer() -> None:
    backend = telling(lambda text, places: [[0.25 if "wrong" in text else 0.75]])
    session = judged_by(backend, tokens=1)
    scores = await reward_model(session, written("wrong", "good", "", "good"))
    assert [score.value for score in scores[:2]] == [0.25, 0.75]
    assert math.isnan(scores[2].value)
    assert scores[3] == scores[1]
    assert len(backend.inquiries) == 2
    call = backend.inquiries[0]
    assert isinstance(call, Pool)
    assert call.model == "orm"
    assert call.messages[-1] == {"role": "assistant", "content": "good"}
    assert session.budget.tokens == 1  # a reward model writes nothing


@pytest.mark.parametrize(
    ("reward", "center", "width", "value"),
    [(0.0, 0, 1, 0.5), (3.0, 3, 2, 0.5), (5.0, 3, 2, 1 / (1 + math.exp(-1))),
     (1e9, 0, 1, 1.0), (-1e9, 0, 1, 0.0)],
)  # fmt: skip
async def test_a_logit_is_put_on_the_scale_by_the_models_numbers(
    reward: float, center: float, width: float, value: float
) -> None:
    session = judged_by(telling(lambda text, places: [[reward]]))
    [score] = await reward_model(session, written("x"), scale="logit", center=center, width=width)
    assert score.value == pytest.approx(value)


async def test_a_value_does_not_depend_on_the_other_candidates() -> None:
    backend = telling(lambda text, places: [[float(len(text))]])
    texts = ["a", "bbbb", "cccccccc"]
    together = await reward_model(judged_by(backend), written(*texts), scale="logit")
    for text, score in zip(texts, together, strict=True):
        [alone] = await reward_model(judged_by(backend), written(text), scale="logit")
        assert alone == score


async def test_a_class_is_chosen_by_its_label() -> None:
    backend = telling(lambda text, places: [[0.1, 0.2, 0.7]])
    for label, value in ((-1, 0.7), (0, 0.1), (1, 0.2)):
        [score] = await reward_model(judged_by(backend), written("x"), label=label)
        assert score.value == value
    with pytest.raises(InvalidRequest, match=r"label.*-3 to 2"):
        await reward_model(judged_by(backend), written("x"), label=3)


@pytest.mark.parametrize("told", [3.2, -0.1])
async def test_a_logit_is_never_taken_for_a_probability(told: float) -> None:
    """Nor is it passed off as a score: the message says what to set."""
    backend = telling(lambda text, places: [[told]])
    with pytest.raises(InvalidRequest, match=r"reward_model: scale.*logit"):
        await reward_model(judged_by(backend), written("x", "y"))


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (ModelNotFound("no such model"), "no such model"),
        (Unsupported("does not pool"), "pool"),
        (UpstreamRejected(404, {"error": {"message": "no model orm"}}), "no model orm"),
    ],
)
@pytest.mark.parametrize("by", [reward_model, process_reward])
async def test_without_a_model_the_setting_is_named(error: Any, setting: str, by: Any) -> None:
    def measure(call: Call) -> Rows:
        raise error

    session = judged_by(FakeBackend(lambda sample, number: "", measure=measure))
    role = {reward_model: "outcome_reward", process_reward: "process_reward"}[by]
    with pytest.raises(InvalidRequest, match=rf"{setting}.*roles\.{role}") as caught:
        await by(session, written("x", "y"))
    assert caught.value.status == 400


@pytest.mark.parametrize("by", [reward_model, process_reward])
async def test_a_failure_is_nan_and_stops_no_other(by: Any) -> None:
    def rows(text: str, places: Sequence[int]) -> list[list[float]]:
        if "poison" in text:
            raise UpstreamUnavailable("down")
        if "long" in text:
            raise UpstreamRejected(400, {"error": {"message": "context too long"}})
        return [[0.5]]

    session = judged_by(telling(rows))
    scores = await by(session, written("a", "poison", "long", "b"))
    assert [math.isnan(score.value) for score in scores] == [False, True, True, False]
    assert [score.reason for score in scores] == ["", "down", "context too long", ""]
    assert session.notes == [by.__name__]


async def test_a_process_model_is_no_outcome_model_and_the_other_way_round() -> None:
    rows = telling(lambda text, places: [[0.5], [0.5]])
    with pytest.raises(InvalidRequest, match=r"row a token.*roles\.outcome_reward"):
        await reward_model(judged_by(rows), written("x"))
    with pytest.raises(InvalidRequest, match=r"row a step.*roles\.process_reward"):
        await process_reward(judged_by(rows), written("x"))


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("min", 0.2), ("product", 0.9 * 0.2 * 0.2), ("last", 0.2), ("mean", 1.3 / 3)],
)
async def test_steps_come_to_one_value(aggregate: Any, value: float) -> None:
    session = judged_by(telling(good_until_wrong))
    text = "first\nwrong\nlast"
    [score] = await process_reward(session, written(text), aggregate=aggregate)
    assert score.steps == (0.9, 0.2, 0.2)
    assert score.value == pytest.approx(value)


async def test_a_marker_stands_behind_each_step_and_nowhere_else() -> None:
    backend = telling(good_until_wrong)
    [score] = await process_reward(
        judged_by(backend), written("one<m><<m>m>\ntwo wrong\n"), marker="<m>"
    )
    call = backend.inquiries[0]
    assert isinstance(call, Pool)
    assert call.messages[-1]["content"] == "one<m>\ntwo wrong<m>"
    assert call.ends == (6, 19)
    assert score.steps == (0.9, 0.2)


@pytest.mark.parametrize(
    ("text", "how", "separator", "steps"),
    [
        ("a\nb\n\n  \nc  ", "line", "", ["a", "\nb", "\n\n  \nc"]),
        ("a\nb\n \t\nc\n", "paragraph", "", ["a\nb", "\n \t\nc"]),
        ("So:\nStep 1: a\nb\n## Step 2\n**step 3** c", "numbered", "",
         ["So:", "\nStep 1: a\nb", "\n## Step 2", "\n**step 3** c"]),
        ("Stepping 1\nstep one\nmy step 2", "numbered", "", ["Stepping 1\nstep one\nmy step 2"]),
        ("a; b;; c;", "line", ";", ["a", "; b", ";; c"]),
        ("a.*b.*c", "line", ".*", ["a", ".*b", ".*c"]),
        ("one", "line", "", ["one"]),
        ("", "line", "", []),
        (" \n\n ", "line", "", []),
    ],
)  # fmt: skip
def test_where_steps_end(text: str, how: Any, separator: str, steps: list[str]) -> None:
    places = ends(text, how, separator)
    assert [text[a:b] for a, b in zip([0, *places], places, strict=False)] == steps


@given(st.text(alphabet="ab \n;", max_size=40), st.integers(1, 5), st.sampled_from(["", ";"]))
def test_ends_ascend_to_the_last_word(text: str, most: int, separator: str) -> None:
    places = ends(text, "line", separator, most)
    assert places == sorted(set(places))
    assert len(places) <= most
    if separator:
        return
    assert bool(places) == bool(text.strip())
    assert not places or places[-1] == len(text.rstrip())
    with_marks, marks = marked(text, places, "#")
    assert with_marks.replace("#", "") == text.rstrip()
    assert [place - 1 for place in marks] == [i for i, c in enumerate(with_marks) if c == "#"]
