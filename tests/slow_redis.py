"""A Redis that is slow to answer: what it is asked for it does at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class SlowRedis:
    """Passes all on to the server on `to`, and its answers back `seconds` later.

    With `open` unset nobody can connect, and who was connected is not any more.
    """

    to: int
    seconds: float = 0.0
    open: bool = True
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """As where the network is gone, while the server goes on."""
        self.open = False
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if not self.open:
            writer.transport.abort()
            return
        back, there = await asyncio.open_connection("127.0.0.1", self.to)
        self._writers.add(writer)
        answers: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def ask() -> None:
            while asked := await reader.read(65536):
                there.write(asked)

        async def hear() -> None:
            while answer := await back.read(65536):
                answers.put_nowait((loop.time() + self.seconds, answer))

        async def tell() -> None:
            while True:
                due, answer = await answers.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                writer.write(answer)

        work = [asyncio.create_task(each()) for each in (ask, hear, tell)]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self._writers.discard(writer)
            for each in (writer, there):
                each.close()


@asynccontextmanager
async def slow_redis(port: int) -> AsyncIterator[SlowRedis]:
    """In front of the server on `port`."""
    slow = SlowRedis(port)
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    slow.port = server.sockets[0].getsockname()[1]
    async with server:
        yield slow
