"""Numbers about whole texts: rewards and vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.backends.vllm.chat import usage_of
from gateway.backends.vllm.client import Client, objects
from gateway.backends.vllm.tokens import conversation
from gateway.errors import Unsupported, UpstreamError
from gateway.inquiries import Embed, Pool, Rows
from gateway.types import Capabilities, Json, Message, Usage

Told = tuple[Rows, Usage]


async def reward(client: Client, request: Pool, can: Capabilities) -> Told:
    """By the first of `/pooling`, `/classify` and `/score` that the model's server has."""
    if can.pooling:
        return await _pooled(client, request, can)
    if can.classify:
        return await _one(client, "/classify", request, "probs")
    if can.score:
        asked, answer = _pair(request.messages)
        body = {"model": request.model, "text_1": asked, "text_2": answer}
        told = await client.post("/score", {**request.fields, **body})
        return Rows((_vector([_datum(told).get("score")]),)), usage_of(told.get("usage"))
    raise Unsupported(f"{request.model} is no reward model: its server does not pool")


async def embed(client: Client, request: Embed, can: Capabilities) -> Told:
    """By `/v1/embeddings`."""
    if not can.embed:
        raise Unsupported(f"{request.model}: its server does not embed")
    body = {"model": request.model, "input": list(request.texts)}
    told = await client.post("/v1/embeddings", body)
    data = objects(told, "data")
    if len(data) != len(request.texts):
        raise UpstreamError("the upstream embedded another number of texts")
    data.sort(key=lambda datum: datum.get("index", 0))
    rows = tuple(_vector(datum.get("embedding")) for datum in data)
    return Rows(rows), usage_of(told.get("usage"))


async def _pooled(client: Client, request: Pool, can: Capabilities) -> Told:
    body = {**request.fields, "model": request.model, "messages": request.messages}
    told = await client.post("/pooling", body)
    data = _datum(told).get("data")
    if not isinstance(data, list) or not data:
        raise UpstreamError("the upstream pooled nothing")
    usage = usage_of(told.get("usage"))
    if not isinstance(data[0], list):
        return Rows((_vector(data),)), usage
    rows = tuple(map(_vector, data))
    # A model that marks steps by a token of its own tells a row a step already.
    if not request.ends or len(rows) == len(request.ends):
        return Rows(rows), usage
    if not can.tokenize:
        raise Unsupported(f"{request.model}: its server cannot tell where a step ends")
    places = await asyncio.gather(*(_place(client, request, end) for end in request.ends))
    if max(places) >= len(rows):
        raise UpstreamError("the upstream pooled fewer tokens than the conversation has")
    return Rows(tuple(rows[place] for place in places)), usage


async def _place(client: Client, request: Pool, end: int) -> int:
    """The place of the token that completes the first `end` characters of the last message."""
    *before, last = request.messages
    cut = [*before, {**last, "content": str(last.get("content"))[:end]}]
    open_ended = {"continue_final_message": True, "add_generation_prompt": False}
    ids = await conversation(client, request.model, cut, {**request.fields, **open_ended})
    return len(ids) - 1


async def _one(client: Client, path: str, request: Pool, name: str) -> Told:
    body = {**request.fields, "model": request.model, "messages": request.messages}
    told = await client.post(path, body)
    return Rows((_vector(_datum(told).get(name)),)), usage_of(told.get("usage"))


def _pair(messages: Sequence[Message]) -> tuple[str, str]:
    """What was asked last, and the answer to it: all that a cross-encoder reads."""
    texts = [
        str(m.get("content") or "") for m in messages if m.get("role") in ("user", "assistant")
    ]
    if len(texts) < 2:
        raise Unsupported("this reward model reads a question and its answer")
    return texts[-2], texts[-1]


def _datum(told: Json) -> Json:
    return next(iter(objects(told, "data")), {})


def _vector(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
        raise UpstreamError("the upstream's answer is no list of numbers")
    return tuple(map(float, values))
