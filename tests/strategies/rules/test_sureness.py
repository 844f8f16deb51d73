"""When self-evaluation stops, by its threshold and by what more would bring."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gateway import Score
from strategies.rules import Draw, Rule, Seen, Setting, Stop
from strategies.rules.expecting import Outlook, Shape, lesson, logit
from strategies.rules.self_evaluation import between, self_evaluation
from tests.strategies.rules.planted import Bed, self_judged

N = 16


def told(*scores: float, tokens: int = 50) -> list[Seen]:
    return [Seen(Score(score), tokens) for score in scores]


def made(**params: Any) -> Rule:
    return self_evaluation(Setting(N), **params)


def batches(rule: Rule, score: float) -> list[tuple[int, float | None]]:
    """Sizes and temperatures of what it asks for while every score is `score`."""
    asked, seen = [], 0
    while isinstance(draw := rule.ask(), Draw) and seen < N:
        asked.append((draw.n, draw.sampling.get("temperature")))
        seen += draw.n
        rule.tell(told(*[score] * seen))
    return asked


def test_batches_double_and_warm_up_until_one_is_sure() -> None:
    assert batches(made(tau=0.9), 0.5) == [(1, 0.0), (2, 0.5), (4, 0.75), (8, 0.875), (16, 0.9375)]
    assert batches(made(tau=0.9), 0.9) == [(1, 0.0)]
    assert batches(made(first=3, growth=1, anneal=False), 0.5)[:2] == [(3, None), (3, None)]
    # As warm as if smaller batches had gone before: greedy candidates would all be the same.
    assert batches(made(first=4), 0.5)[:2] == [(4, 0.75), (8, 0.875)]
    eight = self_evaluation(Setting(N, first=8)).ask()
    assert isinstance(eight, Draw)
    assert (eight.n, eight.sampling["temperature"]) == (8, 0.875)


def test_a_candidate_is_as_warm_one_at_a_time_as_in_a_batch() -> None:
    one_by_one = [temperature for _, temperature in batches(made(growth=1, tau=1.0), 0.5)]
    assert one_by_one[:8] == [0.0, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75, 0.875]


def test_it_says_why_and_how_sure_it_was() -> None:
    rule = made(tau=0.9)
    rule.tell(told(0.2, 0.95))
    assert rule.ask() == Stop("sure", {"self_evaluation": 0.95})


def test_a_candidate_that_could_not_be_judged_does_not_stop_it() -> None:
    rule = made(tau=0.0)
    rule.tell(told(math.nan))
    assert isinstance(rule.ask(), Draw)


def test_only_a_batch_of_two_or_more_is_pruned() -> None:
    rule = made(tau=1.0, keep=0.5, checkpoint=8)
    first = rule.ask()
    rule.tell(told(0.1))
    second = rule.ask()
    assert isinstance(first, Draw)
    assert isinstance(second, Draw)
    assert first.watch is None
    assert second.watch is not None
    assert second.watch.at == (8,)


def test_utility_stops_where_more_is_not_worth_its_tokens() -> None:
    def asks(price: float, scores: Sequence[float], tokens: int = 50) -> bool:
        rule = made(mode="utility", token_price=price)
        rule.tell(told(*scores, tokens=tokens))
        return isinstance(rule.ask(), Draw)

    assert asks(0.5, [0.5])
    assert not asks(0.5, [0.999])
    assert not asks(50.0, [0.5])
    assert asks(0.5, [0.8], tokens=50)
    assert not asks(0.5, [0.8], tokens=5000)  # a longer answer costs more, and brings no more
    # Of a problem that was mostly judged low, another draw promises less.
    prices = [0.1 * 1.5**step for step in range(12)]
    assert sum(asks(p, [0.9, 0.1, 0.1, 0.1]) for p in prices) < sum(asks(p, [0.9]) for p in prices)


def test_where_waiting_is_dear_more_are_drawn_at_once() -> None:
    def size(latency: float) -> int:
        rule = made(mode="utility", token_price=0.05, latency_price=latency)
        rule.tell(told(0.5))
        draw = rule.ask()
        return draw.n if isinstance(draw, Draw) else 0

    assert size(0.0) == 1
    assert size(0.5) > 1
    assert size(1000.0) == 0


def test_the_outlook_is_that_of_its_model() -> None:
    shape = Shape(mean=0.5, between=1.2, within=0.8)
    scores = [0.4, 0.7, 0.6]
    outlook = Outlook(shape, scores)
    generator = np.random.default_rng(3)
    means = outlook.mean + outlook.spread * generator.standard_normal((200_000, 1))
    more = 1 / (1 + np.exp(-(means + 0.8 * generator.standard_normal((200_000, 4)))))
    for draws, gain in zip((1, 4), outlook.gains((1, 4)), strict=True):
        simulated = np.maximum(more[:, :draws].max(1), 0.7).mean() - 0.7
        assert gain == pytest.approx(simulated, abs=0.002)


def test_it_learns_how_scores_lie_on_its_route() -> None:
    """Where scores never rise, the same price soon buys less."""
    learned: dict[str, float] = {}
    sizes = []
    for _ in range(60):
        rule, seen = made(mode="utility", token_price=2.0), 0
        rule.recall(learned)
        while isinstance(rule.ask(), Draw) and seen < N:
            seen += 1
            rule.tell(told(*[0.7] * seen))
        sizes.append(seen)
        for name, value in rule.lesson().items():
            learned[name] = learned.get(name, 0.0) * (rule.decay or 0) + value
    assert sizes[-1] < sizes[0]
    assert made().decay is None


def test_worth_lies_between_what_scores_promise_and_a_perfect_judge() -> None:
    gains = [0.01, 0.015]
    assert between(0.96, gains) == pytest.approx([0.02, 0.03])
    assert between(1.0, [0.0, 0.0]) == [0.0, 0.0]


def test_a_shape_is_learned_from_what_requests_leave() -> None:
    generator = random.Random(5)
    sums: dict[str, float] = {}
    for _ in range(3000):
        mean = generator.gauss(1.0, 0.7)
        drawn = [generator.gauss(mean, 0.5) for _ in range(generator.choice([1, 2, 3, 7]))]
        for name, value in lesson([1 / (1 + math.exp(-each)) for each in drawn]).items():
            sums[name] = sums.get(name, 0.0) + value
    shape = Shape.learned(sums)
    assert shape.mean == pytest.approx(1.0, abs=0.05)
    assert shape.between == pytest.approx(0.7, abs=0.05)
    assert shape.within == pytest.approx(0.5, abs=0.05)
    start = Shape.learned({})
    assert (start.mean, start.between, start.within) == pytest.approx((2.0, 1.5, 1.5))
    assert lesson([]) == {}
    assert logit(1.0) == -logit(0.0) == 8.0


def spent(bed: Bed, **params: Any) -> tuple[float, float]:
    """Mean tokens and accuracy of the rule on a bed."""
    tokens, right = 0.0, 0
    for scores, rights, lengths in zip(bed.scores, bed.right, bed.lengths, strict=True):
        rule, seen = made(anneal=False, **params), 0
        while seen < N and isinstance(draw := rule.ask(), Draw):
            seen = min(N, seen + draw.n)
            pairs = zip(scores[:seen], lengths[:seen], strict=True)
            rule.tell([Seen(Score(float(s)), int(t)) for s, t in pairs])
        tokens += lengths[:seen].sum()
        right += rights[scores[:seen].argmax()]
    return tokens / len(bed.scores), right / len(bed.scores)


def test_utility_beats_the_threshold_at_equal_tokens() -> None:
    """On planted problems with an honest judge, at every spending in between."""
    bed = self_judged(400, N, seed=0)
    taus = (0.0, 0.5, 0.7, 0.8, 0.88, 0.93, 0.96, 0.98, 0.99, 1.0)
    curve = np.array(sorted(spent(bed, tau=tau) for tau in taus))
    for price in (8.0, 4.0, 2.0, 1.0, 0.5):
        tokens, accuracy = spent(bed, mode="utility", token_price=price)
        threshold = np.interp(np.log(tokens), np.log(curve[:, 0]), curve[:, 1])
        assert accuracy > threshold + 0.005, (price, tokens, accuracy, threshold)
