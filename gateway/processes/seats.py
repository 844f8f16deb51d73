"""Where workers belong, and when one that ended is to be replaced."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from gateway.processes.link import Link

SETTLED_SECONDS = 10.0
"""A worker that ends sooner than so long after its start ended at once."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Before one that ended at once for the second time in a row is replaced, and so on, doubled."""


@dataclass(slots=True)
class Seat:
    """A worker's place. `due` is when one is to be started, None while there is one.

    Before a pause there is no listener any more, so that no connection waits for its end.
    """

    number: int
    listener: socket.socket | None
    due: float | None = 0.0
    failures: int = 0
    fresh: bool = True

    def failed(self, now: float) -> float:
        """Who was here ended at once again; the pause in seconds until there is another."""
        self.failures += 1
        pause = 0.0
        if self.failures > 1:
            pause = min(FIRST_PAUSE * 2 ** min(self.failures - 2, 10), LONGEST_PAUSE)
            if self.listener is not None:
                self.listener.close()
                self.listener = None
        self.due = now + pause
        return pause


@dataclass(slots=True)
class Worker:
    """One that runs; `heard` is when it last said something, at first when it was started."""

    pid: int
    seat: Seat
    link: Link
    started: float
    heard: float
    asked: float
    ready: bool = False
    leaving: bool = False

    def settled(self, now: float) -> bool:
        """Whether its end, now, says nothing of how its successor will fare."""
        return self.ready and now - self.started > SETTLED_SECONDS
