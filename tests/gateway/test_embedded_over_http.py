"""The embedded model behind the gateway, by OpenAI's own client."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from gateway.backends.embedded import EmbeddedBackend
from tests.conftest import Serve, settles

QUESTION = "Ana has 12 apples. She buys 30 more. How many apples does Ana have now?"
ASK: Any = {"model": "its-demo", "messages": [{"role": "user", "content": QUESTION}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("budget", [1, 16])
async def test_a_hang_up_leaves_no_live_sequence(serve: Serve, stream: bool, budget: int) -> None:
    backend = EmbeddedBackend()
    served = await serve(backend)
    body = {**ASK, "stream": stream, "ignore_eos": True, "its": {"budget": budget}}
    async with aiohttp.ClientSession() as client:
        with pytest.raises(TimeoutError):
            async with client.post(
                f"{served.url}/v1/chat/completions",
                json=body,
                timeout=aiohttp.ClientTimeout(total=0.25),
            ) as response:
                await response.read()
    assert await settles(lambda: backend.engine.live == 0, 0.2)


async def test_early_exit_aborts_the_rest_of_its_wave(serve: Serve) -> None:
    backend = EmbeddedBackend()
    served = await serve(backend)
    raw = await served.client().chat.completions.with_raw_response.create(
        model="its-demo@verified-16", messages=ASK["messages"]
    )
    # What is aborted is dropped before the engine's next step, which may end behind the answer.
    assert await settles(lambda: backend.engine.live == 0, 0.2)
    assert int(raw.headers["x-its-samples"]) <= 16
    assert raw.headers["x-its-stop"] in ("passed", "complete")


async def test_seeded_selection_repeats_over_http(serve: Serve) -> None:
    served = await serve(EmbeddedBackend())
    told = []
    for stream in (False, True, False):
        answer: Any = await served.client().chat.completions.create(
            model="its-demo@agreement-16", messages=ASK["messages"], seed=5, stream=stream
        )
        if stream:
            parts = [chunk.choices[0].delta.content or "" async for chunk in answer]
            told.append("".join(parts))
        else:
            told.append(answer.choices[0].message.content)
    assert told[0]
    assert len(set(told)) == 1


async def test_completions_pass_through_and_embeddings_say_why_not(serve: Serve) -> None:
    served = await serve(EmbeddedBackend())
    client = served.client()
    text = await client.completions.create(
        model="its-demo", prompt="Answer:", max_tokens=4, extra_body={"ignore_eos": True}
    )
    assert text.choices[0].finish_reason == "length"
    assert text.usage is not None
    assert text.usage.completion_tokens == 4
    with pytest.raises(Exception, match="embeddings") as refused:
        await client.embeddings.create(model="its-demo", input="x")
    assert getattr(refused.value, "status_code", None) == 404
