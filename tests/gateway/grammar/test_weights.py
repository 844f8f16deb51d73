from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from gateway.grammar import chain, effective, normalised, resampled
from tests.gateway.grammar.toys import LANGUAGES, Language, Toy, log_probability


def test_weights_that_cannot_be_trusted_weigh_nothing() -> None:
    assert normalised([math.nan, -math.inf, -2000.0, -2000.0]) == [0.0, 0.0, 0.5, 0.5]
    assert normalised([math.nan]) == [0.0]
    assert effective(normalised([math.nan])) == 0.0


def test_effective_sample_size() -> None:
    assert effective([0.25] * 4) == pytest.approx(4)
    assert effective([1.0, 0.0]) == 1.0


def test_resampling_keeps_to_the_weights() -> None:
    rng = random.Random(0)
    weights = normalised([0.0, math.log(2), math.nan, math.log(5)])
    drawn = Counter(index for _ in range(2000) for index in resampled(weights, 3, rng))
    assert drawn[2] == 0
    assert [drawn[i] / 6000 for i in (0, 1, 3)] == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)
    assert all(len(resampled(weights, n, rng)) == n for n in range(1, 40))


def test_a_chain_begins_at_the_first_sound_proposal_and_never_moves_to_an_unsound_one() -> None:
    rng = random.Random(0)
    assert chain([math.nan, -5.0, math.nan, -math.inf], rng) == 1
    assert chain([], rng) is None
    assert chain([math.nan], rng) is None
    assert chain([0.0, 900.0], rng) == 1


@pytest.mark.parametrize("name", ["zeros or one", "ends in one", "true arithmetic"])
def test_both_come_nearer_the_truth_than_their_proposals(name: str) -> None:
    toy, language, rng = Toy(2, tilt=0.5, spread=0.8), Language(LANGUAGES[name]), random.Random(5)
    words, true, masked = language.words, language.exact(toy), language.masked(toy)
    logs = [log_probability(toy, word) - language.log_masked(toy, word) for word in words]
    found: dict[str, Counter[int]] = {"mask": Counter(), "mcmc": Counter(), "snis": Counter()}
    for _ in range(4000):
        offered = rng.choices(range(len(words)), [masked[word] for word in words], k=11)
        weights = [logs[i] for i in offered]
        at = chain(weights, rng)
        assert at is not None
        found["mask"][offered[0]] += 1
        found["mcmc"][offered[at]] += 1
        found["snis"][offered[resampled(normalised(weights), 1, rng)[0]]] += 1
    off = {
        how: sum(abs(counts[i] / 4000 - true[word]) for i, word in enumerate(words)) / 2
        for how, counts in found.items()
    }
    assert off["mcmc"] < 0.75 * off["mask"]
    assert off["snis"] < 0.75 * off["mask"]
