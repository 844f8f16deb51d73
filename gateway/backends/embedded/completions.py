"""OpenAI's older endpoint, `/v1/completions`, on the embedded model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

import orjson

from gateway.backends.embedded.draft import Draft, Grown
from gateway.backends.embedded.likelihood import named, prompt_logprobs
from gateway.backends.embedded.params import TextParams, parse, rejected
from gateway.backends.embedded.runtime import Runtime
from gateway.backends.embedded.sampler import TokenLogprob
from gateway.types import Json, Relayed


@asynccontextmanager
async def complete(runtime: Runtime, body: bytes, model: str) -> AsyncIterator[Relayed]:
    """Answer a body of `/v1/completions`; leaving the context aborts it."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise rejected(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise rejected("the body must be an object")
    params = parse(TextParams, fields)
    if params.stream and params.prompt_logprobs is not None:
        raise rejected("prompt_logprobs: not with stream", param="prompt_logprobs")
    if params.echo:
        raise rejected("echo: not supported by this model", param="echo")
    drafts = _drafts(runtime, params)
    head: Json = {
        "id": f"cmpl-{uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
    }
    if params.stream:
        async with aclosing(_streamed(runtime, drafts, params, head)) as chunks:
            yield Relayed(200, "text/event-stream", chunks)
    else:
        body = await _whole(runtime, drafts, params, head)
        yield Relayed(200, "application/json", _once(body))


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


def _drafts(runtime: Runtime, params: TextParams) -> list[Draft]:
    """`n` drafts of each prompt, which share one inbox."""
    drafts: list[Draft] = []
    for prompt in _prompts(runtime, params.prompt):
        drafts += runtime.drafts(
            prompt,
            params,
            n=params.n,
            alternatives=params.logprobs,
            stream=params.stream,
            param="prompt",
        )
    for index, draft in enumerate(drafts):
        draft.index, draft.inbox = index, drafts[0].inbox
    return drafts


def _prompts(
    runtime: Runtime, prompt: str | Sequence[int] | Sequence[str] | Sequence[Sequence[int]]
) -> list[list[int]]:
    """All prompts as token ids."""
    if isinstance(prompt, str):
        return [runtime.chat.encode(prompt)]
    if not prompt:
        raise rejected("prompt: at least one is needed", param="prompt")
    if isinstance(prompt[0], int):
        prompt = [[token for token in prompt if isinstance(token, int)]]
    prompts: list[list[int]] = []
    for item in prompt:
        ids = runtime.chat.encode(item) if isinstance(item, str) else _ids(item)
        if max(ids, default=0) >= runtime.model.config.vocab:
            raise rejected("prompt: a token is not in the vocabulary", param="prompt")
        prompts.append(ids)
    return prompts


def _ids(item: int | Sequence[int]) -> list[int]:
    return [item] if isinstance(item, int) else list(item)


async def _whole(
    runtime: Runtime, drafts: Sequence[Draft], params: TextParams, head: Json
) -> bytes:
    async with aclosing(runtime.grow(drafts)) as growing:
        async for _ in growing:
            pass
    scored = await _scored(runtime, drafts[:: params.n], params.prompt_logprobs)
    choices = [
        {
            "index": draft.index,
            "text": "".join(draft.said),
            "logprobs": _logprobs(draft, draft.logprobs, runtime.chat.names),
            "finish_reason": draft.finish,
            **({"token_ids": draft.tokens} if params.return_token_ids else {}),
            **scored[draft.index // params.n],
        }
        for draft in drafts
    ]
    return orjson.dumps({**head, "choices": choices, "usage": _usage(drafts, params.n)})


async def _scored(
    runtime: Runtime, firsts: Sequence[Draft], alternatives: int | None
) -> list[Json]:
    """What is said of each prompt itself, if that was asked for."""
    if alternatives is None:
        return [{}] * len(firsts)
    # Beside the engine, which stays free for others: a model's weights are only ever read.
    tables = [
        await asyncio.to_thread(prompt_logprobs, runtime.model, draft.prompt, alternatives)
        for draft in firsts
    ]
    return [{"prompt_logprobs": named(table, runtime.chat.names)} for table in tables]


async def _streamed(
    runtime: Runtime, drafts: Sequence[Draft], params: TextParams, head: Json
) -> AsyncGenerator[bytes]:
    async with aclosing(runtime.grow(drafts)) as growing:
        async for grown in growing:
            yield _event({**head, "choices": [_chunk(grown, runtime.chat.names)]})
    if params.stream_options.get("include_usage"):
        yield _event({**head, "choices": [], "usage": _usage(drafts, params.n)})
    yield b"data: [DONE]\n\n"


def _chunk(grown: Grown, names: Sequence[bytes]) -> Json:
    return {
        "index": grown.draft.index,
        "text": grown.text,
        "logprobs": _logprobs(grown.draft, grown.logprobs, names),
        "finish_reason": grown.finish,
    }


def _event(content: Json) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


def _usage(drafts: Sequence[Draft], n: int) -> Json:
    """Each prompt counts once, however many candidates it has."""
    prompt = sum(len(draft.prompt) for draft in drafts[::n])
    completion = sum(len(draft.tokens) for draft in drafts)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _logprobs(draft: Draft, entries: Sequence[TokenLogprob], names: Sequence[bytes]) -> Json | None:
    """This endpoint's own shape: lists side by side."""
    if draft.alternatives is None:
        return None
    said = [names[entry.token].decode(errors="replace") for entry in entries]
    return {
        "tokens": said,
        "token_logprobs": [entry.logprob for entry in entries],
        "top_logprobs": [
            {names[token].decode(errors="replace"): value for token, value in entry.top}
            for entry in entries
        ],
        "text_offset": [sum(map(len, said[:i])) for i in range(len(said))],
    }
