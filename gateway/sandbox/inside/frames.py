"""JSON documents over a stream socket, each behind its length."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 8 << 20
"""Bytes of one document; a process that says more is not listened to."""


class Gone(BaseException):
    """The other side ended, or stopped making sense. Nothing that tests catch should catch it."""


class Frames:
    """Documents to and from file descriptor `fd`."""

    def __init__(self, fd: int):
        self._fd = fd

    def send(self, document: Any) -> None:
        """ValueError where the document is too long or is no JSON; `Gone` where nobody reads."""
        data = json.dumps(document, separators=(",", ":"), check_circular=False).encode()
        if len(data) > LONGEST:
            raise ValueError("too large to be passed on")
        whole = memoryview(len(data).to_bytes(4, "big") + data)
        try:
            while whole:
                whole = whole[os.write(self._fd, whole) :]
        except OSError as error:
            raise Gone(str(error)) from None

    def receive(self) -> Any:
        """The next document; `Gone` where there is none."""
        length = int.from_bytes(self._read(4), "big")
        if length > LONGEST:
            raise Gone("a message that is too long")
        try:
            return json.loads(self._read(length))
        except (ValueError, RecursionError):
            raise Gone("a message that is no JSON") from None

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = os.read(self._fd, min(size, 1 << 16))
            except OSError:
                part = b""
            if not part:
                raise Gone("the other side ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
