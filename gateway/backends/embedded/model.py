"""A Llama in NumPy: float32, batched decoding, one prompt at a time for prefill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gateway.backends.embedded.cache import Cache, Floats, Ints
from gateway.backends.embedded.weights import Config, Weights

Attend = Callable[[int, Floats, Floats, Floats], Floats]
"""(layer, queries [T, heads, dim], keys, values [T, kv_heads, dim]) -> mixed values [T, hidden]."""


class Llama:
    """A model that reads `config.json` and `model.safetensors` of a directory in HF's layout."""

    def __init__(self, directory: Path) -> None:
        self.config = Config.load(directory / "config.json")
        self.weights = Weights.load(directory / "model.safetensors", self.config)
        self.cos, self.sin = self._rotary()

    def _rotary(self) -> tuple[Floats, Floats]:
        """Cosines and sines, each [context, 1, head_dim / 2]."""
        steps = np.arange(0, self.config.head_dim, 2) / self.config.head_dim
        angles = np.outer(np.arange(self.config.context), self.config.theta**-steps)[:, None, :]
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def cache(self) -> Cache:
        return Cache(self.config.layers, self.config.kv_heads, self.config.head_dim)

    def step(self, cache: Cache, tokens: Ints) -> Floats:
        """Feed one token to each live slot; logits [live, vocab] of what follows."""
        live, at = cache.live, cache.lengths[: cache.live].copy()
        longest = int(at.max()) + 1
        cache.reserve(live, longest)
        rows = np.arange(live)
        cache.ids[rows, at] = tokens
        # 0 where a slot has a token, -inf past its end; [live, 1, 1, 1, longest]
        gap = np.where(np.arange(longest) > at[:, None], np.float32(-np.inf), np.float32(0))
        mask = gap[:, None, None, None] if at.min() + 1 < longest else None
        # One query a product, though several share their keys: a matrix of a few rows is slower.
        shape = (live, self.config.kv_heads, -1, 1, self.config.head_dim)

        def attend(layer: int, query: Floats, key: Floats, value: Floats) -> Floats:
            cache.keys[layer, rows, :, at] = key
            cache.values[layer, rows, :, at] = value
            keys = cache.keys[layer, :live, :, None, :longest]
            values = cache.values[layer, :live, :, None, :longest]
            return _attention(query.reshape(shape), keys, values, mask).reshape(live, -1)

        hidden = self._blocks(self.weights.embedding[tokens], at, attend)
        cache.lengths[:live] += 1
        return self.logits(hidden)

    def prefill(self, cache: Cache, slot: int, tokens: Ints) -> Floats:
        """Append `tokens` to what `slot` holds; hidden states [len(tokens), hidden]."""
        start, count = int(cache.lengths[slot]), len(tokens)
        end = start + count
        cache.reserve(cache.live, end)
        cache.ids[slot, start:end] = tokens
        at = np.arange(start, end)
        mask = np.where(np.arange(end) > at[:, None], np.float32(-np.inf), np.float32(0))
        shape = (count, self.config.kv_heads, -1, self.config.head_dim)

        def attend(layer: int, query: Floats, key: Floats, value: Floats) -> Floats:
            cache.keys[layer, slot, :, start:end] = key.swapaxes(0, 1)
            cache.values[layer, slot, :, start:end] = value.swapaxes(0, 1)
            keys = cache.keys[layer, slot, :, None, :end]
            values = cache.values[layer, slot, :, None, :end]
            mixed = _attention(query.reshape(shape).transpose(1, 2, 0, 3), keys, values, mask)
            return mixed.transpose(2, 0, 1, 3).reshape(count, -1)

        hidden = self._blocks(self.weights.embedding[tokens], at, attend)
        cache.lengths[slot] = end
        return hidden

    def logits(self, hidden: Floats) -> Floats:
        """Hidden states [T, hidden] -> logits [T, vocab]."""
        logits: Floats = self._normed(hidden) @ self.weights.head
        return logits

    def vectors(self, hidden: Floats) -> Floats:
        """Hidden states [T, hidden] -> what the last norm makes of them."""
        vectors: Floats = self._normed(hidden) * self.weights.norm
        return vectors

    def read(self, tokens: Ints) -> Floats:
        """Hidden states [T, hidden] of a text by itself."""
        cache = self.cache()
        return self.prefill(cache, cache.open(), tokens)

    def _blocks(self, hidden: Floats, at: Ints, attend: Attend) -> Floats:
        config = self.config
        cos, sin = self.cos[at], self.sin[at]
        rotated = config.heads + config.kv_heads
        for index, layer in enumerate(self.weights.layers):
            qkv = (self._normed(hidden) @ layer.qkv).reshape(len(hidden), -1, config.head_dim)
            turned = _turn(qkv[:, :rotated], cos, sin)
            mixed = attend(
                index, turned[:, : config.heads], turned[:, config.heads :], qkv[:, rotated:]
            )
            hidden = hidden + mixed @ layer.out
            gate, up = np.split(self._normed(hidden) @ layer.gate_up, 2, axis=1)
            hidden += (_silu(gate) * up) @ layer.down
        return hidden

    def _normed(self, hidden: Floats) -> Floats:
        power = np.einsum("ti,ti->t", hidden, hidden) / np.float32(hidden.shape[1])
        scale = np.float32(1) / np.sqrt(power + np.float32(self.config.epsilon))
        normed: Floats = hidden * scale[:, None]
        return normed


def _turn(heads: Floats, cos: Floats, sin: Floats) -> Floats:
    """Rotary embedding of [T, heads, dim] in HF's convention: the halves are the pairs."""
    half = heads.shape[2] // 2
    left, right = heads[..., :half], heads[..., half:]
    turned = np.empty(heads.shape, np.float32)
    np.subtract(left * cos, right * sin, out=turned[..., :half])
    np.add(right * cos, left * sin, out=turned[..., half:])
    return turned


def _silu(gate: Floats) -> Floats:
    divisor = -gate
    # exp may overflow to inf for a very negative gate; the quotient is then 0, as it should be.
    with np.errstate(over="ignore"):
        np.exp(divisor, out=divisor)
    divisor += 1
    np.divide(gate, divisor, out=divisor)
    return divisor


def _attention(query: Floats, keys: Floats, values: Floats, mask: Floats | None) -> Floats:
    """Queries [..., Q, dim], keys and values [..., K, dim] -> [..., Q, dim]."""
    scores: Floats = query @ keys.swapaxes(-1, -2)
    if mask is not None:
        scores += mask
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    mixed: Floats = scores @ values
    mixed /= scores.sum(-1, keepdims=True)
    return mixed
