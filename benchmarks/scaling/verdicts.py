"""What a comparison at equal tokens says, in words (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.scaling.equal import Against

BEATS = "beats repeated sampling at equal tokens"
NOT = "does not beat repeated sampling at equal tokens"
MORE = "spends more than repeated sampling was given, so that nothing is shown at equal tokens"
LESS = "It spends less than a single sample, and is compared with that."


def verdict(compared: Sequence[Against]) -> str:
    """One or two sentences about a policy, which they do not name.

    Only an interval that is above 0 against every curve is a win. The figures are those against
    the curve that is highest at the policy's tokens.
    """
    best = max(compared, key=lambda each: each.baseline)
    told = f"{_finding(compared, best)}: {_figures(best)}."
    return f"{told} {LESS}" if best.place == "below" else told


def _finding(compared: Sequence[Against], best: Against) -> str:
    if best.place == "beyond":
        return MORE
    if all(each.difference.low > 0 for each in compared):
        return BEATS
    if best.difference.high < 0:
        return f"{NOT}; it is worse"
    if all(each.difference.value > 0 for each in compared):
        return f"{NOT} beyond doubt"
    return NOT


def _figures(each: Against) -> str:
    points = 100 * each.difference.value
    low, high = 100 * each.difference.low, 100 * each.difference.high
    return (
        f"{points:+.1f} points against `{each.curve}` at {100 * each.baseline:.1f}%, "
        f"95% interval {low:+.1f} to {high:+.1f}"
    )
