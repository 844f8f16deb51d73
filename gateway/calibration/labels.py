"""Labels as counts that any number of gateways can add to, and as lines of JSON (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.types import Json

PREFIX = "labels "
"""How the keys of learned states begin that hold labels."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a count belongs to; `client` is the digest of the key that the labels came with."""

    client: str
    model: str
    route: str
    verifier: str

    @property
    def key(self) -> str:
        told = [self.client, self.model, self.route, self.verifier]
        return PREFIX + json.dumps(told, ensure_ascii=False)

    @classmethod
    def at(cls, key: str) -> Place | None:
        """The place whose key this is; None where it is the key of something else."""
        if not key.startswith(PREFIX):
            return None
        try:
            return cls(*map(str, json.loads(key.removeprefix(PREFIX))))
        except (ValueError, TypeError):
            return None


def of_answer(number: float, *, right: bool) -> str:
    """The count of answers that got `number`, to three digits, and were right or wrong."""
    return f"answer {number:.3g} {_word(right)}"


def of_verdict(passed: bool, *, right: bool) -> str:
    """The count of candidates that passed, or did not, and were right or wrong."""
    return f"verdict {int(passed)} {_word(right)}"


def _word(right: bool) -> str:
    return "right" if right else "wrong"


def lines(place: Place, counts: Mapping[str, float]) -> Iterator[Json]:
    """The counts as `its-gateway calibrate` reads them, one object a line."""
    of: Json = {"model": place.model, "route": place.route, "verifier": place.verifier}
    for name, count in sorted(counts.items()):
        kind, _, rest = name.partition(" ")
        value, _, word = rest.partition(" ")
        if kind not in FIELDS or round(count) < 1:
            continue
        field, read = FIELDS[kind]
        yield {**of, field: read(value), "right": word == "right", "count": round(count)}


def _passed(text: str) -> bool:
    return text == "1"


FIELDS: Mapping[str, tuple[str, Callable[[str], float | bool]]] = {
    "answer": ("score", float),
    "verdict": ("passed", _passed),
}
"""By a count's kind: the field that its value is told in, and how it is read."""
