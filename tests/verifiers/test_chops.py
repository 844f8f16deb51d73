"""One pick out of a list: strictly read, fair to places, with a fall-back that is told."""

from __future__ import annotations

import math

import pytest

from gateway import InvalidRequest
from gateway.errors import ModelNotFound, UpstreamUnavailable
from gateway.testing import FakeBackend, Reply
from tests.verifiers.planted import RIGHT, WRONG, blocks_in, judged_by, picker, right, written
from verifiers.chops import chops, verdict

FOUR = written(*(f"{n}: {RIGHT if n == 2 else WRONG}" for n in range(4)))


async def test_the_pick_is_1_and_the_others_0() -> None:
    backend = picker(right)
    session = judged_by(backend, tokens=50)
    scores = await chops(session, FOUR, max_tokens=40)
    assert [score.value for score in scores] == [0, 0, 1, 0]
    [call] = backend.calls
    assert (call.model, call.fields["temperature"]) == ("the-judge", 0.0)
    assert session._trace.judging.completion_tokens == 2
    assert session.budget.tokens == 48
    assert session.begun == 0
    assert session.candidates == []


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Checklist\n- sums\nBEST c0de 3", 3),
        ("BEST c0de 3\n\n", 3),
        ("BEST c0de 3\nstill BEST\nBEST c0de 3", 3),
        ("BEST c0de 0", None),
        ("BEST c0de 5", None),
        ("BEST c0de 03", None),
        ("BEST c0de -1", None),
        ("BEST c0de 2.", None),
        ("BEST c0de 2 or 3", None),
        ("BEST other 2", None),
        ("best c0de 2", None),
        ("BEST c0de ٣", None),
        ("BEST c0de 1\nBEST c0de 2", None),
        ("BEST c0de 2\nbecause it is right", None),
        ("The best is 2", None),
        ("2", None),
        ("", None),
    ],
)
def test_a_verdict_is_one_line_of_one_form(said: str, read: int | None) -> None:
    assert verdict(said, "c0de", 4) == read


async def test_what_cannot_be_read_is_no_verdict_and_is_told() -> None:
    session = judged_by(FakeBackend(lambda sample, number: "I like the second."))
    scores = await chops(session, FOUR)
    assert all(math.isnan(score.value) and "verdict" in score.reason for score in scores)
    assert session.notes == ["chops_unread"]


async def test_a_failure_is_nan_and_is_told() -> None:
    failing = Reply(["x"], error=UpstreamUnavailable("down"))
    session = judged_by(FakeBackend(lambda sample, number: failing))
    scores = await chops(session, FOUR)
    assert all(math.isnan(score.value) and score.reason == "down" for score in scores)
    assert session.notes == ["chops"]
    gone = Reply(["x"], error=ModelNotFound("no the-judge"))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=r"roles\.judge"):
        await chops(judged_by(FakeBackend(lambda sample, number: gone)), FOUR)


async def test_nothing_to_choose_from_asks_nobody() -> None:
    backend = picker(right)
    scores = await chops(judged_by(backend), written("same", "same", ""))
    assert all(math.isnan(score.value) for score in scores)
    assert backend.calls == []


async def test_equal_texts_share_the_pick() -> None:
    candidates = written(RIGHT, WRONG, RIGHT)
    scores = await chops(judged_by(picker(right)), candidates)
    assert [score.value for score in scores] == [1, 0, 1]


@pytest.mark.parametrize(("accuracy", "bias"), [(0.9, 0.0), (0.7, 0.0), (0.8, 0.4)])
async def test_a_place_is_worth_at_most_5_percent(accuracy: float, bias: float) -> None:
    """The right answer is picked as often as the judge allows, wherever in the list it is drawn.

    With N shown, a judge that takes the first with chance b and errs otherwise finds it with chance
    (1 - b)·a + b/N, as the order is shuffled: its drawn place shifts that by less than 0.05.
    """
    trials, found = 1200, [0, 0, 0, 0]
    backend = picker(right, accuracy=accuracy, bias=bias, seed=5)
    for trial in range(trials):
        drawn = trial % 4
        texts = [f"{n}: {RIGHT if n == drawn else WRONG}" for n in range(4)]
        scores = await chops(judged_by(backend, seed=trial), written(*texts))
        found[drawn] += scores[drawn].value == 1.0
    expected = (1 - bias) * accuracy + bias / 4
    overall = sum(found) / trials
    assert overall == pytest.approx(expected, abs=3.3 * math.sqrt(0.25 / trials))
    for count in found:
        assert abs(count / (trials / 4) - overall) < 0.05 + 3.3 * math.sqrt(0.25 * 4 / trials) / 2


async def test_a_judge_without_bias_picks_the_same_in_any_order() -> None:
    """Share of reorderings that change the pick: bounded by 5 %, here none."""
    changed = 0
    for seed in range(40):
        scores = await chops(judged_by(picker(right), seed=seed), FOUR[::-1])
        changed += [score.value for score in scores] != [0, 1, 0, 0]
    assert changed / 40 <= 0.05


async def test_the_order_shown_is_the_seeds() -> None:
    shown = []
    for seed in (1, 1, 2, 3, 4):
        backend = picker(right)
        await chops(judged_by(backend, seed=seed), FOUR)
        shown.append(blocks_in(backend.calls[0].messages[0]["content"]))
    assert shown[0] == shown[1]
    assert len({tuple(texts) for texts in shown}) > 1
