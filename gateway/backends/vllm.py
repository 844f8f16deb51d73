"""A vLLM server, or anything that speaks its dialect of OpenAI's API, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from gateway.assembly import candidate_from_choice, join_chunks
from gateway.backends.sse import data_lines
from gateway.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.types import (
    Capabilities,
    Delta,
    Event,
    Finished,
    Json,
    Passthrough,
    Relayed,
    Sample,
    Spent,
    Usage,
)

CHAT = "/v1/chat/completions"
DRAIN_SECONDS = 0.2
KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "prompt_token_ids"})
"""Fields of an answer that the gateway has its own word on; the others come through."""
STREAM_OPTIONS = {"include_usage": True, "continuous_usage_stats": True}


class VLLMBackend:
    """One server at `base` (no `/v1`); its key goes nowhere else, and no redirect is followed.

    One HTTP client is kept for its lifetime. Dropping a call closes its connection, on which vLLM
    aborts the work.
    """

    capabilities = Capabilities()

    def __init__(
        self, base: str, *, name: str, key: str | None = None, silence_seconds: float = 600.0
    ):
        self.name = name
        self._base = base
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=5.0, sock_read=silence_seconds
        )
        self._client: aiohttp.ClientSession | None = None

    async def models(self) -> list[str]:
        async with self._exchange("GET", "/v1/models", None) as response:
            body = _json(await response.read())
        return [str(model["id"]) for model in _objects(body, "data") if "id" in model]

    async def call(self, request: Sample) -> AsyncGenerator[Event]:
        body = orjson.dumps(_body(request))
        async with self._exchange("POST", CHAT, body) as response:
            if not request.stream:
                for event in _whole(_json(await response.read()), request):
                    yield event
                return
            async with aclosing(_events(response, request)) as events:
                async for event in events:
                    yield event

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        async with self._exchange("POST", request.path, request.body) as response:
            yield Relayed(
                response.status,
                response.headers.get("content-type", "application/json"),
                self._translated(response.content.iter_any()),
            )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, body: bytes | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response below 400; leaving the context before its end closes the connection."""
        if self._client is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
            # DummyCookieJar: nothing that one client's answer sets may reach another's request.
            self._client = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        url = self._base + path
        try:
            async with self._client.request(
                method, url, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                if response.status >= 300:
                    raise await self._refusal(response)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def _translated(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> UpstreamUnavailable:
        # The error's own text names addresses, which are not the client's business.
        return UpstreamUnavailable(f"backend {self.name} is unavailable: {type(error).__name__}")

    async def _refusal(self, response: aiohttp.ClientResponse) -> UpstreamError:
        """A 4xx is the client's, with the upstream's words; all else is the upstream's failure."""
        status = response.status
        if status in (401, 403) or not 400 <= status < 500:
            return UpstreamUnavailable(f"backend {self.name} answered {status}")
        try:
            body = orjson.loads(await response.read())
        except orjson.JSONDecodeError:
            body = {}
        error = UpstreamRejected(status, body if isinstance(body, dict) else {})
        if "retry-after" in response.headers:
            error.headers["retry-after"] = response.headers["retry-after"]
        return error


def _body(request: Sample) -> Json:
    body: Json = {**request.fields, "model": request.model, "messages": request.messages}
    if request.n > 1:
        body["n"] = request.n
    if request.stream:
        body["stream"] = True
        body["stream_options"] = STREAM_OPTIONS
    if request.prefix:
        answer = {"role": "assistant", "content": request.prefix}
        body["messages"] = [*request.messages, answer]
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    return body


def _json(body: bytes) -> Json:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamError("the upstream's answer is not JSON") from None
    if not isinstance(parsed, dict):
        raise UpstreamError("the upstream's answer is not a JSON object")
    return parsed


def _objects(body: Json, name: str) -> list[Json]:
    """The list of objects under `name`, empty where there is none."""
    listed = body.get(name) or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise UpstreamError(f"the upstream's answer has malformed {name}")
    return listed


def _whole(body: Json, request: Sample) -> list[Event]:
    """The events of an answer that came in one piece."""
    choices = _objects(body, "choices")
    if not choices:
        raise UpstreamError("the upstream's answer has no choices")
    usage = _usage(body.get("usage"))
    model = body.get("model") or request.model
    prompt_ids = tuple(body.get("prompt_token_ids") or ())
    own = usage if len(choices) == 1 else None
    more = {key: value for key, value in body.items() if key not in KNOWN and value is not None}
    events: list[Event] = [
        Finished(
            index,
            candidate_from_choice(
                choice, model=model, prompt_token_ids=prompt_ids, usage=own, answer=more
            ),
        )
        for index, choice in enumerate(choices)
    ]
    return [*events, Spent(usage)]


def _usage(block: Mapping[str, Any] | None) -> Usage:
    if not block:
        return Usage()
    prompt = block.get("prompt_tokens_details") or {}
    completion = block.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=block.get("prompt_tokens") or 0,
        completion_tokens=block.get("completion_tokens") or 0,
        cached_tokens=prompt.get("cached_tokens") or 0,
        reasoning_tokens=completion.get("reasoning_tokens") or 0,
    )


async def _events(response: aiohttp.ClientResponse, request: Sample) -> AsyncGenerator[Event]:
    grown: dict[int, list[Json]] = {}
    tokens: dict[int, int] = {}
    ended: set[int] = set()
    prompt_tokens = 0
    usage: Usage | None = None
    async with aclosing(data_lines(response.content.iter_any())) as lines:
        async for line in lines:
            if line == b"[DONE]":
                break
            chunk = _json(line)
            if "error" in chunk:
                raise _stream_error(chunk)
            stated = chunk.get("usage")
            # Some upstreams put the final usage beside a choice that has ended.
            choices = [c for c in _objects(chunk, "choices") if c.get("index", 0) not in ended]
            if not choices:
                usage = _usage(stated) if stated else usage
                continue
            for choice in choices:
                index = choice.get("index", 0)
                grown.setdefault(index, []).append(choice)
                # vLLM counts each choice in its own chunks; elsewhere a chunk counts as a token.
                counted = (stated or {}).get("completion_tokens")
                tokens[index] = counted or tokens.get(index, 0) + 1
                prompt_tokens = (stated or {}).get("prompt_tokens") or prompt_tokens
                yield Delta(index, choice, tokens[index], prompt_tokens)
                if choice.get("finish_reason"):
                    ended.add(index)
                    own = Usage(prompt_tokens, tokens[index])
                    yield Finished(index, _joined(grown.pop(index), chunk, request, own))
        else:
            raise UpstreamUnavailable("the upstream's stream ended early")
    if grown or not tokens:
        raise UpstreamUnavailable("the upstream's stream ended before its choices did")
    yield Spent(usage or Usage(prompt_tokens, sum(tokens.values())))
    await _drain(response)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read past `[DONE]` to the body's end, which is all but there, so that the connection is kept.

    One that does not end soon is closed instead.
    """
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not response.content.at_eof():
                await response.content.readany()
    except (aiohttp.ClientError, TimeoutError):
        response.close()


def _joined(choices: list[Json], chunk: Json, request: Sample, usage: Usage) -> Any:
    model = chunk.get("model") or request.model
    return candidate_from_choice(join_chunks(choices), model=model, usage=usage)


def _stream_error(chunk: Json) -> UpstreamError:
    error = chunk["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 500:
        return UpstreamRejected(code, chunk)
    return UpstreamUnavailable("the upstream failed in the middle of its stream")
