"""One sample's way through a trie, by one of three methods.

`mask`: the model's probabilities, renormalised over allowed tokens (greedy constrained decoding).
`asap`: those times the trie's bounds; approaches the model's distribution given the grammar.
`cars`: the same, and the sample is given up with just the probability that makes what is accepted
exact (CARS, arXiv 2510.01902). There a sample at an unknown prefix draws unmasked and is rejected
where the grammar forbids the token. That is the same as rejecting it by the share of the mass that
the grammar forbids and drawing masked, which is what is done here: at each node the sample goes on
with probability c(now) / c(when it was chosen). So it stays exact too where other samples lower
the bounds in between.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from gateway.grammar.trie import Floats, Mask, Node, Trie, Visit

Method = Literal["mask", "asap", "cars"]
METHODS: tuple[str, ...] = get_args(Method)


class Walk:
    """From the root of `trie` to an end; call `see`, then `take`, for each token, then `close`.

    Where it is not certain that a row belongs to the sample, `look` at it, and let `visit.learn()`
    follow once it is.

    `rejected` is why the sample has to be given up, once it has: "dead_end" where nothing that is
    allowed can end in the language, "cars" where the method gives it up.
    """

    def __init__(self, trie: Trie, method: Method, random: np.random.Generator) -> None:
        self.rejected: str | None = None
        self._trie = trie
        self._method = method
        self._random = random
        self._path: list[Node] = [trie.root]
        self._bound: float | None = None

    def see(self, logp: Floats, allowed: Mask) -> Visit | None:
        """What may follow, given the next token's log-probabilities [vocab] and the grammar's mask
        [vocab]; None where the sample has to be given up."""
        visit = self.look(logp, allowed)
        visit.learn()
        return None if self.rejected else visit

    def look(self, logp: Floats, allowed: Mask) -> Visit:
        """The same, without learning of it; `rejected` tells whether the sample is given up."""
        self.rejected = None
        visit = Visit.of(self._path[-1], logp, allowed)
        if visit.total == -math.inf:
            self.rejected = "dead_end"
        elif self._method == "cars" and self._gives_up(visit.total):
            self.rejected = "cars"
        return visit

    def _gives_up(self, total: float) -> bool:
        # Nothing was chosen at the root: giving up there would be the same for every answer.
        if self._bound is None or total >= self._bound:
            return False
        return math.log(1.0 - self._random.random()) >= total - self._bound

    def draw(self, visit: Visit) -> int:
        """A token of those that may follow."""
        scores = self.scores(visit)
        weights = np.exp(scores - scores.max()).cumsum()
        at = int(np.searchsorted(weights, self._random.random() * weights[-1], side="right"))
        return int(visit.tokens[min(at, len(weights) - 1)])

    def scores(self, visit: Visit) -> Floats:
        """Log-probabilities, not normalised, of `visit.tokens` by the method."""
        return visit.raw if self._method == "mask" else visit.scores

    def take(self, visit: Visit, token: int) -> None:
        """Go on with a token that does not end the sample."""
        self._path.append(self._trie.child(visit, token))
        self._bound = visit.masses.get(token, 0.0)

    def follow(self, token: int) -> None:
        """Go on with a token that was drawn before, by another walk on the same trie."""
        known = self._path[-1].children.get(token)
        self._path.append(known or Node())
        self._bound = self._path[-1].log_mass

    def close(self) -> None:
        """Let the bounds above know, however the sample ended; a cut one has learned as well."""
        for node in reversed(self._path):
            node.back_up()
        del self._path[1:]
