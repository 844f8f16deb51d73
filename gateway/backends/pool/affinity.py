"""Calls that share a prompt's beginning get one key, and a key one order of replicas (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

BEGINNING = 512
"""Bytes of a relayed body that count: what comes later grows from turn to turn."""


def key_of(request: object) -> bytes | None:
    """16 bytes that all candidates of a prompt and all turns of a conversation share, or None.

    A conversation is known by its model and its messages up to the first of the user's; a relayed
    body by how it begins.
    """
    body = getattr(request, "body", None)
    if isinstance(body, bytes):
        return _digest(body[:BEGINNING])
    messages = getattr(request, "messages", None)
    if not messages:
        return None
    return _digest(orjson.dumps([getattr(request, "model", ""), *_opening(messages)], default=str))


def _opening(messages: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for message in messages:
        yield message
        if message.get("role") == "user":
            return


def preference(key: bytes, places: Iterable[str]) -> list[str]:
    """The places, most preferred first: rendezvous hashing (Thaler and Ravishankar, 1998).

    Taking a place away moves only the keys that preferred it.
    """
    return sorted(places, key=lambda place: (_digest(place.encode(), key), place), reverse=True)


def _digest(content: bytes, key: bytes = b"") -> bytes:
    return hashlib.blake2b(content, digest_size=16, key=key).digest()
