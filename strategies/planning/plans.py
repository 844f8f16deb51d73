"""The best number of further votes at each standing: backward induction over a finite horizon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.planning.fitting import LENGTHS, Standing, fitted
from strategies.planning.shapes import Floats
from strategies.planning.walks import Stage, stages

BATCHES = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of candidates that one round may draw."""


@dataclass(frozen=True)
class Plan:
    """By stage, standing and length: how many to `draw` (0: stop). By stage and standing: the
    chance that the leader is `right`, and that the leader at the cap would be, `right_at_cap`."""

    draw: tuple[NDArray[np.int64], ...]
    right: tuple[Floats, ...]
    right_at_cap: tuple[Floats, ...]


@lru_cache(maxsize=256)
def planned(
    standings: tuple[tuple[Standing, float, float], ...], cap: int, price: float, sharpness: float
) -> Plan:
    """The plan for at most `cap` votes on a route whose questions stood so.

    `price` is what a candidate of mean length must bring, as a chance of being right. A vote's
    value is the rise of the expected chance that the leader is right, at the best moment to stop.
    """
    weights = fitted(standings, sharpness)
    every = stages(sharpness)
    prices = price * np.array(LENGTHS)
    costs = np.array(BATCHES)[:, None] * prices
    told: list[Any] = []
    last = np.zeros((1, len(LENGTHS)))
    ahead = np.zeros((1, BATCHES[-1] + 1, len(LENGTHS)))
    for n in range(cap, -1, -1):
        right, moves = _mixed(every[n], weights)
        # Expected value k votes on, of deciding then: for k = 1 ... by the standing at n + 1.
        later = np.einsum("slm,smkl->skl", moves, ahead[every[n].after]) if n < cap else None
        value = right.copy()
        draw = np.zeros(value.shape, int)
        if later is not None:
            sizes = [size for size in BATCHES if n + size <= cap]
            options = later[:, [size - 1 for size in sizes]] - costs[: len(sizes)]
            if sizes:
                best = options.argmax(axis=1)
                reached = np.take_along_axis(options, best[:, None], axis=1)[:, 0]
                better = reached > value + 1e-9
                draw = np.where(better, np.array(sizes)[best], 0)
                value = np.where(better, reached, value)
        last = right if later is None else np.einsum("slm,sml->sl", moves, last[every[n].after])
        told.append((draw, right, last))
        kept = value[:, None] if later is None else np.concatenate([value[:, None], later], axis=1)
        ahead = kept[:, : BATCHES[-1]]
    draws, rights, lasts = zip(*reversed(told), strict=True)
    return Plan(draws, rights, lasts)


def _mixed(stage: Stage, weights: Floats) -> tuple[Floats, Floats]:
    """The leader's chance and the chances of the three moves, by standing and length, over all
    shapes."""
    reached = np.maximum(_weighed(weights, stage.reached).T, 1e-300)
    kinds, places, ways = stage.moves.shape
    moves = _weighed(weights, stage.moves.reshape(kinds, -1)).reshape(len(weights), places, ways)
    return _weighed(weights, stage.right).T / reached, moves.transpose(1, 0, 2) / reached[
        :, :, None
    ]


def _weighed(weights: Floats, every: NDArray[np.float32]) -> Floats:
    # Not `@`: BLAS has threads share even a product of this size, and where processors are busy
    # they wait for each other longer than all else here takes.
    told: Floats = np.einsum("lk,kp->lp", weights, every)
    return told
