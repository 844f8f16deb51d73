"""`/v1/completions` on the embedded model."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.backends.embedded import EmbeddedBackend
from gateway.errors import UpstreamRejected
from gateway.types import Passthrough

PATH = "/v1/completions"


async def post(backend: EmbeddedBackend, path: str = PATH, **fields: Any) -> tuple[str, bytes]:
    body = orjson.dumps({"model": "its-demo", **fields})
    async with backend.relay(Passthrough(path, body, "its-demo")) as relayed:
        assert relayed.status == 200
        return relayed.content_type, b"".join([chunk async for chunk in relayed.chunks])


async def test_prompts_as_text_and_as_ids(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"seed": 1, "max_tokens": 8, "logprobs": 2, "n": 2}
    kind, body = await post(backend, prompt="12 + 30 = ", **fields)
    answer = orjson.loads(body)
    assert kind == "application/json"
    assert [c["index"] for c in answer["choices"]] == [0, 1]
    tokens = answer["choices"][0]["logprobs"]["tokens"]
    assert "".join(tokens).startswith(answer["choices"][0]["text"])
    prompt = backend._runtime.chat.encode("12 + 30 = ")
    _, again = await post(backend, prompt=[prompt, prompt], **fields)
    twice = orjson.loads(again)
    texts = [c["text"] for c in answer["choices"]]
    assert [c["text"] for c in twice["choices"]] == texts * 2
    assert (
        twice["usage"]["prompt_tokens"] == 2 * answer["usage"]["prompt_tokens"] == 2 * len(prompt)
    )


async def test_streaming_says_the_same(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"seed": 4, "max_tokens": 20, "prompt": "12 + 30 = "}
    _, whole = await post(backend, **fields)
    kind, body = await post(backend, stream=True, stream_options={"include_usage": True}, **fields)
    assert kind == "text/event-stream"
    events = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line]
    assert events[-1] == b"[DONE]"
    chunks = [orjson.loads(event) for event in events[:-1]]
    said = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
    answer = orjson.loads(whole)
    assert said == answer["choices"][0]["text"]
    assert chunks[-1]["usage"] == answer["usage"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [10**6]}, "prompt"),
        ({"prompt": ""}, "prompt"),
    ],
)
async def test_bad_prompts(backend: EmbeddedBackend, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await post(backend, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


async def test_there_are_no_embeddings(backend: EmbeddedBackend) -> None:
    with pytest.raises(UpstreamRejected, match="has no embeddings") as caught:
        await post(backend, "/v1/embeddings", input="x")
    assert caught.value.status == 404


async def test_a_prompt_of_one_token(backend: EmbeddedBackend) -> None:
    _, body = await post(backend, prompt=[5], max_tokens=2, prompt_logprobs=0)
    choice = orjson.loads(body)["choices"][0]
    assert choice["prompt_logprobs"] == [None]
    assert choice["finish_reason"] in ("stop", "length")


async def test_prompt_logprobs_are_those_of_sampling(backend: EmbeddedBackend) -> None:
    prompt = backend._runtime.chat.encode("12 + 30 = ")
    fields: dict[str, Any] = {"temperature": 0, "ignore_eos": True, "return_token_ids": True}
    _, body = await post(backend, prompt=prompt, max_tokens=6, logprobs=0, **fields)
    sampled = orjson.loads(body)["choices"][0]
    whole = prompt + sampled["token_ids"]
    _, body = await post(backend, prompt=whole, max_tokens=1, prompt_logprobs=3)
    told = orjson.loads(body)["choices"][0]["prompt_logprobs"]
    assert len(told) == len(whole)
    assert told[0] is None
    for token, logprob, place in zip(
        sampled["token_ids"],
        sampled["logprobs"]["token_logprobs"],
        told[len(prompt) :],
        strict=True,
    ):
        assert place[str(token)]["rank"] == 1
        assert place[str(token)]["logprob"] == pytest.approx(logprob, abs=1e-4)
        assert len(place) == 3
