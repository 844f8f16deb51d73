"""Each method on one grammar, against enumeration."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from benchmarks.constrained.exact import Masks, Rows, Truth, Word, divergence
from gateway.grammar.trie import Floats, Trie, log_sum
from gateway.grammar.walk import Method, Walk

LONGEST = 200
"""Tokens of an answer."""


@dataclass(frozen=True, slots=True)
class Bed:
    """A grammar's rows, masks and truth."""

    rows: Rows
    masks: Masks
    ends: frozenset[int]
    truth: Truth


def attempt(bed: Bed, walk: Walk) -> Word | None:
    """One sample with its end; None where it is given up."""
    word: Word = ()
    while len(word) < LONGEST:
        visit = walk.see(bed.rows.logp(word), bed.masks.allowed(word))
        if visit is None:
            break
        token = walk.draw(visit)
        if token in bed.ends:
            walk.close()
            return (*word, token)
        walk.take(visit, token)
        word = (*word, token)
    walk.close()
    return None


def drawn(
    bed: Bed, method: Method, n: int, seed: int, trie: Trie | None = None
) -> tuple[Counter[Word], int]:
    """`n` accepted samples by one trie, and how many attempts they took."""
    trie, random = trie or Trie(200_000), np.random.default_rng(seed)
    counts: Counter[Word] = Counter()
    attempts = 0
    while counts.total() < n:
        attempts += 1
        word = attempt(bed, Walk(trie, method, random))
        if word is not None:
            counts[word] += 1
    return counts, attempts


def g_test(true: Mapping[Word, float], counts: Counter[Word]) -> float:
    """The p-value of counts against `true`; what is expected less than five times is pooled."""
    n = counts.total()
    common = {word: n * p for word, p in true.items() if n * p >= 5}
    pairs = [(counts[word], expected) for word, expected in common.items()]
    rare = n - sum(common.values())
    if rare > 1e-9:
        pairs.append((n - sum(count for count, _ in pairs), rare))
    if len(pairs) < 2:
        return 1.0
    g = 2 * sum(count * math.log(count / expected) for count, expected in pairs if count)
    return float(chi2.sf(g, len(pairs) - 1))


def learned(bed: Bed, trie: Trie) -> dict[Word, float]:
    """What "asap" would draw from next, word by word."""
    return {word: math.exp(_log_learned(bed, trie, word)) for word in bed.truth.plain}


def _log_learned(bed: Bed, trie: Trie, word: Word) -> float:
    node, log = trie.root, 0.0
    for at, token in enumerate(word):
        tokens = np.flatnonzero(bed.masks.allowed(word[:at]))
        scores = bed.rows.logp(word[:at])[tokens].copy()
        children = node.children if node is not None else {}
        for known, child in children.items():
            scores[np.searchsorted(tokens, known)] += child.log_mass
        log += float(scores[np.searchsorted(tokens, token)]) - log_sum(scores)
        node = children.get(token)  # type: ignore[assignment]
    return log


def chained(truth: Truth, steps: int) -> dict[Word, float]:
    """Where MCMC-Restart stands after `steps` proposals behind the first, exactly."""
    words = list(truth.plain)
    proposal = np.exp(np.array([truth.masked[word] for word in words]))
    proposal /= proposal.sum()
    weight = np.array([truth.plain[word] - truth.masked[word] for word in words])
    accept = np.exp(np.minimum(0.0, weight[None, :] - weight[:, None]))
    move = proposal[None, :] * accept
    stay = 1.0 - move.sum(1)
    state = proposal.copy()
    for _ in range(steps):
        state = state @ move + state * stay
    return dict(zip(words, state.tolist(), strict=True))


def resampled(truth: Truth, size: int, repeats: int, seed: int) -> dict[Word, float]:
    """What one draw of `size` proposals, resampled by weight, gives: by simulation, as a mixture of
    the expected weights, which is smooth."""
    words = list(truth.plain)
    proposal = np.exp(np.array([truth.masked[word] for word in words]))
    proposal /= proposal.sum()
    weight = np.exp(_centred([truth.plain[word] - truth.masked[word] for word in words]))
    random = np.random.default_rng(seed)
    total = np.zeros(len(words))
    for _ in range(repeats // 1000):
        offered = random.choice(len(words), (1000, size), p=proposal)
        shares = weight[offered]
        shares /= shares.sum(1, keepdims=True)
        np.add.at(total, offered, shares)
    total /= total.sum()
    floor = 1e-12
    return dict(zip(words, np.maximum(total, floor).tolist(), strict=True))


def _centred(values: Sequence[float]) -> Floats:
    array: Floats = np.array(values)
    array -= array.max()
    return array


Measured = dict[str, float]


def measured(bed: Bed, *, samples: int, steps: int, seed: int) -> Measured:
    """All figures of one grammar; divergences in nats."""
    true = bed.truth.given()
    masked = normal(bed.truth.masked)
    counts, attempts = drawn(bed, "cars", samples, seed)
    trie = Trie(200_000)
    drawn(bed, "asap", 100, seed + 1, trie)
    kl: Callable[[Mapping[Word, float]], float] = lambda other: divergence(true, other)  # noqa: E731
    return {
        "answers": len(true),
        "missed": bed.truth.missed,
        "mask": kl(masked),
        "cars_p": g_test(true, counts),
        "cars_accepted": samples / attempts,
        "asap_100": kl(learned(bed, trie)),
        "mcmc": kl(chained(bed.truth, steps)),
        "snis": kl(resampled(bed.truth, steps + 1, 200_000, seed)),
    }


def normal(logs: Mapping[Word, float]) -> dict[Word, float]:
    """Chances that sum to 1, of logarithms of chances that need not."""
    total = math.fsum(map(math.exp, logs.values()))
    return {word: math.exp(value) / total for word, value in logs.items()}
