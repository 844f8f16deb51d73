"""The demo model's distribution given a grammar, by enumeration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.backends.embedded.cache import Cache
from gateway.backends.embedded.model import Llama
from gateway.grammar.engine import Grammar, State
from gateway.grammar.trie import Floats, Mask, log_sum

Word = tuple[int, ...]

LEAST = 1e-8
"""Share of the answers' probability, by the model or by masking, below which a prefix is not
followed; `Truth.missed` says how much that was."""


class Rows:
    """A model's log-probabilities of the next token behind a prompt and a prefix of the answer."""

    def __init__(self, model: Llama, prompt: Sequence[int]) -> None:
        self._model = model
        self._prompt = np.array(prompt, np.int64)
        self._opened, self._scratch = Cache(*_shape(model)), Cache(*_shape(model))
        self._opened.open()
        self._scratch.open()
        model.prefill(self._opened, 0, self._prompt[:-1])
        self._known: dict[Word, Floats] = {}

    def logp(self, prefix: Word) -> Floats:
        """[vocab], at temperature 1."""
        if prefix not in self._known:
            self._scratch.take(0, self._opened, 0, len(self._prompt) - 1)
            fed = np.array([self._prompt[-1], *prefix], np.int64)
            hidden = self._model.prefill(self._scratch, 0, fed)
            logits = self._model.logits(hidden[-1:])[0].astype(np.float64)
            logits -= logits.max()
            self._known[prefix] = logits - math.log(float(np.exp(logits).sum()))
        return self._known[prefix]


class Masks:
    """What a grammar allows behind each prefix, remembered."""

    def __init__(self, grammar: Grammar) -> None:
        self._states: dict[Word, State] = {(): grammar.start()}
        self._known: dict[Word, Mask] = {}

    def allowed(self, prefix: Word) -> Mask:
        """[vocab]"""
        if prefix not in self._known:
            self._known[prefix] = self._state(prefix).allowed()
        return self._known[prefix]

    def _state(self, prefix: Word) -> State:
        if prefix not in self._states:
            state = self._state(prefix[:-1]).copy()
            assert state.take(prefix[-1])
            self._states[prefix] = state
        return self._states[prefix]


@dataclass
class Truth:
    """All answers of a grammar, as tokens with the one that ends them: `plain` log-probabilities
    of the model, and `masked` ones, by which masking draws them. `missed` is the share of the
    probability of all answers, at most, that belongs to answers not enumerated."""

    plain: dict[Word, float] = field(default_factory=dict)
    masked: dict[Word, float] = field(default_factory=dict)
    missed: float = 0.0

    def given(self) -> dict[Word, float]:
        """Probabilities given the grammar."""
        most = max(self.plain.values())
        raw = {word: math.exp(value - most) for word, value in self.plain.items()}
        total = math.fsum(raw.values())
        return {word: value / total for word, value in raw.items()}


def enumerated(rows: Rows, masks: Masks, ends: Sequence[int], *, least: float = LEAST) -> Truth:
    """Follow every prefix whose share is at least `least`: first by masking alone, which tells
    about how probable all answers are together, then by both."""
    first = _followed(rows, masks, ends, math.log(least) / 2, 0.0)
    whole = math.log(max(math.fsum(map(math.exp, first.plain.values())), 1e-300))
    return _followed(rows, masks, ends, math.log(least), whole)


def _followed(rows: Rows, masks: Masks, ends: Sequence[int], least: float, whole: float) -> Truth:
    truth = Truth()
    left: list[tuple[Word, float, float]] = [((), 0.0, 0.0)]
    below: list[float] = []
    while left:
        prefix, plain, masked = left.pop()
        row, mask = rows.logp(prefix), masks.allowed(prefix)
        tokens = np.flatnonzero(mask)
        kept = log_sum(row[tokens])
        for token in tokens.tolist():
            word = (*prefix, token)
            p, q = plain + float(row[token]), masked + float(row[token]) - kept
            if token in ends:
                truth.plain[word], truth.masked[word] = p, q
            elif max(p - whole, q) >= least:
                left.append((word, p, q))
            else:
                below.append(p - whole)
    truth.missed = math.fsum(map(math.exp, below))
    return truth


def divergence(true: Mapping[Word, float], other: Mapping[Word, float]) -> float:
    """KL(true ‖ other) in nats; both sum to 1, and `other` is nowhere 0 where `true` is not."""
    return math.fsum(p * math.log(p / other[word]) for word, p in true.items() if p > 0)


def _shape(model: Llama) -> tuple[int, int, int]:
    return model.config.layers, model.config.kv_heads, model.config.head_dim
