"""What one request may still spend: reserved before each upstream call, settled after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import BudgetExhausted
from gateway.types import NO_USAGE, Budget, Usage


@dataclass(frozen=True, slots=True)
class Reservation:
    """Leave to begin `calls` completions of at most `max_tokens` tokens each.

    `samples` of them begin from an empty prefix; `max_tokens` is None where nothing limits it.
    """

    calls: int
    samples: int
    max_tokens: int | None
    tokens: int


class Ledger:
    """Samples, completion tokens and seconds of one request; never over-spent in tokens reserved.

    All methods are synchronous, so that on one event loop each is atomic.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._started = clock()
        self._budget = budget
        self._tokens_reserved = 0
        self.samples = 0
        self.usage = NO_USAGE

    @property
    def deadline(self) -> float | None:
        """Reading of the clock at which the request must be answered, in seconds."""
        seconds = self._budget.seconds
        return None if seconds is None else self._started + seconds

    @property
    def seconds(self) -> float | None:
        """Time that is left; None is without limit."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - self._clock())

    def left(self) -> Budget:
        """What is neither spent nor reserved."""
        samples, tokens = self._budget.samples, self._budget.tokens
        spent = self.usage.completion_tokens + self._tokens_reserved
        return Budget(
            samples=None if samples is None else max(0, samples - self.samples),
            tokens=None if tokens is None else max(0, tokens - spent),
            seconds=self.seconds,
        )

    def reserve(self, calls: int, *, samples: bool, max_tokens: int | None) -> Reservation:
        """Take up to `calls` completions; fewer where the budget is short.

        With `samples` each counts as a sample. Raises `BudgetExhausted` where not one is left.
        """
        left = self.left()
        if samples and left.samples is not None:
            calls = min(calls, left.samples)
        if left.tokens is not None:
            calls = min(calls, left.tokens)
        if calls <= 0 or left.seconds == 0.0:
            raise BudgetExhausted("the request's budget is spent")
        if left.tokens is not None:
            share = left.tokens // calls
            max_tokens = share if max_tokens is None else min(max_tokens, share)
        reserved = calls * max_tokens if left.tokens is not None and max_tokens else 0
        self._tokens_reserved += reserved
        self.samples += calls if samples else 0
        return Reservation(calls, calls if samples else 0, max_tokens, reserved)

    def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Give back what was reserved and book what was used."""
        self._tokens_reserved -= reservation.tokens
        self.usage += usage
