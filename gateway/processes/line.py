"""A worker's end of what it shares with its supervisor."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from gateway.errors import StateUnavailable
from gateway.processes.frames import Frames, Kind, framed

PAGE_SECONDS = 5.0
GOODBYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given: its number, from 1, the socket to listen on, its line.

    `fresh` says that it is one of the first, not a replacement; `created` is when all began.
    """

    number: int
    listener: socket.socket
    line: socket.socket
    fresh: bool
    created: int


class Line(asyncio.Protocol):
    """Answers the supervisor's questions by `count`, given a question's number.

    `stop` is called when the supervisor wants an end, or has come to one: True for at once.
    """

    def __init__(self, count: Callable[[int], bytes], stop: Callable[[bool], None]):
        self._count = count
        self._stop = stop
        self._frames = Frames()
        self._transport: asyncio.WriteTransport | None = None
        self._askers: deque[asyncio.Future[bytes]] = deque()
        self._lost = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, line: socket.socket, count: Callable[[int], bytes], stop: Callable[[bool], None]
    ) -> Line:
        """The line over a socket that is connected to the supervisor."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_unix_connection(lambda: cls(count, stop), sock=line)
        return protocol

    async def page(self) -> bytes:
        """The metrics of all workers; `StateUnavailable` where the supervisor does not answer."""
        asker: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self.tell(Kind.PAGE)
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                return await asker
        except TimeoutError:
            raise StateUnavailable("the workers' supervisor does not answer") from None

    def tell(self, kind: Kind, body: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(framed(kind, body))

    async def goodbye(self) -> None:
        """Tell what was counted, for the last time."""
        self.tell(Kind.COUNTED, self._count(0))
        if self._transport is not None:
            self._transport.close()
            await asyncio.wait([self._lost], timeout=GOODBYE_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        for kind, body in self._frames.feed(data):
            if kind is Kind.COUNT:
                self.tell(Kind.COUNTED, self._count(int(body)))
            elif kind is Kind.NOW:
                self._stop(True)
            elif kind is Kind.PAGE:
                asker = self._askers.popleft()
                if not asker.done():
                    asker.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lost.set_result(None)
        for asker in self._askers:
            if not asker.done():
                asker.set_exception(StateUnavailable("the workers' supervisor is gone"))
        self._stop(False)
