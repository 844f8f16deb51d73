from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from gateway.grammar.awrs import awrs
from gateway.grammar.trie import Floats


def _setting() -> tuple[Floats, set[int]]:
    probabilities = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    return np.log(probabilities), {1, 3, 5}


def test_the_token_is_drawn_as_masking_draws_it_and_weighs_the_allowed_mass() -> None:
    logp, allowed = _setting()
    rng = np.random.default_rng(1)
    drawn = [awrs(logp, allowed.__contains__, rng) for _ in range(20_000)]
    counts = Counter(each.token for each in drawn)
    mass = 0.25 + 0.1 + 0.04
    for token in allowed:
        share = math.exp(logp[token]) / mass
        assert counts[token] / len(drawn) == pytest.approx(share, abs=0.012)
        weights = [math.exp(each.log_weight) for each in drawn if each.token == token]
        assert np.mean(weights) == pytest.approx(mass, abs=0.012)
    assert max(each.checks for each in drawn) <= len(logp)


def test_each_token_is_checked_once() -> None:
    logp, allowed = _setting()
    asked: list[int] = []

    def allows(token: int) -> bool:
        asked.append(token)
        return token in allowed

    drawn = awrs(logp, allows, np.random.default_rng(3), extra=20)
    assert len(asked) == len(set(asked)) == drawn.checks


def test_few_tokens_are_checked_where_the_model_knows_the_grammar() -> None:
    logits = np.full(50_000, -20.0)
    logits[7] = 0.0
    logp = logits - np.log(np.exp(logits).sum())
    drawn = awrs(logp, lambda token: token == 7, np.random.default_rng(0))
    assert drawn.token == 7
    assert drawn.checks <= 3


def test_nothing_allowed_weighs_nothing() -> None:
    logp, _ = _setting()
    drawn = awrs(logp, lambda token: False, np.random.default_rng(0))
    assert drawn == (None, -math.inf, len(logp))
