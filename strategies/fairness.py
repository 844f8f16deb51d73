"""How many samples each language gets (pure).

An error curve is the error at 1, 2, 3, … samples; `its-gateway eval` measures it, or
`python -m benchmarks.multilingual`. Every language counts the same, however much it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

Objective = Literal["sum", "worst"]
Curves = Mapping[str, Sequence[float]]


def split(curves: Curves, mean: int, objective: Objective) -> dict[str, int]:
    """Samples a language, at least one and `mean` on average at most, for the least error.

    `sum` makes the sum of errors small: the next samples go where they take most error away, each.
    `worst` makes the largest error small: they go to the language that has it, as long as its curve
    falls. Samples that take no error away are not given to anybody. Where a curve rises, which is
    noise, what was best before holds.
    """
    falling = {name: list(accumulate(curve, min)) for name, curve in curves.items()}
    given = dict.fromkeys(falling, 1)
    left = (mean - 1) * len(given)
    while left > 0:
        options = {
            name: step
            for name, curve in falling.items()
            if (step := _step(curve, given[name], left)) is not None
        }
        if not options:
            break
        chosen = min(options, key=lambda name: _rank(falling, given, options, name, objective))
        more = options[chosen][0]
        given[chosen] += more
        left -= more
    return given


Step = tuple[int, float]


def _step(curve: Sequence[float], at: int, most: int) -> Step | None:
    """How many more samples take most error away each, and how much; None where none do."""
    steps = [
        (more, (curve[at - 1] - curve[at + more - 1]) / more)
        for more in range(1, min(most, len(curve) - at) + 1)
    ]
    best = max(steps, key=lambda step: (step[1], -step[0]), default=None)
    return best if best is not None and best[1] > 0 else None


def _rank(
    curves: Curves,
    given: Mapping[str, int],
    options: Mapping[str, Step],
    name: str,
    objective: Objective,
) -> tuple[float, str]:
    error, gain = curves[name][given[name] - 1], options[name][1]
    return -(gain if objective == "sum" else error), name
