"""What a rule came to, and how that compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """By shuffle, question, and (right, samples, tokens, rounds)."""

    runs: NDArray[Any]

    def mean(self, column: int) -> float:
        return float(self.runs[:, :, column].mean())

    @property
    def accuracies(self) -> NDArray[Any]:
        """By shuffle, in points."""
        means: NDArray[Any] = 100 * self.runs[:, :, 0].mean(axis=1)
        return means


@dataclass(frozen=True)
class Compared:
    """One rule on one file; `gain` is its accuracy less the majority's, in points, over the same
    shuffles, with the half width of its 95% interval over shuffles; `tokens` and `rounds` are
    shares of the baseline's."""

    file: str
    rule: str
    accuracy: float
    gain: float
    interval: float
    samples: float
    mean_tokens: float
    tokens: float
    rounds: float
    samples_a_round: float

    def line(self) -> str:
        return (
            f"{self.file:38} {self.rule:26} accuracy {self.accuracy:6.2f} "
            f"({self.gain:+.2f} ± {self.interval:.2f}) samples {self.samples:6.2f} "
            f"tokens {self.tokens:.3f} rounds {self.rounds:.3f}"
        )


def compared(
    file: str, rule: str, told: Measured, majority: Measured, baseline: Measured
) -> Compared:
    """The rule against fixed voting (accuracy) and the baseline (tokens, rounds)."""
    gains = told.accuracies - majority.accuracies
    return Compared(
        file=file,
        rule=rule,
        accuracy=float(told.accuracies.mean()),
        gain=float(gains.mean()),
        interval=float(1.96 * gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0,
        samples=told.mean(1),
        mean_tokens=told.mean(2),
        tokens=told.mean(2) / baseline.mean(2),
        rounds=told.mean(3) / baseline.mean(3),
        samples_a_round=told.mean(1) / told.mean(3),
    )
