"""What a grammar does to drafts: it masks what they draw from, or draws for them from a trie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.backends.embedded.cache import Floats, Ints
from gateway.backends.embedded.sampler import GREEDY_BELOW, Row, log_distribution
from gateway.grammar.engine import State
from gateway.grammar.trie import Mask, Visit
from gateway.grammar.walk import Walk


@dataclass(eq=False, slots=True)
class Guide:
    """One draft's place in a grammar and, where it is `aligned`, in what was learned of it.

    `rejected` is why the draft has to end here without an answer, once it has to. Used on the
    engine's thread only.
    """

    state: State
    walk: Walk | None = None
    rejected: str | None = None
    visit: Visit | None = field(default=None, init=False)

    def allowed(self) -> Mask | None:
        """The mask of this step; None where nothing is allowed."""
        mask = self.state.allowed()
        if not mask.any():
            self.rejected = "dead_end"
        return None if self.rejected else mask

    def draw(self, row: Row, logits: Floats) -> int | None:
        """The next token by the trie; None where the draft is given up."""
        assert self.walk is not None
        logp = log_distribution(logits, row)
        self.visit = self.walk.see(logp, self.state.allowed())
        if self.visit is None:
            self.rejected = self.walk.rejected
            return None
        return self.walk.draw(self.visit)

    def take(self, token: int) -> None:
        """The draft goes on with `token`, which does not end it."""
        self.state.take(token)
        if self.walk is not None and self.visit is not None:
            self.walk.take(self.visit, token)

    def close(self) -> None:
        """The draft has ended, or was dropped."""
        if self.walk is not None:
            self.walk.close()


Guided = Sequence[tuple[int, Row, Guide]]


def hold(logits: Floats, guided: Guided) -> None:
    """Set to -inf in `logits` [rows, vocab] what grammars forbid the drafts that are masked.

    As in vLLM that comes first, so their logprobs are those of what is left. Rows of drafts that
    end here for want of an allowed token are left alone.
    """
    for at, row, guide in guided:
        if guide.walk is None or row.params.temperature < GREEDY_BELOW:
            mask = guide.allowed()
            if mask is not None:
                logits[at, ~mask] = -np.inf


def redraw(logits: Floats, guided: Guided, tokens: Ints) -> None:
    """Replace in `tokens` [rows] what aligned drafts drew by what their tries draw."""
    for at, row, guide in guided:
        if guide.walk is not None and row.params.temperature >= GREEDY_BELOW:
            token = guide.draw(row, logits[at])
            tokens[at] = tokens[at] if token is None else token
