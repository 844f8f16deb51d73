"""Languages small enough to enumerate, and toy models with distributions over them."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from gateway.grammar.trie import Floats, Mask, Trie
from gateway.grammar.walk import Method, Walk

SYMBOLS = '01ab+*()=, {}[]:"xynredgubltsc'
END = len(SYMBOLS)
VOCAB = END + 1
Word = tuple[int, ...]


def _repeat(symbols: str, lengths: Sequence[int]) -> list[str]:
    return ["".join(t) for n in lengths for t in itertools.product(symbols, repeat=n)]


def _sums() -> list[str]:
    return [f"{a}{op}{b}={c}" for a, op, b, c in itertools.product("01", "+*", "01", "01")]


def _true_sums() -> list[str]:
    pairs = itertools.product((0, 1), "+*", (0, 1))
    right = [(a, op, b, a + b if op == "+" else a * b) for a, op, b in pairs]
    return [f"{a}{op}{b}={c:b}" for a, op, b, c in right]


def _nested(depth: int) -> list[str]:
    return ["ab"] if not depth else ["ab", *(f"({inner})" for inner in _nested(depth - 1))]


def _objects(*enums: Sequence[str]) -> list[str]:
    keys = "xyn"
    return [
        json.dumps(dict(zip(keys, values, strict=False)), separators=(",", ":"))
        for values in itertools.product(*enums)
    ]


LANGUAGES: Mapping[str, list[str]] = {
    "zeros or one": ["00000", *(f"1{tail}" for tail in _repeat("01", [4]))],
    "even parity": [w for w in _repeat("01", [4]) if w.count("1") % 2 == 0],
    "palindromes": [w for w in _repeat("ab", [1, 2, 3, 4, 5]) if w == w[::-1]],
    "no double": [w for w in _repeat("ab", [1, 2, 3, 4]) if "aa" not in w],
    "ends in one": [w for w in _repeat("01", [1, 2, 3, 4]) if w.endswith("1")],
    "arithmetic": _sums(),
    "true arithmetic": _true_sums(),
    "nested": _nested(6),
    "choice": ["red", "green", "blue", "redgreen", "reds"],
    "object": _objects(["red", "blue"], ["a", "b"]),
    "objects": _objects(["red", "green"], ["ab", "ba", "aa"], ["", "x"]),
    "list": ["[" + ",".join(t) + "]" for n in (0, 1, 2) for t in itertools.product("01", repeat=n)],
    "deep dead end": ["0" * 12 + "1", *(f"1{t}" for t in _repeat("ab", [1, 2]))],
    "optional": ["", "a", "ab", "abab"],
}


class Toy:
    """A model whose next-token distribution depends on the prefix, by a seed, and on `tilt`:
    how strongly it prefers the symbol "0", which leads into what the grammar cuts off. It likes the
    first four symbols best."""

    def __init__(self, seed: int, tilt: float = 2.0, spread: float = 1.5) -> None:
        self._seed, self._tilt, self._spread = seed, tilt, spread
        self._rows: dict[Word, Floats] = {}

    def logp(self, prefix: Word) -> Floats:
        if prefix not in self._rows:
            key = hash((self._seed, *prefix)) % 2**32
            logits = np.random.default_rng(key).normal(0, self._spread, VOCAB)
            logits[:4] += 3.0
            logits[SYMBOLS.index("0")] += self._tilt
            self._rows[prefix] = logits - np.log(np.exp(logits).sum())
        return self._rows[prefix]


class Language:
    """Words, one token a symbol, and what may follow each prefix of them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = [tuple(SYMBOLS.index(s) for s in word) for word in dict.fromkeys(words)]
        self._next: dict[Word, Mask] = {}
        for word in self.words:
            for at, token in enumerate((*word, END)):
                mask = self._next.setdefault(word[:at], np.zeros(VOCAB, np.bool_))
                mask[token] = True

    def allowed(self, prefix: Word) -> Mask:
        return self._next[prefix]

    def exact(self, toy: Toy) -> dict[Word, float]:
        """The toy's distribution given the language, by enumeration."""
        return _normal({word: log_probability(toy, word) for word in self.words})

    def masked(self, toy: Toy) -> dict[Word, float]:
        """What masking alone samples from."""
        return _normal({word: self.log_masked(toy, word) for word in self.words})

    def log_masked(self, toy: Toy, word: Word) -> float:
        total = 0.0
        for at, token in enumerate((*word, END)):
            row, mask = toy.logp(word[:at]), self.allowed(word[:at])
            total += float(row[token]) - math.log(float(np.exp(row[mask]).sum()))
        return total


def log_probability(toy: Toy, word: Word) -> float:
    """Of the word and its end, by the toy alone."""
    return sum(float(toy.logp(word[:at])[token]) for at, token in enumerate((*word, END)))


def attempt(
    walk: Walk, toy: Toy, allowed: Callable[[Word], Mask], most: int = 100
) -> Iterator[Word | None]:
    """One sample, a step at a time: None while under way, then its word; nothing if rejected."""
    word: Word = ()
    while len(word) < most:
        visit = walk.see(toy.logp(word), allowed(word))
        if visit is None:
            walk.close()
            return
        token = walk.draw(visit)
        if token == END:
            walk.close()
            yield word
            return
        walk.take(visit, token)
        word = (*word, token)
        yield None
    walk.close()


def draw(
    trie: Trie, method: Method, toy: Toy, language: Language, random: np.random.Generator
) -> Word:
    """One accepted sample, however many attempts that takes."""
    while True:
        for word in attempt(Walk(trie, method, random), toy, language.allowed):
            if word is not None:
                return word


def divergence(true: Mapping[Word, float], other: Mapping[Word, float]) -> float:
    """KL(true ‖ other) in nats."""
    return sum(p * math.log(p / other[word]) for word, p in true.items() if p > 0)


def g_test(true: Mapping[Word, float], counts: Counter[Word]) -> float:
    """The p-value of a G-test of counts against `true`; rare words are pooled."""
    from scipy.stats import chi2

    n = counts.total()
    common = [word for word, p in true.items() if n * p >= 5]
    pairs = [(counts[word], n * true[word]) for word in common]
    rare = n * sum(p for word, p in true.items() if n * p < 5)
    if rare > 0:
        pairs.append((n - sum(count for count, _ in pairs), rare))
    g = 2 * sum(count * math.log(count / expected) for count, expected in pairs if count)
    return float(chi2.sf(g, len(pairs) - 1))


def _normal(logs: Mapping[Word, float]) -> dict[Word, float]:
    most = max(logs.values())
    total = sum(math.exp(value - most) for value in logs.values())
    return {word: math.exp(value - most) / total for word, value in logs.items()}
