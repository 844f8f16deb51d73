"""How many retries are granted, so that an outage does not multiply its load (pure)."""

from __future__ import annotations

from gateway.backends.pool.breaker import Window


class RetryBudget:
    """Grants `reserve` retries in some 20 s, `ratio` of the calls, and one for each call under way.

    The last is what a lost replica takes with it; in an outage calls fail at once, so few are under
    way, and the first two bound what is added.
    """

    def __init__(self, ratio: float, reserve: int):
        self._ratio = ratio
        self._reserve = reserve
        self._calls = Window(10.0)

    def called(self, now: float) -> None:
        self._calls.add(now, marked=False)

    def take(self, now: float, *, under_way: int) -> bool:
        """Whether one more is granted; then it is taken."""
        calls, retries = self._calls.counts(now)
        if retries >= self._reserve + self._ratio * (calls - retries) + under_way:
            return False
        self._calls.add(now, marked=True)
        return True
