"""Server-sent events out of a byte stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from gateway.errors import UpstreamError

LONGEST_LINE = 16 * 2**20


async def data_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The payload of every `data:` line, whole, however the bytes were cut.

    `UpstreamError` where a line grows beyond 16 MiB.
    """
    rest = b""
    async for chunk in chunks:
        lines = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST_LINE:
            raise UpstreamError("an event in the upstream's stream has no end")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
