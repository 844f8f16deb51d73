"""What a supervisor and its workers say to each other: a kind, a length, a body (pure)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

HEAD = struct.Struct("!BI")


class Kind(IntEnum):
    """What a message is for."""

    READY = 1
    """A worker: it serves."""
    LEAVING = 2
    """A worker: it drains; its place is free for another."""
    COUNT = 3
    """The supervisor: tell what you counted. The body is the question's number, or 0."""
    COUNTED = 4
    """A worker: what it counted, as `pages.Told`."""
    PAGE = 5
    """A worker: it wants the metrics of all; the supervisor: here they are, as a page."""
    NOW = 6
    """The supervisor: wait for no request any more."""


def framed(kind: Kind, body: bytes = b"") -> bytes:
    """The message as it is sent."""
    return HEAD.pack(kind, len(body)) + body


class Frames:
    """Messages out of what was received, in parts of any size."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The messages that are whole now."""
        self._received += data
        while len(self._received) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._received)
            end = HEAD.size + length
            if len(self._received) < end:
                return
            body = bytes(self._received[HEAD.size : end])
            del self._received[:end]
            yield Kind(kind), body
