"""One decision: what a route's plan says of one question's standing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strategies.planning.fitting import Standing


@dataclass(frozen=True, slots=True)
class Decision:
    """Draw so many more (0: stop).

    `right` is the modelled chance, in [0, 1], that the leading answer is right, `right_at_cap` that
    the one is which would lead at the cap.
    """

    draw: int
    right: float
    right_at_cap: float


def decide(
    standings: tuple[tuple[Standing, float, float], ...],
    standing: Standing,
    length: float,
    *settings: float,
) -> Decision:
    """What to do at `standing`, where a candidate takes `length` times the route's mean tokens.

    `standings` are how the route's questions stood, each with how often; `settings` are the most
    votes, the price and the sharpness of `planned`.
    """
    # Here, because only a worker needs what they are made of.
    from strategies.planning.fitting import place, row_of
    from strategies.planning.plans import planned
    from strategies.planning.walks import HORIZON, stages

    most, price, sharpness = settings
    cap = min(int(most), HORIZON)
    n, a, b = standing
    if n >= cap:
        return Decision(0, a / max(n, 1), a / max(n, 1))
    plan = planned(standings, cap, price, sharpness)
    where = place(stages(sharpness)[n], a, b)
    row = row_of(length)
    return Decision(
        int(plan.draw[n][where, row]),
        float(plan.right[n][where, row]),
        float(plan.right_at_cap[n][where, row]),
    )
