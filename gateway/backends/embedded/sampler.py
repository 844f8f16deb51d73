"""Drawing the next token of each sequence of a batch; pure but for each row's own generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gateway.backends.embedded.cache import Floats, Ints
from gateway.backends.embedded.params import Params

Doubles = npt.NDArray[np.float64]

GREEDY_BELOW = 1e-5
"""A lower temperature means the likeliest token, as in vLLM."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A sampled token, its raw logprob (nats, before temperature), and alternatives to it."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(eq=False, slots=True)
class Row:
    """What sampling needs to know of one sequence.

    `ends` are the tokens that end it. `alternatives` is how many top logprobs it wants, None for
    no logprobs at all.
    """

    params: Params
    prompt: Ints
    ends: frozenset[int]
    alternatives: int | None
    random: np.random.Generator
    tokens: list[int] = field(default_factory=list)


def generator(seed: int | None) -> np.random.Generator:
    """A row's own stream of randomness: the same for the same seed, whatever else runs."""
    if seed is None:
        return np.random.default_rng()
    return np.random.Generator(np.random.Philox(key=seed % 2**64))


def sample(logits: Floats, rows: Sequence[Row]) -> Ints:
    """Draw one token for each row of `logits` [rows, vocab], in vLLM's order of operations.

    logit_bias and min_tokens, penalties, temperature, min_p, top_k, top_p.
    """
    if any(row.params.shaped for row in rows):
        logits = logits.copy()
        for scores, row in zip(logits, rows, strict=True):
            if row.params.shaped:
                _shape(scores, row)
    tokens: Ints = logits.argmax(1)
    hot = [i for i, row in enumerate(rows) if row.params.temperature >= GREEDY_BELOW]
    if hot:
        chosen = [rows[i] for i in hot]
        temperature = np.array([row.params.temperature for row in chosen], np.float32)
        scores = logits[hot] / temperature[:, None]
        scores -= scores.max(1, keepdims=True)
        truncate(scores, [row.params for row in chosen])
        tokens[hot] = _pick(scores, np.array([row.random.random() for row in chosen]))
    return tokens


def log_distribution(logits: Floats, row: Row) -> Doubles:
    """The log-probabilities [vocab] by which `sample` would draw from one row's logits [vocab]."""
    scores = logits.copy()
    if row.params.shaped:
        _shape(scores, row)
    scores /= np.float32(row.params.temperature)
    scores -= scores.max()
    truncate(scores[None], [row.params])
    exact = scores.astype(np.float64)
    exact -= np.log(np.exp(exact).sum())
    return exact


def truncate(scores: Floats, params: Sequence[Params]) -> None:
    """Set to -inf what min_p, top_k and top_p rule out of `scores` [rows, vocab], whose max is 0.

    Tokens that tie with the last one kept are kept.
    """
    limited = [i for i, p in enumerate(params) if p.min_p > 0 or p.top_k > 0 or p.top_p < 1]
    if not limited:
        return
    picked, vocab = [params[i] for i in limited], scores.shape[1]
    ordered = -np.sort(-scores[limited], axis=1)
    weights = _weights(ordered)
    top_k = np.array([min(p.top_k, vocab) if p.top_k > 0 else vocab for p in picked])
    kth = np.take_along_axis(ordered, top_k[:, None] - 1, axis=1)
    min_p = np.array([[p.min_p] for p in picked])
    alive = (weights >= min_p) & (ordered >= kth)
    alive[:, 0] = True
    weights[~alive] = 0
    total = weights.cumsum(1)
    # A top_p of 1 must keep everything, even what is lost in the rounding of the sum.
    top_p = np.array([[p.top_p if p.top_p < 1 else 2.0] for p in picked])
    alive &= total - weights < top_p * total[:, -1:]
    last = np.take_along_axis(ordered, alive.sum(1, keepdims=True) - 1, axis=1)
    kept = scores[limited]
    kept[kept < last] = -np.inf
    scores[limited] = kept


def logprobs(logits: Floats, rows: Sequence[Row], tokens: Ints) -> list[TokenLogprob | None]:
    """Raw log-softmax of `logits` [rows, vocab] for the rows that want it, else None."""
    found: list[TokenLogprob | None] = [None] * len(rows)
    wanted = [i for i, row in enumerate(rows) if row.alternatives is not None]
    if not wanted:
        return found
    table = log_softmax(logits[wanted])
    most = max(rows[i].alternatives or 0 for i in wanted)
    order = np.argsort(-table, axis=1, kind="stable")[:, :most].tolist() if most else None
    for at, i in enumerate(wanted):
        row, line = rows[i], table[at]
        ids = order[at][: row.alternatives] if order else []
        ids += [token for token in row.params.logprob_token_ids if token not in ids]
        top = tuple(zip(ids, line[ids].tolist(), strict=True)) if ids else ()
        found[i] = TokenLogprob(int(tokens[i]), float(line[tokens[i]]), top)
    return found


def log_softmax(logits: Floats) -> Floats:
    """Logits [rows, vocab] -> log-probabilities in nats."""
    shifted: Floats = logits - logits.max(1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(1, keepdims=True))
    return shifted


def _shape(scores: Floats, row: Row) -> None:
    """Apply bias, minimal length and penalties to one row's logits [vocab], in place."""
    params = row.params
    for token, bias in params.logit_bias.items():
        scores[token] += bias
    if len(row.tokens) < params.min_tokens:
        scores[list(row.ends)] = -np.inf
    counts = np.bincount(np.array(row.tokens, np.int64), minlength=len(scores))
    if params.repetition_penalty != 1:
        seen = counts > 0
        seen[row.prompt] = True
        old = scores[seen]
        penalty = np.float32(params.repetition_penalty)
        scores[seen] = np.where(old > 0, old / penalty, old * penalty)
    scores -= (params.frequency_penalty * counts).astype(np.float32)
    scores -= (params.presence_penalty * (counts > 0)).astype(np.float32)


def _pick(scores: Floats, uniforms: Doubles) -> Ints:
    """Invert each row's cumulative weight at a uniform in [0, 1)."""
    total = _weights(scores).cumsum(1)
    tokens: Ints = (total > (uniforms * total[:, -1])[:, None]).argmax(1)
    return tokens


def _weights(scores: Floats) -> Doubles:
    """Exponentials to be summed in double precision, where small ones still count."""
    return np.exp(scores).astype(np.float64)
