"""Sampled tokens follow the distribution they are said to follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gateway.backends.embedded.params import Params
from gateway.backends.embedded.sampler import Row, generator, log_softmax, logprobs, sample

LOGITS = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -2.0, -3.0, 1.0], np.float32)


def row(alternatives: int | None = None, tokens: list[int] | None = None, **fields: Any) -> Row:
    params = Params(**fields)
    return Row(
        params=params,
        prompt=np.array([3]),
        ends=frozenset({0}),
        alternatives=alternatives,
        random=generator(params.seed),
        tokens=tokens or [],
    )


def exactly(temperature: float, min_p: float = 0, top_k: int = 0, top_p: float = 1) -> np.ndarray:
    """The truncated distribution, token by token, in vLLM's order."""
    p = np.exp(LOGITS.astype(np.float64) / temperature)
    p /= p.sum()
    p[p < min_p * p.max()] = 0
    if top_k:
        p[p < np.sort(p)[-top_k]] = 0
    p /= p.sum()
    kept, mass = np.zeros_like(p), 0.0
    for token in np.argsort(-p, kind="stable"):
        if mass < top_p or p[token] == kept[kept > 0].min():  # ties stay together
            kept[token] = p[token]
        mass += p[token]
    whole: np.ndarray = kept / kept.sum()
    return whole


def chance(statistic: float, freedom: int) -> float:
    """P(chi-square >= statistic), by Wilson and Hilferty's cube root."""
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return 0.5 * math.erfc(z / math.sqrt(2))


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1.0},
        {"temperature": 0.6},
        {"temperature": 1.7},
        {"temperature": 1.0, "top_k": 3},
        {"temperature": 1.3, "top_p": 0.8},
        {"temperature": 1.0, "min_p": 0.15},
        {"temperature": 1.2, "min_p": 0.05, "top_k": 5, "top_p": 0.9},
    ],
)
def test_draws_follow_the_truncated_softmax(fields: dict[str, Any]) -> None:
    draws = 20_000
    rows = [row(seed=7, **fields)] * 100  # one stream of randomness
    logits = np.repeat(LOGITS[None], 100, axis=0)
    tokens = np.concatenate([sample(logits, rows) for _ in range(draws // 100)])
    counts, expected = np.bincount(tokens, minlength=8), exactly(**fields) * draws
    assert not counts[expected == 0].any()
    likely = expected > 0
    statistic = ((counts - expected)[likely] ** 2 / expected[likely]).sum()
    assert chance(float(statistic), int(likely.sum()) - 1) > 1e-3


def test_rows_keep_their_own_settings() -> None:
    rows = [
        row(temperature=0),
        row(top_k=1),
        row(top_p=1e-9),
        row(min_p=1.0),
        row(logit_bias={6: 100}),
    ]
    tokens = sample(np.repeat(LOGITS[None], len(rows), axis=0), rows)
    assert tokens.tolist() == [0, 0, 0, 0, 6]


def test_a_seed_means_the_same_tokens_in_any_company() -> None:
    logits = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    alone, other = row(seed=5), [row() for _ in range(8)]
    first = [int(sample(logits[4:5], [alone])[0]) for _ in range(50)]
    together = row(seed=5)
    rows = [*other[:4], together, *other[4:]]
    assert first == [int(sample(logits, rows)[4]) for _ in range(50)]


def test_logprobs_are_raw_and_name_what_was_asked() -> None:
    rows = [row(2, temperature=0.1, logprob_token_ids=[5, 0]), row(None), row(0)]
    logits = np.repeat(LOGITS[None], 3, axis=0)
    found = logprobs(logits, rows, np.array([1, 1, 6]))
    exact = log_softmax(LOGITS[None])[0]
    assert found[0] is not None
    assert found[0].logprob == pytest.approx(exact[1])
    assert [token for token, _ in found[0].top] == [0, 1, 5]
    assert [value for _, value in found[0].top] == pytest.approx([exact[0], exact[1], exact[5]])
    assert found[1] is None
    assert found[2] is not None
    assert found[2].top == ()


def test_penalties_and_minimal_length() -> None:
    def likeliest(**fields: Any) -> int:
        return int(sample(LOGITS[None], [row(temperature=0, **fields)])[0])

    assert likeliest(min_tokens=1) == 1  # 0 would end it
    assert likeliest(min_tokens=1, tokens=[4]) == 0
    assert likeliest(presence_penalty=1.5, tokens=[0]) == 1
    assert likeliest(frequency_penalty=0.6, tokens=[0]) == 0
    assert likeliest(frequency_penalty=0.6, tokens=[0, 0]) == 1
    assert likeliest(repetition_penalty=3.0, tokens=[0]) == 1
    assert LOGITS[0] == 2.0  # the caller's logits stay as they are
