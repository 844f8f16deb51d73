"""How votes come in, by simulation: from each standing to the next, for every shape.

A standing is what a plan goes by: `n` votes, `a` of them for the leading answer and `b` for the
second. Simulated once a process, seeded; what depends on a route is a weighted sum over shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.planning.shapes import Floats, shapes

HORIZON = 64
WALKS = 500
"""Simulated questions a shape."""
SEED = 20241123

Integers = NDArray[np.int64]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Stage:
    """The standings after n votes: `a`, `b`, and by shape and standing how often each is reached.

    `right` is that, times the chance that the leader is right; `moves` that, by the next standing:
    the leader's gain, the second's, neither's, whose places are `after`.
    """

    a: Integers
    b: Integers
    reached: Singles
    right: Singles
    moves: Singles
    after: Integers


@lru_cache(maxsize=4)
def stages(sharpness: float) -> tuple[Stage, ...]:
    """Stages 0 … `HORIZON`."""
    a, b, right = _walks(sharpness)
    codes = a * (HORIZON + 1) + b
    known = [np.unique(each) for each in codes]
    return tuple(_stage(n, known, codes, right) for n in range(HORIZON + 1))


def _stage(n: int, known: list[Any], codes: NDArray[Any], right: Floats) -> Stage:
    here = known[n]
    kinds, walks = codes.shape[1:]
    place = np.searchsorted(here, codes[n]) + np.arange(kinds)[:, None] * len(here)
    size = kinds * len(here)

    def counted(weights: NDArray[Any], groups: int = 1, group: Any = 0) -> Singles:
        index = (place * groups + group).ravel()
        told = np.bincount(index, weights.ravel(), size * groups) / walks
        shape = kinds, len(here), *([groups] if groups > 1 else [])
        singles: Singles = told.reshape(shape).astype(np.float32)
        return singles

    ones = np.ones(codes.shape[1:])
    following = known[min(n + 1, HORIZON)]
    steps = np.array([HORIZON + 1, 1, 0])  # of the code: a gains, b gains, neither
    after = np.minimum(np.searchsorted(following, here[:, None] + steps), len(following) - 1)
    moves = np.zeros((kinds, len(here), 3), np.float32)
    if n < HORIZON:
        move = np.searchsorted(-steps, -(codes[n + 1] - codes[n]))
        moves = counted(ones, 3, move)
    a, b = np.divmod(here, HORIZON + 1)
    return Stage(a, b, counted(ones), counted(right[n]), moves, after)


def _walks(sharpness: float) -> tuple[NDArray[Any], NDArray[Any], Floats]:
    """Votes of leader and second, and the leader's chance of being right, by n, shape and walk."""
    every = shapes()
    kinds, answers = every.shares.shape
    chances = every.right(sharpness)
    bounds = every.shares.cumsum(axis=1)
    rng = np.random.default_rng(SEED)
    size = (HORIZON + 1, kinds, WALKS)
    a, b, right = np.zeros(size, int), np.zeros(size, int), np.zeros(size)
    counts = np.zeros((kinds, WALKS, answers), np.int8)
    leader = np.full((kinds, WALKS), -1)
    row, column = np.indices((kinds, WALKS))
    for n in range(HORIZON):
        drawn = rng.random((kinds, WALKS))
        vote = np.array([np.searchsorted(*each) for each in zip(bounds, drawn, strict=True)])
        vote = np.minimum(vote, answers - 1)
        counts[row, column, vote] += 1
        votes = counts[row, column, vote]
        leads = votes > a[n]
        overtaken = np.where(vote == leader, b[n], a[n])
        b[n + 1] = np.where(leads, overtaken, np.maximum(b[n], votes))
        a[n + 1] = np.maximum(a[n], votes)
        leader = np.where(leads, vote, leader)
        right[n + 1] = chances[row, leader]
    return a, b, right
