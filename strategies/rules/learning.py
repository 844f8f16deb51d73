"""What a route teaches about its questions: how they stood, and what their candidates cost.

Kept as sums that only grow, so that gateways which learn side by side lose nothing. What is gone
by is a copy of them, made anew each time the number of questions has doubled: so a plan holds for
many requests. At `MOST` questions all sums are halved: old traffic is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

LEAST, MOST = 4, 1024
VOTES = 16
"""Questions with more votes are kept as they stood after so many, scaled down."""

Standing = tuple[int, int, int]


class Route:
    """A route's sums by name: `n.a.b` for each standing, `questions`, `tokens`; copied ones with
    an `=` before."""

    def __init__(self, learned: Mapping[str, float]):
        self._learned = learned
        copied = {name[1:]: value for name, value in learned.items() if name[0] == "="}
        questions = copied.pop("questions", 0.0)
        tokens = copied.pop("tokens", 0.0)
        # Gateways that copied at the same moment have counted each question several times.
        excess = max(1.0, questions / max(1.0, learned.get("questions", 0.0)))
        self.questions = round(questions / excess)
        self.tokens = tokens / questions if questions > 0 else 0.0
        self.standings = tuple(
            (*self._parsed(name), value / excess)
            for name, value in sorted(copied.items())
            if value > 0
        )

    def _parsed(self, name: str) -> tuple[Standing, float]:
        n, a, b, length = (int(part) for part in name.split("."))
        return (n, a, b), 2 ** (length / 2) / self.tokens if self.tokens else 1.0

    def lesson(self, standing: Standing, tokens: float) -> Mapping[str, float]:
        """What a question that ended so adds; `tokens` are a candidate's mean."""
        own = {name: value for name, value in self._learned.items() if name[0] != "="}
        told = {_named(standing, tokens): 1.0, "questions": 1.0, "tokens": tokens}
        if not standing[0]:
            return {}
        for name, value in told.items():
            own[name] = own.get(name, 0.0) + value
        seen = round(own["questions"])
        if seen < max(LEAST, 2 * self.questions):
            return told
        share = 0.5 if seen >= MOST else 1.0
        copied = {f"={name}": value for name, value in own.items()}
        names = {*copied, *(name for name in self._learned if name[0] == "=")}
        delta = {
            name: share * copied.get(name, 0.0) - self._learned.get(name, 0.0) for name in names
        }
        own_delta = {
            name: share * value - self._learned.get(name, 0.0) for name, value in own.items()
        }
        return delta | own_delta


def _named(standing: Standing, tokens: float) -> str:
    n, a, b = standing
    if n > VOTES:
        a, b = round(a * VOTES / n), round(b * VOTES / n)
        n, a = VOTES, max(a, 1)
    return f"{n}.{a}.{b}.{round(2 * math.log2(max(tokens, 1.0)))}"
