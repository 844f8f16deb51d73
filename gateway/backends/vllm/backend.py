"""The seam's view of one server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import orjson

from gateway.backends.vllm import chat, completions, pooling, scoring, tokens
from gateway.backends.vllm.client import Client, objects, parsed, whole
from gateway.errors import Unsupported
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows
from gateway.types import Call, Capabilities, Event, Passthrough, Relayed, Sample, Spent, Usage

Ask = Callable[[Client, Any, Capabilities], Awaitable[tuple[Rows, Usage]]]
ASKS: dict[type, Ask] = {
    Probabilities: scoring.probabilities,
    Likelihood: scoring.likelihood,
    Pool: pooling.reward,
    Embed: pooling.embed,
}


class VLLMBackend:
    """One server at `base` (no `/v1`); its key goes nowhere else, and no redirect is followed.

    Dropping a call closes its connection, on which vLLM aborts the work.
    """

    def __init__(
        self, base: str, *, name: str, key: str | None = None, silence_seconds: float = 600.0
    ):
        self.name = name
        self._client = Client(base, name, key, silence_seconds)

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities()

    async def models(self) -> list[str]:
        async with self._client.exchange("GET", "/v1/models", None) as response:
            body = parsed(await response.read())
        return [str(model["id"]) for model in objects(body, "data") if "id" in model]

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        if not isinstance(request, Sample):
            ask = ASKS[type(request)]
            rows, usage = await ask(self._client, request, self.capabilities(request.model))
            yield rows
            yield Spent(usage)
            return
        written = self._continued if isinstance(request.prefix, tuple) else self._chat
        async with aclosing(written(request)) as events:
            async for event in events:
                yield event

    async def _chat(self, request: Sample) -> AsyncGenerator[Event]:
        body = orjson.dumps(chat.body_of(request))
        async with self._client.exchange("POST", chat.CHAT, body) as response:
            if not request.stream:
                for event in chat.whole_events(await whole(response), request):
                    yield event
                return
            async with aclosing(chat.stream_events(response, request)) as events:
                async for event in events:
                    yield event

    async def _continued(self, request: Sample) -> AsyncGenerator[Event]:
        """The continuation of a prefix given as token ids."""
        assert isinstance(request.prefix, tuple)
        if not self.capabilities(request.model).tokenize:
            raise Unsupported(f"{request.model}: its server cannot continue token ids")
        ids, holds = await tokens.room(
            self._client, request.model, request.messages, request.fields
        )
        prompt = (*(request.prompt_token_ids or ids), *request.prefix)
        body = orjson.dumps(completions.body_of(request, prompt, max(1, holds - len(prompt))))
        async with self._client.exchange("POST", completions.COMPLETIONS, body) as response:
            if not request.stream:
                told = await whole(response)
                for event in chat.whole_events(told, request, completions.as_chat, prompt):
                    yield event
                return
            chunks = chat.stream_events(response, request, completions.as_chunk, prompt)
            async with aclosing(chunks) as events:
                async for event in events:
                    yield event

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        async with self._client.exchange("POST", request.path, request.body) as response:
            yield Relayed(
                response.status,
                response.headers.get("content-type", "application/json"),
                self._client.translated(response.content.iter_any()),
            )

    async def close(self) -> None:
        await self._client.close()
