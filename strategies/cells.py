"""Which prompts are alike: a cell for each, by an embedding or by a sketch of its n-grams."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

BITS = 6
"""Of a cell: as many hyperplanes part prompts from one another (Charikar 2002, section 3)."""
GRAM = 4
"""Characters of a gram."""
MOST = 20_000
"""Characters of a prompt that are looked at."""
SKETCHED = 32
"""Bits of a sketch, the first of which name its cell."""


def prompt_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation's text; of contents in parts, their texts."""
    return "\n".join(f"{each.get('role', '')}: {_text(each.get('content'))}" for each in messages)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "\n".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))


def named(prompt: str) -> str:
    """A name for exactly this prompt."""
    return blake2b(prompt.encode(errors="replace"), digest_size=12).hexdigest()


def embedded(vector: Sequence[float]) -> str:
    """The cell of an embedding: on which side of each hyperplane it lies."""
    planes = _planes(len(vector))
    sides = [sum(map(float.__mul__, plane, map(float, vector))) > 0 for plane in planes]
    return "e" + "".join("1" if side else "0" for side in sides)


def sketched(prompt: str) -> str:
    """The cell of a text: the signs of the sums of its grams' hashed signs (SimHash).

    Case, spaces and digits count for nothing: the same question about other numbers is as hard.
    """
    sums = [0] * SKETCHED
    for gram in _grams(prompt):
        digest = int.from_bytes(blake2b(gram.encode(errors="replace"), digest_size=4).digest())
        for bit in range(SKETCHED):
            sums[bit] += 1 if digest >> bit & 1 else -1
    return "s" + "".join("1" if each > 0 else "0" for each in sums[:BITS])


def _grams(prompt: str) -> Iterator[str]:
    text = unicodedata.normalize("NFKC", prompt[:MOST]).casefold()
    text = " ".join(re.sub(r"\d+", "0", text).split())
    yield from (text[place : place + GRAM] for place in range(max(1, len(text) - GRAM + 1)))


@lru_cache(maxsize=8)
def _planes(size: int) -> list[list[float]]:
    """The same hyperplanes in every process."""
    normal = random.Random(size)
    return [[normal.gauss(0, 1) for _ in range(size)] for _ in range(BITS)]
