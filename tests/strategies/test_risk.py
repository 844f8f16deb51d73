"""X-MBR's arithmetic against brute force, chrF against sacrebleu, votes across languages."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from gateway import Score, selection
from gateway.types import Candidate
from strategies import risk

TEXTS = [
    "The cat sat on the mat.",
    "A cat is on the mat!",
    "Die Katze saß auf der Matte.",
    "猫はマットの上に座った。",
    "猫がマットの上にいます。",
    "кошка сидела на коврике",
    "ఒక పిల్లి చాప మీద కూర్చుంది",
    "",
    "x",
    "   spaces   and\nlines\t",
]


def test_x_mbr_is_brute_force_on_1000_random_tables() -> None:
    rng = random.Random(7)
    for _ in range(1000):
        rows, more = rng.randint(1, 8), rng.randint(0, 5)
        coarse = rng.random() < 0.5  # so that ties come
        table = [
            [rng.randint(0, 3) / 3 if coarse else rng.random() for _ in range(rows + more)]
            for _ in range(rows)
        ]
        sums = [sum(utility for utility in row) for row in table]
        best = max(range(rows), key=lambda i: (round(sums[i], 9), -i))
        scores = [Score(round(value, 9)) for value in risk.expected(table)]
        assert selection.order(scores)[0] == best


def test_what_is_not_known_does_not_count() -> None:
    nan = math.nan
    assert risk.expected([[1.0, nan, 0.0], [nan, nan, 1.0]]) == [0.5, 1.0]
    assert math.isnan(risk.expected([[nan, nan]])[0])


def test_chrf_is_sacrebleus() -> None:
    table = np.array(risk.chrf(TEXTS[:7], TEXTS))
    for i, text in enumerate(TEXTS[:7]):
        for j, reference in enumerate(TEXTS):
            expected = CHRF().corpus_score([text], [[reference]]).score
            assert table[i, j] == pytest.approx(expected, abs=1e-6), (text, reference)
    # Its two places are not the same: recall weighs more than precision.
    assert abs(table[0, 1] - table[1, 0]) > 1e-3


def test_mbr_by_chrf_is_brute_force_by_sacrebleu() -> None:
    metric = CHRF()
    words = ["ein", "eine", "der", "Hund", "Katze", "läuft", "schläft"]
    rng = random.Random(3)
    for _ in range(20):
        pool = [" ".join(rng.choices(words, k=6)) for _ in range(5)]
        sums = [sum(metric.sentence_score(y, [e]).score for e in pool) for y in pool]
        values = risk.expected(risk.chrf(pool, pool))
        assert values == pytest.approx([total / 5 for total in sums], abs=1e-6)


def test_cosines_are_cosines() -> None:
    vectors = [(1.0, 0.0), (1.0, 1.0), (-2.0, 0.0), (0.0, 0.0)]
    table = risk.cosines(vectors, 2)
    assert table[0][:3] == pytest.approx([1.0, math.sqrt(0.5), -1.0])
    assert table[1][:3] == pytest.approx([math.sqrt(0.5), 1.0, -math.sqrt(0.5)])
    assert math.isnan(table[0][3])


def test_units_of_another_language_do_not_split_a_vote() -> None:
    table = risk.votes(["18 eggs", "18 boxes", None], ["18 eier", "18", "18%", None, "achtzehn"])
    assert table[0][:2] == [1.0, 0.0]
    assert table[0][3:6] == [1.0, 1.0, 0.0]
    assert math.isnan(table[0][6])
    assert table[0][7] == 0.0
    assert all(map(math.isnan, table[2]))


@pytest.mark.parametrize(
    ("keys", "evidence", "told"),
    [
        (["1", "1", "1", "1", "1"], 3, False),
        (["1", "1", "1", "1", "2"], 3, False),
        (["1", "1", "1", "2", "2"], 3, True),
        (["1", "1", "1", "2", "2"], 1, False),
        (["1", "2", None, None], 1, True),
        ([None, None], 3, False),
    ],
)
def test_evidence_is_drawn_only_where_it_can_change_the_choice(
    keys: list[str | None], evidence: int, told: bool
) -> None:
    assert risk.contested(keys, range(len(keys)), evidence) is told


def test_what_is_not_contested_no_evidence_changes() -> None:
    rng = random.Random(11)
    skipped = 0
    for _ in range(500):
        keys: list[str | None] = [rng.choice("123") for _ in range(5)]
        more: list[str | None] = [rng.choice("123") for _ in range(3)]
        if risk.contested(keys, range(5), len(more)):
            continue
        skipped += 1
        assert _winner(keys, more) == _winner(keys, [])
    assert skipped > 30


def _winner(keys: list[str | None], evidence: list[str | None]) -> str | None:
    values = risk.expected(risk.votes(keys, evidence))
    scores = [Score(value, key=key) for value, key in zip(values, keys, strict=True)]
    candidates = [Candidate(str(i), key or "") for i, key in enumerate(keys)]
    return selection.ranked(candidates, scores).scores[0].key
