"""The keys and values of all live sequences, kept compact so that slices of it feed attention."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SLOTS, BLOCK = 16, 128
"""It grows by these many sequences and tokens at least."""


class Cache:
    """`keys` and `values` are [layers, slots, kv_heads, tokens, head_dim]; `live` slots count.

    `ids` [slots, tokens] and `lengths` [slots] say which tokens each slot has seen.
    """

    def __init__(self, layers: int, kv_heads: int, head_dim: int) -> None:
        self.live = 0
        self.keys: Floats = np.zeros((layers, 0, kv_heads, 0, head_dim), np.float32)
        self.values: Floats = self.keys.copy()
        self.ids: Ints = np.zeros((0, 0), np.int64)
        self.lengths: Ints = np.zeros(0, np.int64)

    def reserve(self, slots: int, tokens: int) -> None:
        """Make room for `slots` sequences of `tokens` tokens; what is there stays."""
        has_slots, has_tokens = self.ids.shape
        if slots <= has_slots and tokens <= has_tokens:
            return
        if slots > has_slots:
            slots = max(slots, 2 * has_slots, SLOTS)
        slots, tokens = max(slots, has_slots), max(-(-tokens // BLOCK) * BLOCK, has_tokens)
        self.keys = self._grown(self.keys, slots, tokens)
        self.values = self._grown(self.values, slots, tokens)
        ids = np.zeros((slots, tokens), np.int64)
        ids[: self.live, :has_tokens] = self.ids[: self.live]
        lengths = np.zeros(slots, np.int64)
        lengths[: self.live] = self.lengths[: self.live]
        self.ids, self.lengths = ids, lengths

    def _grown(self, old: Floats, slots: int, tokens: int) -> Floats:
        layers, _, kv_heads, has_tokens, head_dim = old.shape
        # Zeros, not garbage: attention multiplies what lies past a sequence's end by zero, and a
        # stray NaN would survive that.
        new = np.zeros((layers, slots, kv_heads, tokens, head_dim), np.float32)
        new[:, : self.live, :, :has_tokens] = old[:, : self.live]
        return new

    def open(self) -> int:
        """Take the next slot, empty."""
        self.reserve(self.live + 1, 1)
        slot = self.live
        self.lengths[slot] = 0
        self.live += 1
        return slot

    def take(self, target: int, origin: Cache, source: int, tokens: int) -> None:
        """Let slot `target` hold the first `tokens` tokens of slot `source` of `origin`."""
        if origin is self and source == target:
            self.lengths[target] = tokens
            return
        self.reserve(self.live, tokens)
        self.keys[:, target, :, :tokens] = origin.keys[:, source, :, :tokens]
        self.values[:, target, :, :tokens] = origin.values[:, source, :, :tokens]
        self.ids[target, :tokens] = origin.ids[source, :tokens]
        self.lengths[target] = tokens

    def close(self, slot: int) -> None:
        """Free a slot; the last live slot moves into its place."""
        last = self.live - 1
        if slot != last:
            self.take(slot, self, last, int(self.lengths[last]))
        self.live = last

    def relative(self, prompt: Ints) -> tuple[int, int]:
        """The live slot that shares the longest beginning with `prompt`, and that length."""
        width = min(len(prompt), self.ids.shape[1])
        if not self.live or not width:
            return 0, 0
        same = self.ids[: self.live, :width] == prompt[:width]
        same &= np.arange(width) < self.lengths[: self.live, None]
        shared = np.where(same.all(1), width, same.argmin(1))
        best = int(shared.argmax())
        return best, int(shared[best])
