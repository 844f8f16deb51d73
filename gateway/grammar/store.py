"""Tries kept across requests, within a bound."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.grammar.trie import Room, Trie

NODES = 100_000
"""Nodes kept in all; one takes about half a kilobyte."""
SHARE = 4
"""One key may have so much of them: NODES / SHARE."""


def key_of(
    revision: str,
    prompt: Sequence[int],
    grammar: str,
    sampling: Mapping[str, Any],
    session: str = "",
) -> str:
    """The key of what is learned: whatever else changes, the probabilities are other ones.

    `revision` names the model's weights, `sampling` is all that shapes its probabilities. What one
    `session` has learned, no other sees.
    """
    parts = [revision, list(prompt), grammar, sorted(sampling.items()), session]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


class Tries:
    """At most `nodes` nodes under all keys; the key that was not asked for longest goes first.

    A trie that has gone while samples walk it lives until they end, and grows no more. Keys may be
    asked for from any thread; a trie belongs to one thread at a time.
    """

    def __init__(self, nodes: int = NODES) -> None:
        self._limit = max(1, nodes // SHARE)
        self._room = Room(nodes)
        self._tries: OrderedDict[str, Trie] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Nodes held now."""
        with self._lock:
            return sum(trie.size for trie in self._tries.values())

    def __len__(self) -> int:
        return len(self._tries)

    def get(self, key: str) -> Trie:
        """The trie of `key`, fresh where there was none or it has gone."""
        with self._lock:
            trie = self._tries.pop(key, None)
            if trie is None:
                trie = Trie(self._limit, self._room)
                self._room.left -= 1
            self._tries[key] = trie
            while len(self._tries) > 1 and self._room.left < trie.limit - trie.size:
                _, gone = self._tries.popitem(last=False)
                gone.room = Room(0)
                self._room.left += gone.size
            return trie

    def fresh(self) -> Trie:
        """A trie of the usual limit that is not kept, and so not counted."""
        return Trie(self._limit)
