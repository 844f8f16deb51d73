"""What is known of a grammar under a model: a trie of prefixes with bounds in log space.

Each node bounds c(v), the probability that the model, going on from v, ends in the language
("expected future grammaticality", ASAp, arXiv 2405.21047). A bound begins at 1 and only falls; it
is exact once everything below has been seen. Nodes hold no rows of the vocabulary: only the
children that were visited, and the mass of all others together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

HEADS = 16
"""Likeliest tokens without a node whose mass is remembered one by one."""


def log_sum(values: Floats) -> float:
    """log Σ exp(values); -inf for none."""
    if not len(values):
        return -math.inf
    most = float(values.max())
    return most + math.log(float(np.exp(values - most).sum())) if most > -math.inf else -math.inf


def log_add(left: float, right: float) -> float:
    low, high = sorted((left, right))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def log_less(whole: float, part: float) -> float:
    """log(exp(whole) - exp(part)), -inf where nothing is left."""
    return whole + math.log(-math.expm1(part - whole)) if part < whole else -math.inf


@dataclass(slots=True, eq=False)
class Node:
    """A prefix. `logp` is the model's log-probability of its last token after its parent.

    `log_mass` bounds log c. `rest` is the log mass of allowed tokens that have no node, the
    grammar's end included; None until the node is visited.
    """

    logp: float = 0.0
    log_mass: float = 0.0
    rest: float | None = None
    children: dict[int, Node] = field(default_factory=dict)

    def back_up(self) -> None:
        """Lower the bound to what the children's have become."""
        if self.rest is None:
            return
        below = np.array([child.logp + child.log_mass for child in self.children.values()])
        self.lower(log_add(self.rest, log_sum(below)))

    def lower(self, log_mass: float) -> None:
        self.log_mass = min(self.log_mass, log_mass)


@dataclass(frozen=True, slots=True)
class Rest:
    """The mass of tokens without a node, from which some can be taken without cancellation.

    The likeliest are held one by one. Of the others, each is at most 1/(HEADS + 1) of the whole,
    so taking one out by subtraction loses no precision that matters.
    """

    heads: dict[int, float]
    tail: float

    @classmethod
    def of(cls, tokens: Ints, scores: Floats) -> Rest:
        if len(tokens) <= HEADS:
            return cls(dict(zip(tokens.tolist(), scores.tolist(), strict=True)), -math.inf)
        order = np.argpartition(-scores, HEADS)
        first, others = order[:HEADS], order[HEADS:]
        heads = dict(zip(tokens[first].tolist(), scores[first].tolist(), strict=True))
        return cls(heads, log_sum(scores[others]))

    def less(self, taken: dict[int, float]) -> float:
        """The mass without the tokens of `taken`, given with their log-probabilities."""
        left = self.tail
        for token, score in taken.items():
            if token not in self.heads:
                left = log_less(left, score)
        kept = [score for token, score in self.heads.items() if token not in taken]
        return log_add(left, log_sum(np.array(kept)))


@dataclass(frozen=True, slots=True)
class Visit:
    """A node as a sample sees it, with its row in hand.

    `tokens` may follow, with the model's log-probabilities `raw`, and `scores`, which are raw plus
    log bound, not normalised; their log sum is `total`. `masses` are the bounds used, by token.
    """

    node: Node
    tokens: Ints
    raw: Floats
    scores: Floats
    total: float
    masses: dict[int, float]
    rest: Rest

    @classmethod
    def of(cls, node: Node, logp: Floats, allowed: Mask) -> Visit:
        """See `node`, whose next token has log-probabilities `logp` [vocab] and may be `allowed`
        [vocab]; nothing is changed."""
        tokens = np.flatnonzero(allowed)
        raw = np.asarray(logp, np.float64)[tokens]
        masses = {token: child.log_mass for token, child in node.children.items()}
        at = np.searchsorted(tokens, np.array(list(masses), np.int64))
        scores = raw.copy()
        scores[at] += np.array(list(masses.values()))
        fresh = np.ones(len(tokens), np.bool_)
        fresh[at] = False
        rest = Rest.of(tokens[fresh], raw[fresh])
        return cls(node, tokens, raw, scores, min(0.0, log_sum(scores)), masses, rest)

    def learn(self) -> None:
        """Let the node know what was seen."""
        if self.node.rest is None:
            self.node.rest = self.rest.less({})
        self.node.lower(self.total)

    def raw_of(self, token: int) -> float:
        """The model's log-probability of an allowed token."""
        return float(self.raw[np.searchsorted(self.tokens, token)])


@dataclass(slots=True)
class Room:
    """Nodes that may still be made, by all tries that share it."""

    left: int


class Trie:
    """The nodes of one key, at most `limit`, and no more than `room` has for all that share it.

    Where that is full, further prefixes are sampled without being kept.
    """

    def __init__(self, limit: int, room: Room | None = None) -> None:
        self.root = Node()
        self.limit = limit
        self.room = room or Room(limit)
        self.size = 1

    def child(self, visit: Visit, token: int) -> Node:
        """The node of `token` behind a visited one: known, fresh, or, where full, not kept."""
        node = visit.node
        found = node.children.get(token)
        if found is not None:
            return found
        fresh = Node(visit.raw_of(token))
        if self.size >= self.limit or self.room.left <= 0:
            return fresh
        node.children[token] = fresh
        self.size += 1
        self.room.left -= 1
        # Others may have gone on from the same node since it was seen.
        since = islice(node.children.items(), len(visit.masses), None)
        node.rest = visit.rest.less({t: child.logp for t, child in since})
        return fresh
