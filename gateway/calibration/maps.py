"""Calibration maps, as `its-gateway calibrate` writes them and a gateway reads them (pure)."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.types import Json

VERSION = 1
ANY = "*"
"""The route that stands for all routes together, where only the verifier matters."""

Probability = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Key = tuple[str, str, str]
"""Model, route, verifier."""


class _Fitted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    route: str
    verifier: str
    n: int = Field(ge=1)

    @property
    def key(self) -> Key:
        return self.model, self.route, self.verifier


class Map(_Fitted):
    """How probable an answer is to be right, by the number that a verifier gave it.

    Fitted to `n` labelled answers of `model` on `route`; `ece` and `brier` are of answers that it
    was not fitted to. `isotonic`: `ys` at `xs`, straight in between and level outside; `platt`:
    sigmoid(ys[0]·value + ys[1]), without `xs`.
    """

    kind: Literal["isotonic", "platt"]
    xs: tuple[Finite, ...] = ()
    ys: tuple[Finite, ...]
    ece: Probability
    brier: Probability

    @model_validator(mode="after")
    def _whole(self) -> Map:
        if self.kind == "platt" and (self.xs or len(self.ys) != 2 or self.ys[0] < 0):
            raise ValueError("a platt map has a slope, not negative, and an offset")
        if self.kind == "isotonic":
            rising = all(a < b for a, b in zip(self.xs, self.xs[1:], strict=False))
            proper = list(self.ys) == sorted(self.ys) and all(0 <= y <= 1 for y in self.ys)
            if not (self.xs and len(self.xs) == len(self.ys) and rising and proper):
                raise ValueError("an isotonic map has as many xs, rising, as ys, in [0, 1]")
        return self

    def probability(self, value: float) -> float:
        """P(right), in [0, 1], of an answer that got `value`, which is a number."""
        return KINDS[self.kind](self, value)


class Interval(BaseModel):
    """A share and its 95% interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Probability
    low: Probability
    high: Probability
    n: int = Field(ge=1)


class Reliability(_Fitted):
    """How often a verifier's verdict is that of the label, over all candidates drawn.

    `completeness` is P(passed | right), the true-positive rate; `soundness` is P(not passed |
    wrong), one less the false-positive rate. A candidate that it could not judge did not pass.
    """

    completeness: Interval
    soundness: Interval


def _isotonic(fitted: Map, value: float) -> float:
    xs, ys = fitted.xs, fitted.ys
    place = bisect.bisect_right(xs, value)
    if place in (0, len(xs)):
        return ys[min(place, len(ys) - 1)]
    left, right = xs[place - 1], xs[place]
    return ys[place - 1] + (ys[place] - ys[place - 1]) * (value - left) / (right - left)


def _platt(fitted: Map, value: float) -> float:
    x = max(-700.0, min(700.0, fitted.ys[0] * value + fitted.ys[1]))
    return 1 / (1 + math.exp(-x))


KINDS: Mapping[str, Callable[[Map, float], float]] = {"isotonic": _isotonic, "platt": _platt}


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that was fitted; empty, it knows nothing and says nothing."""

    maps: Mapping[Key, Map] = field(default_factory=dict)
    reliabilities: Mapping[Key, Reliability] = field(default_factory=dict)

    @classmethod
    def of(cls, maps: Iterable[Map], reliabilities: Iterable[Reliability]) -> Calibration:
        return cls({m.key: m for m in maps}, {r.key: r for r in reliabilities})

    def best(self, model: str, route: str, numbers: Mapping[str, float]) -> Map | None:
        """The map of least Brier score, of those for `numbers` (by verifier)."""
        found = [self.maps.get((model, route, verifier)) for verifier in numbers]
        usable = [each for each in found if each is not None]
        return min(usable, key=lambda each: (each.brier, each.verifier), default=None)

    def reliability(self, model: str, verifier: str, route: str = ANY) -> Reliability | None:
        """How far the verdicts of `verifier` on answers of `model` can be trusted, if known."""
        return self.reliabilities.get((model, route, verifier))

    def told(self) -> Json:
        """As JSON, which `load` reads."""
        return {
            "version": VERSION,
            "maps": [each.model_dump() for each in self.maps.values()],
            "reliabilities": [each.model_dump() for each in self.reliabilities.values()],
        }


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    maps: tuple[Map, ...]
    reliabilities: tuple[Reliability, ...]


def load(path: Path) -> Calibration:
    """The calibration in a file; ValueError says what is wrong with it, OSError as of any file."""
    try:
        file = _File.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']}") from None
    return Calibration.of(file.maps, file.reliabilities)
