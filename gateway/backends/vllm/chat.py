"""Chat completions: a sample as a request's body, and the answer, whole or streamed, as events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import aiohttp

from gateway.assembly import Growing, candidate_from_choice, new_id
from gateway.backends.conversation import begun
from gateway.backends.sse import data_lines
from gateway.backends.vllm.aligned import translated
from gateway.backends.vllm.client import objects, parsed
from gateway.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from gateway.types import (
    Delta,
    Event,
    Finished,
    Json,
    Message,
    Sample,
    Spent,
    Usage,
)

CHAT = "/v1/chat/completions"
DRAIN_SECONDS = 0.2
KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "prompt_token_ids"})
"""Fields of an answer that the gateway has its own word on; the others come through."""
STREAM_OPTIONS = {"include_usage": True, "continuous_usage_stats": True}
View = Callable[[Json], Json]
"""A choice of another endpoint in the shape of a chat's, whole or in chunks."""


def same(choice: Json) -> Json:
    return choice


def body_of(request: Sample) -> Json:
    """The body of a chat completion."""
    fields = translated(request.fields)
    body: Json = {**fields, "model": request.model, "messages": request.messages}
    if request.n > 1:
        body["n"] = request.n
    if request.stream:
        body["stream"] = True
        body["stream_options"] = STREAM_OPTIONS
    if isinstance(request.prefix, str) and request.prefix:
        body |= continued(request.messages, request.prefix, request.fields)
    return body


def continued(messages: Sequence[Message], prefix: str, fields: Mapping[str, Any]) -> Json:
    """The fields by which an answer that begins with `prefix` is continued."""
    joined = bool(fields.get("continue_final_message"))
    return {
        "messages": begun(messages, prefix, joined=joined),
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


def whole_events(
    body: Json, request: Sample, view: View = same, prompt_ids: tuple[int, ...] = ()
) -> list[Event]:
    """The events of an answer that came in one piece; `prompt_ids` where the caller knows them."""
    choices = [view(choice) for choice in objects(body, "choices")]
    if not choices:
        raise UpstreamError("the upstream's answer has no choices")
    usage = usage_of(body.get("usage"))
    model = body.get("model") or request.model
    prompt_ids = prompt_ids or tuple(body.get("prompt_token_ids") or ())
    own = usage if len(choices) == 1 else None
    more: Json = {}
    if not body.keys() <= KNOWN:
        more = {key: value for key, value in body.items() if key not in KNOWN and value is not None}
    drawn = new_id()
    events: list[Event] = [
        Finished(
            index,
            candidate_from_choice(
                choice,
                model=model,
                prompt_token_ids=prompt_ids,
                usage=own,
                answer=more,
                id=f"{drawn}-{index}",
            ),
        )
        for index, choice in enumerate(choices)
    ]
    return [*events, Spent(usage)]


def usage_of(block: Mapping[str, Any] | None) -> Usage:
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


async def stream_events(
    response: aiohttp.ClientResponse,
    request: Sample,
    view: View = same,
    prompt_ids: tuple[int, ...] = (),
) -> AsyncGenerator[Event]:
    """The events of an answer that comes as a stream; `prompt_ids` where the caller knows them."""
    grown: defaultdict[int, Growing] = defaultdict(Growing)
    tokens: dict[int, int] = {}
    ended: set[int] = set()
    prompt_tokens = 0
    usage: Usage | None = None
    async with aclosing(data_lines(response.content.iter_any())) as lines:
        async for line in lines:
            if line == b"[DONE]":
                break
            chunk = parsed(line)
            if "error" in chunk:
                raise _stream_error(chunk)
            stated = chunk.get("usage")
            # Some upstreams put the final usage beside a choice that has ended.
            choices = _growing(chunk, view, ended)
            if not choices:
                usage = usage_of(stated) if stated else usage
                continue
            # The first chunk of a choice has them, where they were asked for.
            if not prompt_ids and "prompt_token_ids" in chunk:
                prompt_ids = tuple(chunk["prompt_token_ids"] or ())
            counted = None
            if stated:
                counted = stated.get("completion_tokens")
                prompt_tokens = stated.get("prompt_tokens") or prompt_tokens
            for choice in choices:
                index = choice.get("index", 0)
                grown[index].add(choice)
                # vLLM counts each choice in its own chunks; elsewhere a chunk counts as a token.
                so_far = tokens[index] = counted or tokens.get(index, 0) + 1
                yield Delta(index, choice, so_far, prompt_tokens)
                if choice.get("finish_reason"):
                    ended.add(index)
                    yield Finished(
                        index,
                        candidate_from_choice(
                            grown.pop(index).whole(),
                            model=chunk.get("model") or request.model,
                            prompt_token_ids=prompt_ids,
                            usage=Usage(prompt_tokens, tokens[index]),
                        ),
                    )
        else:
            raise UpstreamUnavailable("the upstream's stream ended early")
    if grown or not tokens:
        raise UpstreamUnavailable("the upstream's stream ended before its choices did")
    yield Spent(usage or Usage(prompt_tokens, sum(tokens.values())))
    await _drain(response)


def _growing(chunk: Json, view: View, ended: set[int]) -> list[Json]:
    """A chunk's choices, but for those that have ended."""
    choices = objects(chunk, "choices")
    if view is not same:
        choices = [view(choice) for choice in choices]
    if ended:
        choices = [choice for choice in choices if choice.get("index", 0) not in ended]
    return choices


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


def _stream_error(chunk: Json) -> UpstreamError:
    error = chunk["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 500:
        return UpstreamRejected(code, chunk)
    return UpstreamUnavailable("the upstream failed in the middle of its stream")
