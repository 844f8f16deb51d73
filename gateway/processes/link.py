"""The supervisor's end of a worker's line, which never waits."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from gateway.processes.frames import Frames, Kind, framed

PORTION = 2**16


class Link:
    """Messages to and from one worker; what cannot be sent yet is kept until `flush` can."""

    def __init__(self, line: socket.socket):
        line.setblocking(False)
        self._line = line
        self._frames = Frames()
        self._unsent = bytearray()
        self.ended = False
        """Whether the worker has said its last."""

    def fileno(self) -> int:
        return self._line.fileno()

    @property
    def unsent(self) -> bool:
        """Whether `flush` has something to do once the line takes more."""
        return bool(self._unsent)

    def tell(self, kind: Kind, body: bytes = b"") -> None:
        self._unsent += framed(kind, body)
        self.flush()

    def flush(self) -> None:
        """Send what the line takes now; a worker that is gone is told nothing."""
        try:
            while self._unsent:
                del self._unsent[: self._line.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()

    def heard(self) -> Iterator[tuple[Kind, bytes]]:
        """All that the worker has said until now."""
        while True:
            try:
                data = self._line.recv(PORTION)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.ended = True
                return
            yield from self._frames.feed(data)

    def close(self) -> None:
        self._line.close()
