"""CHOPS and X-MBR under planted judges: as good as the judge is, and no worse for its habits."""

from __future__ import annotations

import math
import random
from functools import partial

import numpy as np
import pytest

from gateway.inquiries import Probabilities, Rows
from gateway.testing import FakeBackend
from gateway.types import Call
from tests.strategies.tongues import ENGLISH, asked, text_of, writer
from tests.verifiers.planted import RIGHT, WRONG, blocks_in, comparer, picker, prompt_of, right

ROLES = {"judge": "the-judge"}


def pool(trial: int, size: int = 5) -> list[str]:
    """One right answer, whose place in the order of drawing goes round."""
    return [f"{RIGHT if n == trial % size else WRONG}, reader {n}." for n in range(size)]


def chops_backend(texts: list[str], judge: FakeBackend) -> FakeBackend:
    return writer(texts, others={"the-judge": judge._handler})


def compared(texts: list[str], judge: FakeBackend) -> FakeBackend:
    return writer(texts, evidence=["It is so, reader e."], measure=judge._measure)


@pytest.mark.parametrize(
    ("accuracy", "bias"), [(1.0, 0.0), (0.9, 0.0), (0.7, 0.0), (0.8, 0.4), (1.0, 0.3)]
)
async def test_chops_finds_what_its_judge_can(accuracy: float, bias: float) -> None:
    """With chance (1 - b)·a + b/N, as the order that the judge is shown is drawn."""
    trials, found = 400, 0
    judge = picker(right, accuracy=accuracy, bias=bias, seed=5)
    for trial in range(trials):
        backend = chops_backend(pool(trial), judge)
        answer = await asked(backend, ENGLISH, select="chops", roles=ROLES, fields={"seed": trial})
        found += RIGHT in text_of(answer)
    expected = (1 - bias) * accuracy + bias / 5
    sigma = math.sqrt(expected * (1 - expected) / trials)
    assert found / trials == pytest.approx(expected, abs=3.3 * sigma + 1e-9)


async def test_x_mbr_is_free_of_a_liking_for_a_place() -> None:
    for trial in range(30):
        judge = comparer(right, bias=4.0)
        backend = compared(pool(trial), judge)
        answer = await asked(backend, ENGLISH, select="x_mbr", utility="judge", roles=ROLES)
        assert RIGHT in text_of(answer)
    # Each of five candidates and three equal answers of evidence, in pairs, in both orders.
    assert len(backend.inquiries) == 6 * 5


@pytest.mark.parametrize("noise", [0.5, 1.5, 3.0])
async def test_x_mbr_finds_what_its_judges_noise_allows(noise: float) -> None:
    """As often as the largest mean of noisy log-odds is the right one's, by simulation."""
    trials, found = 200, 0
    for trial in range(trials):
        judge = comparer(right, noise=noise, bias=1.0, seed=trial)
        answer = await asked(
            compared(pool(trial), judge), ENGLISH, select="mbr", utility="judge", roles=ROLES
        )
        found += RIGHT in text_of(answer)
    expected = _allowed(noise)
    sigma = math.sqrt(expected * (1 - expected) / trials)
    assert found / trials == pytest.approx(expected, abs=3.3 * sigma + 1e-9)


def _allowed(noise: float, trials: int = 20_000) -> float:
    """Five candidates; half the difference of two askings has a noise of sd σ/√2."""
    rng = np.random.default_rng(1)
    drawn = rng.normal(0, noise / math.sqrt(2), (trials, 5, 5))
    upper = np.triu(drawn, 1)
    quality = np.array([1.0, 0, 0, 0, 0])
    gaps = quality[:, None] - quality[None, :] + upper - upper.transpose(0, 2, 1)
    return float((gaps.sum(axis=2).argmax(axis=1) == 0).mean())


async def test_x_mbr_by_a_judge_is_brute_force_over_its_log_odds() -> None:
    """argmax over Y of Σ U(y, e) over Y ∪ M, with U what the judge says in both orders."""
    for trial in range(25):
        judge = comparer(lambda text: len(text) % 5 * 0.1, noise=1.0, bias=0.7, seed=trial)
        texts = [f"Reader {trial}.{n} says that it is so{'!' * n}" for n in range(5)]
        more = [f"Reader e{n} says that it is so." for n in range(3)]
        backend = writer(texts, evidence=more, measure=judge._measure)
        answer = await asked(backend, ENGLISH, select="x_mbr", utility="judge", roles=ROLES)
        odds = _odds(backend)
        sums = {
            text: sum((odds[text, e] - odds[e, text]) / 2 for e in [*texts, *more] if e != text)
            for text in texts
        }
        assert text_of(answer) == max(sums, key=lambda text: sums[text])


def _odds(backend: FakeBackend) -> dict[tuple[str, str], float]:
    """What the judge of `backend` was asked, and said."""
    found = {}
    for call in backend.inquiries:
        assert isinstance(call, Probabilities)
        first, second = blocks_in(prompt_of(call))
        [shares] = backend._measure(call).values
        found[first, second] = math.log(shares[0]) - math.log(shares[1])
    return found


@pytest.mark.parametrize("select", ["chops", "x_mbr"])
async def test_the_order_of_drawing_changes_at_most_5_percent(select: str) -> None:
    """The judge is deterministic, and likes the first place as much as a right answer."""
    changed, trials = 0, 60
    for trial in range(trials):
        texts = [f"Reader {trial}.{n} says that it is so." for n in range(5)]
        quality = random.Random(trial).sample(range(5), 5)
        worth = {text: float(q) for text, q in zip(texts, quality, strict=True)}
        winners = set()
        for turn in range(3):
            shown = random.Random(turn).sample(texts, 5)
            backend = writer(
                shown,
                others={"the-judge": _partial(worth)._handler},
                evidence=["It is so, reader e."],
                measure=comparer(partial(_worth, worth), bias=1.0)._measure,
            )
            answer = await asked(
                backend, ENGLISH, select=select, utility="judge", roles=ROLES,
                fields={"seed": trial},
            )  # fmt: skip
            winners.add(text_of(answer))
        changed += len(winners) > 1
    assert changed / trials <= 0.05


def _worth(worth: dict[str, float], text: str) -> float:
    return worth.get(text, 0.0)


def _partial(worth: dict[str, float]) -> FakeBackend:
    """A picker that adds 2 to the worth of what it is shown first."""
    first: list[str] = []

    def quality(text: str) -> float:
        first.append(text)
        return worth[text] + 2 * (len(first) == 1)

    return picker(quality)


async def test_a_verdict_that_cannot_be_read_leaves_the_greedy_answer_and_is_counted() -> None:
    texts = pool(3)
    for _ in range(3):
        backend = writer(texts, others={"the-judge": lambda sample, number: "I like them all."})
        answer = await asked(backend, ENGLISH, select="chops", roles=ROLES)
        assert text_of(answer) == texts[0]
        assert set(answer.outcome.degraded) == {"chops_unread", "unjudged"}


async def test_a_judge_that_says_something_else_leaves_the_greedy_answer_and_is_counted() -> None:
    def nothing(call: Call) -> Rows:
        return Rows(((0.0, 0.0),))

    backend = writer(pool(2), evidence=["It is so."], measure=nothing)
    answer = await asked(backend, ENGLISH, select="x_mbr", utility="judge", roles=ROLES)
    assert text_of(answer) == pool(2)[0]
    assert "unjudged" in answer.outcome.degraded
