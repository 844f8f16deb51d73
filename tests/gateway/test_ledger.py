"""Reserve and settle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BudgetExhausted
from gateway.ledger import Ledger, Reservation
from gateway.types import Budget, Usage


def test_samples_shrink_to_what_is_left() -> None:
    ledger = Ledger(Budget(samples=5))
    assert ledger.reserve(3, samples=True, max_tokens=None).calls == 3
    assert ledger.reserve(3, samples=True, max_tokens=None).calls == 2
    with pytest.raises(BudgetExhausted):
        ledger.reserve(1, samples=True, max_tokens=None)


def test_judge_calls_are_no_samples_but_cost_tokens() -> None:
    ledger = Ledger(Budget(samples=1, tokens=100))
    judge = ledger.reserve(2, samples=False, max_tokens=10)
    assert (judge.samples, judge.tokens, ledger.samples) == (0, 20, 0)
    assert ledger.left() == Budget(samples=1, tokens=80)


def test_tokens_are_shared_out_and_given_back() -> None:
    ledger = Ledger(Budget(tokens=100))
    first = ledger.reserve(4, samples=True, max_tokens=None)
    assert first.max_tokens == 25
    assert ledger.left().tokens == 0
    ledger.settle(first, Usage(prompt_tokens=9, completion_tokens=40))
    assert ledger.left().tokens == 60
    assert ledger.reserve(2, samples=True, max_tokens=5).max_tokens == 5


def test_time_is_spent_too() -> None:
    now = [0.0]
    ledger = Ledger(Budget(seconds=2.0), clock=lambda: now[0])
    now[0] = 1.5
    assert ledger.left().seconds == 0.5
    now[0] = 2.0
    with pytest.raises(BudgetExhausted):
        ledger.reserve(1, samples=True, max_tokens=None)


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50), st.floats(0, 1)), max_size=30),
)
def test_nothing_is_over_spent_at_any_interleaving(
    tokens: int, asks: list[tuple[int, int, float]]
) -> None:
    ledger = Ledger(Budget(tokens=tokens))
    pending: list[tuple[Reservation, Usage]] = []
    for calls, limit, used in asks:
        try:
            reservation = ledger.reserve(calls, samples=True, max_tokens=limit or None)
        except BudgetExhausted:
            if pending:
                ledger.settle(*pending.pop(0))
            continue
        cost = int(used * reservation.calls * (reservation.max_tokens or 0))
        pending.append((reservation, Usage(completion_tokens=cost)))
    for reservation, usage in pending:
        ledger.settle(reservation, usage)
    assert ledger.usage.completion_tokens <= tokens
    assert ledger.left().tokens == tokens - ledger.usage.completion_tokens
