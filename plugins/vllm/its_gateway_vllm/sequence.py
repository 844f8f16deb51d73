"""One request's way through its grammar, while vLLM decodes it."""

from __future__ import annotations

from collections.abc import Sequence as Tokens

import numpy as np

from gateway.grammar.engine import State, Vocabulary
from gateway.grammar.trie import Floats, Mask, Visit
from gateway.grammar.walk import Walk

GREEDY_BELOW = 1e-5
"""A lower temperature means the likeliest token, as in vLLM."""


class Sequence:
    """Chooses each token, so that it need not be told it.

    vLLM may show a row whose token it then drops (a prompt read in parts), and tells tokens late
    (asynchronous scheduling). So what was chosen counts only once `output`, vLLM's own growing
    list, has become longer; its entries may be placeholders.
    """

    def __init__(
        self,
        state: State,
        walk: Walk,
        output: Tokens[int],
        vocabulary: Vocabulary,
        temperature: float,
    ) -> None:
        self._state = state
        self._walk = walk
        self._output = output
        self._vocabulary = vocabulary
        self._end = int(vocabulary.ends[0])
        self._temperature = temperature
        self._taken = 0
        self._chosen: tuple[int, Visit | None] | None = None
        self._given_up = False
        self._replay()

    def _replay(self) -> None:
        """Catch up with what was written before a preemption."""
        for token in self._output:
            # A placeholder, or what a sequence that was given up ends in, is in no grammar.
            if token < 0 or token == self._end or not self._state.take(token):
                self._given_up = True
                break
            self._walk.follow(token)
        self._taken = len(self._output)

    def choose(self, logits: Floats) -> int:
        """The next token, given its raw logits [vocab]."""
        self._settle()
        if self._given_up:
            return self._end
        mask = self._state.allowed()
        if self._temperature < GREEDY_BELOW:
            return self._greedy(logits, mask)
        scaled = logits.astype(np.float64) / self._temperature
        scaled -= scaled.max()
        scaled -= np.log(np.exp(scaled).sum())
        visit = self._walk.look(scaled, mask)
        token = self._forbidden(mask) if self._walk.rejected else self._walk.draw(visit)
        self._chosen = token, visit
        return token

    def _greedy(self, logits: Floats, mask: Mask) -> int:
        token = int(np.where(mask, logits, -np.inf).argmax()) if mask.any() else self._end
        self._chosen = token, None
        return token

    def _forbidden(self, mask: Mask) -> int:
        """A token by which the answer leaves the grammar, so that nobody takes it for one."""
        mask[self._vocabulary.ends] = True
        is_special = self._vocabulary.tokens.is_special_token
        others = (int(token) for token in np.flatnonzero(~mask))
        return next((token for token in others if not is_special(token)), self._end)

    def _settle(self) -> None:
        """Take what was chosen, if vLLM has kept it."""
        if self._chosen is None:
            return
        (token, visit), self._chosen = self._chosen, None
        if len(self._output) <= self._taken:
            return  # dropped: the row was not this answer's
        self._taken += 1
        rejected = self._walk.rejected is not None
        if visit is not None:
            visit.learn()
        if rejected or (token != self._end and not self._state.take(token)):
            self._given_up = True
        elif visit is not None and token != self._end:
            self._walk.take(visit, token)

    def close(self) -> None:
        """The request has ended, was aborted or preempted."""
        # Behind a token that was kept, a row is the answer's; the prompt may yet have been read.
        if self._chosen is not None:
            _, visit = self._chosen
            if visit is not None and self._taken:
                visit.learn()
        self._walk.close()
