"""What reward models tell, on one scale (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway import InvalidRequest

Scale = Literal["probability", "logit"]
Aggregate = Literal["min", "product", "last", "mean"]

ABOUT_SCALE = (
    "What the model tells: `probability` in [0, 1], taken as it is, or `logit`, any number, "
    "made one by sigmoid((reward - center) / width)."
)
ABOUT_CENTER = "Reward that counts as 0.5; a property of the model. For `scale=logit`."
ABOUT_WIDTH = "Distance in rewards from 0.5 to 0.73; a property of the model. For `scale=logit`."
ABOUT_LABEL = "Which class's number counts where the model tells several; -1 is the last."

AGGREGATES: Mapping[Aggregate, Callable[[Sequence[float]], float]] = {
    "min": min,
    "product": math.prod,
    "last": lambda steps: steps[-1],
    "mean": lambda steps: math.fsum(steps) / len(steps),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How one model's rows are read, for a verifier of this name."""

    verifier: str
    scale: Scale
    center: float
    width: float
    label: int

    def value(self, row: Sequence[float]) -> float:
        """A row's value in [0, 1]; `InvalidRequest` where the parameters do not fit the model."""
        if not -len(row) <= self.label < len(row):
            allowed = f"allowed: {-len(row)} to {len(row) - 1}"
            raise self._unfit("label", f"this model tells {len(row)} a row; {allowed}")
        told = row[self.label]
        if self.scale == "logit":
            return _sigmoid((told - self.center) / self.width)
        if not 0 <= told <= 1:
            raise self._unfit("scale", f"this model tells {told:.4g}, no probability; use logit")
        return told

    def _unfit(self, name: str, why: str) -> InvalidRequest:
        message = f"verifier {self.verifier}: {name}: {why}"
        return InvalidRequest(message, param=f"verifier.{name}", code="invalid_value")


def _sigmoid(x: float) -> float:
    x = max(-700.0, min(700.0, x))
    return 1 / (1 + math.exp(-x))
