"""ASGI below the routes: bounded bodies, request ids, and clients that hang up."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cached_property
from typing import Any

import orjson
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError, HeadersTooLarge, InvalidRequest, PayloadTooLarge
from gateway.openai import error_event
from gateway.types import Relayed

WATCHED_AFTER = 0.05
"""Seconds until somebody looks whether the client has hung up."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Asked(Request):
    """A request whose headers are a dictionary; of two with one name the first counts.

    They are looked at a dozen times, and at each Starlette's would go through all of them.
    """

    @cached_property
    def headers(self) -> dict[str, str]:  # type: ignore[override]
        raw = reversed(self.scope["headers"])
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


def request_id(headers: Mapping[str, str]) -> str:
    """The client's own `x-request-id` where it is a sane one, else a fresh one."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def check_headers(scope: Scope, limit: int) -> None:
    """`HeadersTooLarge` where names and values together are over `limit` bytes."""
    if sum([len(name) + len(value) for name, value in scope["headers"]]) > limit:
        raise HeadersTooLarge(f"request headers are over {limit} bytes")


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body; `PayloadTooLarge` as soon as it is known to be over `limit` bytes."""
    headers = request.headers
    stated = headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > limit:
        raise _too_large(limit)
    if headers.get("content-encoding", "identity") != "identity":
        raise InvalidRequest("compressed request bodies are not read", param="content-encoding")
    # Not by `request.stream()`, which is a generator too many for a body that is mostly there.
    parts, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    return b"".join(parts)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the request body is over {limit} bytes")


def error_response(error: GatewayError, headers: Mapping[str, str]) -> Response:
    """The error in OpenAI's shape, under its status."""
    return Response(
        orjson.dumps(error.body()),
        error.status,
        {**headers, **error.headers, "content-type": "application/json"},
    )


async def unless_gone(receive: Receive, work: Awaitable[None]) -> bool:
    """Do `work`, or cancel it, and await its end, if the client hangs up first: then False.

    The request's body must have been read, so that nothing but the hang-up can be received.
    """
    working = asyncio.current_task()
    assert working is not None
    watch = _Watch(receive, working)
    try:
        await work
    except asyncio.CancelledError:
        # Only a cancellation that came from the watcher is ours to end here.
        if watch.is_gone and working.uncancel() == 0:
            return False
        raise
    finally:
        watch.end()
    return True


class _Watch:
    """Cancels `working` once the client has hung up.

    It begins a little later, when the request has gone to the upstream: that does not wait for it.
    """

    def __init__(self, receive: Receive, working: asyncio.Task[Any]):
        self._receive = receive
        self._working = working
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCHED_AFTER, self._begin)

    @property
    def is_gone(self) -> bool:
        return self._task is not None and self._task.done() and not self._task.cancelled()

    def end(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(_gone(self._receive))
        self._task.add_done_callback(self._look)

    def _look(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._working.cancel()


async def _gone(receive: Receive) -> None:
    message: Message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


Whole = Callable[[], Awaitable[tuple[bytes, dict[str, str]]]]
Events = Callable[[], AsyncGenerator[bytes]]


class Made(Response):
    """A response whose making is part of sending it, so that a hang-up cancels it at once.

    A `GatewayError` raised before anything was sent becomes the response.
    """

    def __init__(self, headers: Mapping[str, str]):
        self.background = None
        self.own_headers = headers

    async def make(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await unless_gone(receive, self._answer(scope, receive, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.make(scope, receive, send)
        except GatewayError as error:
            await error_response(error, self.own_headers)(scope, receive, send)

    async def start(self, send: Send, status: int, headers: Mapping[str, str]) -> None:
        """Begin the response."""
        names = {**self.own_headers, **headers}.items()
        raw = [(name.encode(), value.encode("latin-1")) for name, value in names]
        await send({"type": "http.response.start", "status": status, "headers": raw})


class Answering(Made):
    """A JSON body and its headers, once `whole` has them; `sent` is called after the sending."""

    def __init__(self, whole: Whole, headers: Mapping[str, str], sent: Callable[[], None]):
        super().__init__(headers)
        self._whole = whole
        self._sent = sent

    async def make(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, headers = await self._whole()
            length = {"content-type": "application/json", "content-length": str(len(body))}
            await self.start(send, 200, {**headers, **length})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        finally:
            self._sent()


class Streaming(Made):
    """An event stream; its status is sent with the first event, and `told` as it is then."""

    def __init__(
        self, events: Events, headers: Mapping[str, str], told: Mapping[str, str] | None = None
    ):
        super().__init__(headers)
        self._events = events
        self._told = told

    async def make(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events()) as events:
            first = await anext(events)
            await self.start(send, 200, {**EVENT_STREAM, **(self._told or {})})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Relaying(Made):
    """An upstream's own answer, as it arrives."""

    def __init__(
        self, relay: Callable[[], AbstractAsyncContextManager[Relayed]], headers: Mapping[str, str]
    ):
        super().__init__(headers)
        self._relay = relay

    async def make(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._relay() as relayed:
            await self.start(send, relayed.status, {"content-type": relayed.content_type})
            last = b""
            try:
                async for chunk in relayed.chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except GatewayError as error:
                if not relayed.content_type.startswith("text/event-stream"):
                    # The status is out; only a body that does not end tells of the failure.
                    raise ConnectionAbortedError(error.message) from error
                last = error_event(error)
        await send({"type": "http.response.body", "body": last, "more_body": False})
