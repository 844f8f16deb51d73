"""The seam's view of one server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from gateway.backends.vllm import chat, completions, pooling, scoring, tokens
from gateway.backends.vllm.client import Client, Headers, objects, parsed, whole
from gateway.backends.vllm.known import Known
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
NEEDS = {
    "structured_outputs": "structured_outputs",
    "its_aligned": "aligned",
    "logprob_token_ids": "logprob_token_ids",
    "prompt_logprobs": "prompt_logprobs",
    "continue_final_message": "continuation",
}
"""Fields that a server may pass over in silence, and what it must be able to do to heed them."""


class VLLMBackend:
    """One server at `base` (no `/v1`); its key goes nowhere else, and no redirect is followed.

    Dropping a call closes its connection, on which vLLM aborts the work.
    """

    def __init__(
        self,
        base: str,
        *,
        name: str,
        key: str | None = None,
        silence_seconds: float = 600.0,
        probing: bool = True,
        headers: Headers | None = None,
    ):
        self.name = name
        self._client = Client(base, name, key, silence_seconds, headers)
        self._known = Known(self._client, name, probing=probing)

    def capabilities(self, model: str) -> Capabilities:
        return self._known.of(model)

    async def models(self) -> list[str]:
        async with self._client.exchange("GET", "/v1/models", None) as response:
            body = parsed(await response.read())
        listed = [model for model in objects(body, "data") if "id" in model]
        # Others, whose every request may cost money, are probed when something depends on it.
        self._known.seen([str(m["id"]) for m in listed if m.get("owned_by") == "vllm"])
        return [str(model["id"]) for model in listed]

    def call(self, request: Call) -> AsyncGenerator[Event]:
        if not isinstance(request, Sample):
            return self._asked(request)
        return self._continued(request) if request.prefix else self._chat(request)

    async def _asked(self, request: Call) -> AsyncGenerator[Event]:
        ask = ASKS[type(request)]
        can = await self._known.sure(request.model)
        rows, usage = await ask(self._client, request, can)
        yield rows
        yield Spent(usage)

    def _check(self, request: Sample) -> None:
        """`Unsupported` names a field that this server cannot heed."""
        if NEEDS.keys().isdisjoint(request.fields):
            return
        can = self._known.of(request.model)
        for name, needed in NEEDS.items():
            if request.fields.get(name) and not getattr(can, needed):
                message = f"{name}: the server of {request.model} does not know it"
                raise Unsupported(message, param=name)

    async def _continuable(self, request: Sample) -> Sample:
        """`request` with its prefix as this server can continue it."""
        can = self._known.of(request.model)
        if can.continuation or isinstance(request.prefix, tuple):
            return request
        if not can.tokenize:
            raise Unsupported(f"the server of {request.model} cannot continue an answer")
        ids = await tokens.text_ids(self._client, request.model, request.prefix)
        return replace(request, prefix=tuple(ids))

    async def _continued(self, request: Sample) -> AsyncGenerator[Event]:
        """The continuation of a prefix."""
        self._check(request)
        request = await self._continuable(request)
        written = self._of_ids if isinstance(request.prefix, tuple) else self._chat
        async with aclosing(written(request)) as events:
            async for event in events:
                yield event

    async def _chat(self, request: Sample) -> AsyncGenerator[Event]:
        if not request.stream:
            for event in await self._answered(request):
                yield event
            return
        self._check(request)
        body = orjson.dumps(chat.body_of(request))
        async with (
            self._client.exchange("POST", chat.CHAT, body) as response,
            aclosing(chat.stream_events(response, request)) as events,
        ):
            async for event in events:
                yield event

    async def whole(self, request: Sample) -> list[Event]:
        if request.prefix:
            return [event async for event in self._continued(request)]
        return await self._answered(request)

    async def _answered(self, request: Sample) -> list[Event]:
        """The events of a chat that does not stream."""
        self._check(request)
        body = orjson.dumps(chat.body_of(request))
        async with self._client.exchange("POST", chat.CHAT, body) as response:
            return chat.whole_events(await whole(response), request)

    async def _of_ids(self, request: Sample) -> AsyncGenerator[Event]:
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
        await self._known.close()
        await self._client.close()
