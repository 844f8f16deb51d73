"""A guard on what a request costs: bytecode instructions, which no busy machine changes.

The bounds lie a tenth over what was counted when they were last set; a change that needs more
should say why, and one that needs less should lower them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import orjson
import pytest

from gateway.backends.vllm import VLLMBackend
from tests.conftest import Serve

OWN = (__file__, "/asyncio/", "/selectors.py", "/contextlib.py")
"""Files that do not count: this one, and the event loop, which a server does not run in Python."""
EVENT = (
    'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"mock","choices":'
    '[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":%s}]}\n\n'
)


class Upstream(asyncio.Protocol):
    """Answers every request at once: one model, n choices, or a stream of 50 events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not blank or len(body) < int(length or 0):
            return
        self._received = b""
        asked = orjson.loads(body) if body else {}
        if asked.get("stream"):
            self._stream()
        else:
            self._whole(_answer(asked.get("n") or 1) if asked else _models())

    def _whole(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        self._transport.write(head.encode() + b"\r\n\r\n" + body)

    def _stream(self) -> None:
        events = [EVENT % "null"] * 49 + [EVENT % '"stop"', "data: [DONE]\n\n"]
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
        chunks = "".join(f"{len(event):x}\r\n{event}\r\n" for event in events)
        self._transport.write(f"{head}\r\n\r\n{chunks}0\r\n\r\n".encode())


def _models() -> bytes:
    return orjson.dumps({"object": "list", "data": [{"id": "mock", "object": "model"}]})


def _answer(n: int) -> bytes:
    message = {"role": "assistant", "content": "12 + 30 = 42\nThe answer is: 42"}
    choice = {"message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 32, "completion_tokens": 40 * n, "total_tokens": 32 + 40 * n}
    choices = [{"index": index, **choice} for index in range(n)]
    whole = {"id": "a", "object": "chat.completion", "created": 1, "model": "mock"}
    return orjson.dumps({**whole, "choices": choices, "usage": usage})


@contextmanager
def _counting() -> Iterator[list[int]]:
    """Counts the instructions of every frame entered meanwhile, but for those of `OWN`."""
    count = [0]

    def instruction(frame: FrameType, event: str, argument: object) -> Any:
        count[0] += event == "opcode"
        return instruction

    def entered(frame: FrameType, event: str, argument: object) -> Any:
        if any(own in frame.f_code.co_filename for own in OWN):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return instruction

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield count
    finally:
        sys.settrace(before)


async def _ask(port: int, body: dict[str, Any], wrap: Callable[[Awaitable[None]], Any]) -> None:
    """Ask once on a connection of its own; `wrap` awaits what comes after it is connected."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = orjson.dumps(body)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer sk-a\r\n"
        f"content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    )

    async def exchange() -> None:
        writer.write(head.encode() + sent)
        told = await reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200"), told
        if b"chunked" in told:
            await reader.readuntil(b"0\r\n\r\n")
        else:
            length = told.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))

    await wrap(exchange())
    writer.close()
    await writer.wait_closed()


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11),
    reason="another Python has other instructions: bounds are 3.11's",
)
@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({}, 13_200),
        ({"n": 8}, 17_000),
        ({"stream": True}, 62_500),
        ({"its": {"strategy": "best_of_n", "budget": 8, "verifier": "agreement"}}, 28_600),
    ],
    ids=["whole", "n8", "stream", "best_of_n"],
)
async def test_a_request_costs_no_more_instructions(
    serve: Serve, body: dict[str, Any], most: int
) -> None:
    upstream = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    behind = upstream.sockets[0].getsockname()[1]
    served = await serve(VLLMBackend(f"http://127.0.0.1:{behind}", name="mock"), api_key=("sk-a",))
    port = int(served.url.rpartition(":")[2])
    whole = {"model": "mock", "messages": [{"role": "user", "content": "What is 12 + 30?"}], **body}
    counts: list[int] = []

    async def counted(work: Awaitable[None]) -> None:
        with _counting() as count:
            await work
        counts.append(count[0])

    for _ in range(10):
        await _ask(port, whole, counted)
    upstream.close()
    # Later requests find everything warm, and no health check beside one of them.
    assert min(counts) < most, counts
