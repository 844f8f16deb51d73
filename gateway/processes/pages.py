"""One page of metrics out of several processes' counts (pure).

Counters and histograms are summed, those of processes that are gone with them, so that no counter
ever goes back; gauges are summed or their highest is taken, over the processes that live.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]
How = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its series; `how` is how a gauge's series of several processes become one."""

    name: str
    documentation: str
    type: str
    how: How
    samples: dict[Series, float]


@dataclass(frozen=True, slots=True)
class Told:
    """What one process counted, and where its backends are, by the names that it gives them.

    `question` is the number of the question that this answers.
    """

    question: int
    families: Sequence[Family]
    places: Mapping[str, str]

    def dumped(self) -> bytes:
        families = [
            [f.name, f.documentation, f.type, f.how, [[*s, v] for s, v in f.samples.items()]]
            for f in self.families
        ]
        # Not by orjson, for which infinity is null.
        return json.dumps([self.question, families, self.places]).encode()

    @classmethod
    def loaded(cls, body: bytes) -> Told:
        question, families, places = json.loads(body)
        return cls(question, [_family(*each) for each in families], places)


def _family(name: str, documentation: str, type: str, how: How, samples: Any) -> Family:
    series = {(of, tuple((k, v) for k, v in labels)): value for of, labels, value in samples}
    return Family(name, documentation, type, how, series)


class Pages:
    """What every worker told last, and what those that are gone had told."""

    def __init__(self) -> None:
        self._live: dict[int, dict[str, Family]] = {}
        self._places: dict[int, frozenset[str]] = {}
        self._gone: dict[str, Family] = {}
        self._names: dict[str, str] = {}
        """A backend's name by its place: workers number them as each finds them."""

    def heard(self, worker: int, told: Told) -> None:
        """A worker told what it counted until now."""
        names = {own: self._name(own, place) for own, place in told.places.items()}
        families = {each.name: _renamed(each, names) for each in told.families}
        self._retire(self._live.get(worker, {}), families)
        self._live[worker] = families
        self._places[worker] = frozenset(told.places.values())
        self._forget_backends()

    def ended(self, worker: int) -> None:
        """A worker is gone: its gauges with it, its counts not."""
        self._retire(self._live.pop(worker, {}), {})
        self._places.pop(worker, None)

    def count(self, name: str) -> None:
        """Count one in the counter `name`, which the workers have and leave at 0."""
        series = (f"{name}_total", ())
        family = self._gone.setdefault(name, Family(name, "", "counter", "sum", {}))
        family.samples[series] = family.samples.get(series, 0.0) + 1

    def merged(self) -> list[Family]:
        """All of it."""
        merged: dict[str, Family] = {}
        for families in (*self._live.values(), self._gone):
            for family in families.values():
                one = Family(family.name, family.documentation, family.type, family.how, {})
                into = merged.setdefault(family.name, one).samples
                for series, value in family.samples.items():
                    known = into.get(series)
                    into[series] = value if known is None else _joined(family, series, known, value)
        return list(merged.values())

    def _retire(self, old: Mapping[str, Family], new: Mapping[str, Family]) -> None:
        """Keep what `old` counted and `new` does not count any more.

        Which is all of it, or the series of a backend that a worker forgot while others know it.
        """
        for name, family in old.items():
            if family.type == "gauge":
                continue
            now = new[name].samples if name in new else {}
            for series, value in family.samples.items():
                born = _born(family, series)
                same = now.get(born) == family.samples.get(born)
                if same and now.get(series, -1.0) >= value:
                    continue
                kept = Family(name, family.documentation, family.type, family.how, {})
                into = self._gone.setdefault(name, kept).samples
                known = into.get(series)
                into[series] = value if known is None else _joined(family, series, known, value)

    def _name(self, own: str, place: str) -> str:
        """The name of the backend at `place`; where that is new, `own` or the like of it."""
        if place not in self._names:
            taken = set(self._names.values())
            numbered = (f"{own}-{number}" for number in itertools.count(2))
            free = (name for name in itertools.chain([own], numbered) if name not in taken)
            self._names[place] = next(free)
        return self._names[place]

    def _forget_backends(self) -> None:
        """Drop the series of backends that no worker has: names that come and go add up."""
        known = frozenset[str]().union(*self._places.values())
        for place in self._names.keys() - known:
            name = ("backend", self._names.pop(place))
            for family in self._gone.values():
                for series in [each for each in family.samples if name in each[1]]:
                    del family.samples[series]


def _joined(family: Family, series: Series, one: float, other: float) -> float:
    if series == _born(family, series):
        return min(one, other)
    return max(one, other) if family.how == "max" else one + other


def _born(family: Family, series: Series) -> Series:
    """The series that says since when `series`, of a counter or a histogram, is counted."""
    return f"{family.name}_created", tuple(each for each in series[1] if each[0] != "le")


def _renamed(family: Family, names: Mapping[str, str]) -> Family:
    """The family with its backends' names as everybody has them."""
    samples: dict[Series, float] = {}
    for (of, labels), value in family.samples.items():
        series = of, tuple((k, names.get(v, v) if k == "backend" else v) for k, v in labels)
        # One place may have two names for a while, as one of them finishes its calls.
        known = samples.get(series)
        samples[series] = value if known is None else _joined(family, series, known, value)
    return Family(family.name, family.documentation, family.type, family.how, samples)
