"""Which recorded answers a call gets."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter

from gateway.backends.replay.records import Problem


class Draws:
    """Hands out recorded answers by their indices.

    With a request's seed, a draw is the beginning of a shuffle that depends on that seed and the
    problem alone. Calls with seeds of their own are independent of each other; the choices of one
    call are distinct while there are answers enough, then come round again. Without a seed, calls
    walk on through one shuffle of this process, which `seed` makes the same in every process.
    """

    def __init__(self, seed: int | None = None):
        self._own = f"walk {secrets.token_hex(16) if seed is None else seed}"
        self._walked: Counter[tuple[str, str]] = Counter()

    def take(self, model: str, problem: Problem, n: int, seed: int | None) -> list[int]:
        """Indices of the next `n` answers to `problem` recorded of `model`."""
        first, key = 0, str(seed)
        if seed is None:
            first, key = self._walked[model, problem.label], self._own
            self._walked[model, problem.label] += n
        order = shuffled(len(problem.answers), f"{key}:{problem.label}")
        return [order[place % len(order)] for place in range(first, first + n)]


def shuffled(size: int, key: str) -> list[int]:
    """0 … size - 1 in an order that `key` decides, the same on every machine and Python."""

    def digest(index: int) -> bytes:
        return hashlib.blake2b(f"{key}:{index}".encode(), digest_size=16).digest()

    return sorted(range(size), key=digest)
