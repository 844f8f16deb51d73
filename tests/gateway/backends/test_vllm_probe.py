"""What a server can do is found out by asking it, once, and again after it was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from gateway.backends.vllm import VLLMBackend
from gateway.errors import Unsupported, UpstreamUnavailable
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities
from gateway.testing import user
from gateway.types import Capabilities, Sample
from tests.conformance import candidates_of, events_of, rows_of
from tests.conftest import Serve, settles
from tests.old_vllm import FIELDS, READING, WRITING, OldVLLM, serving

HI = user("Hi")


class Reached:
    """Serves, and gives backends on what it serves; ends both with the test."""

    def __init__(self, stack: AsyncExitStack):
        self._stack = stack

    async def __call__(self, server: OldVLLM, *, probing: bool = True) -> VLLMBackend:
        await self._stack.enter_async_context(serving(server))
        backend = VLLMBackend(server.base, name="old", probing=probing)
        self._stack.push_async_callback(backend.close)
        return backend


@pytest.fixture
async def reach() -> AsyncIterator[Reached]:
    async with AsyncExitStack() as stack:
        yield Reached(stack)


def _lacking(*names: str) -> Capabilities:
    return Capabilities(**dict.fromkeys(names, False))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", sorted({*FIELDS.values(), "all_logprobs", "tokenize"}))
async def test_what_it_lacks_is_found_and_nothing_else(
    reach: Reached, name: str, strict: bool
) -> None:
    backend = await reach(OldVLLM({name}, strict))
    assert await backend.models() == ["m"]
    assert backend.capabilities("m") == Capabilities()  # nobody has waited for it yet
    # Nothing is known of log-probabilities of named tokens without any.
    also = {"logprobs": ["logprob_token_ids"], "prompt_logprobs": ["all_logprobs"]}.get(name, [])
    expected = _lacking(*WRITING, name, *also)
    assert await settles(lambda: backend.capabilities("m") == expected, 2.0)


@pytest.mark.parametrize("name", ["none", "pooling", "classify", "score", "embed"])
async def test_a_reward_models_endpoints_are_found(reach: Reached, name: str) -> None:
    backend = await reach(OldVLLM({name}, writes=False))
    await backend.models()
    expected = _lacking(*READING, *({name} - {"none"}))
    assert await settles(lambda: backend.capabilities("m") == expected, 2.0)


async def test_it_is_asked_once_and_again_after_it_was_away(reach: Reached) -> None:
    server = OldVLLM({"structured_outputs"})
    backend = await reach(server)
    await backend.models()
    assert await settles(lambda: not backend.capabilities("m").structured_outputs, 2.0)
    asked = len(server.bodies)
    await backend.models()
    await events_of(backend, Probabilities("m", HI, ("4",)))
    assert len(server.bodies) == asked + 2  # the tokenizer and the question itself
    server.down, server.lacks = 503, ()
    with pytest.raises(UpstreamUnavailable):
        await backend.models()
    assert not backend.capabilities("m").structured_outputs  # what it said last stands
    server.down = 0
    await backend.models()
    assert await settles(lambda: backend.capabilities("m").structured_outputs, 2.0)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_is_busy_tells_nothing(reach: Reached, status: int) -> None:
    server = OldVLLM({"logprobs"}, down=status)
    backend = await reach(server)
    assert await backend._known.sure("m") == Capabilities()
    server.down = 0
    assert not (await backend._known.sure("m")).logprobs


async def test_probing_can_be_left_out(reach: Reached) -> None:
    server = OldVLLM({"n"})
    backend = await reach(server, probing=False)
    await backend.models()
    await events_of(backend, Probabilities("m", HI, ("4",)))
    assert len(server.bodies) == 2
    assert backend.capabilities("m") == Capabilities()


async def test_closing_it_ends_the_probing(reach: Reached) -> None:
    backend = await reach(OldVLLM())
    await backend.models()
    assert _probing()
    await backend.close()
    assert not _probing()


async def test_ready_tells_what_is_known(reach: Reached, serve: Serve) -> None:
    backend = await reach(OldVLLM({"structured_outputs"}))
    served = await serve(backend)
    async with aiohttp.ClientSession() as client:
        for _ in range(400):
            async with client.get(f"{served.url}/ready") as response:
                able = (await response.json())["models"].get("m", ["structured_outputs"])
            if "structured_outputs" not in able:
                break
            await asyncio.sleep(0.01)
    assert able == [n for n in Capabilities().able() if n not in {*WRITING, "structured_outputs"}]


def _probing() -> list[str]:
    return [task for task in map(repr, asyncio.all_tasks()) if "Known._probe" in task]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("structured_outputs", {"regex": "a"}),
        ("logprob_token_ids", [1]),
        ("continue_final_message", True),
        ("prompt_logprobs", 1),
    ],
)
async def test_a_field_that_would_be_passed_over_is_refused(
    reach: Reached, name: str, value: object
) -> None:
    server = OldVLLM({FIELDS[name], "tokenize"})
    backend = await reach(server)
    await backend._known.sure("m")
    asked = len(server.bodies)
    with pytest.raises(Unsupported, match=name) as caught:
        await events_of(backend, Sample("m", HI, fields={name: value}))
    assert (caught.value.status, caught.value.param) == (400, name)
    assert len(server.bodies) == asked


async def test_an_answer_begun_is_continued_by_ids_where_text_cannot_be(reach: Reached) -> None:
    server = OldVLLM({"continuation"})
    backend = await reach(server)
    await backend._known.sure("m")
    fields = {"max_completion_tokens": 5, "logprobs": True, "tools": []}
    [candidate] = await candidates_of(backend, Sample("m", HI, prefix="two", fields=fields))
    assert candidate.text == " more"
    path, body = server.bodies[-1]
    assert path == "/v1/completions"
    assert body == {
        "model": "m",
        "prompt": [1, 2, 20, 3, 2],
        "n": 1,
        "max_tokens": 5,
        "logprobs": 0,
    }
    server.lacks = {"continuation", "tokenize"}
    blind = VLLMBackend(server.base, name="blind")
    await blind._known.sure("m")
    for prefix in ("two", (2,)):
        with pytest.raises(Unsupported, match="continue"):
            await events_of(blind, Sample("m", HI, prefix=prefix))
    await blind.close()


@pytest.mark.parametrize("lacked", ["logprob_token_ids", "tokenize"])
async def test_probabilities_fall_back_to_the_likeliest(reach: Reached, lacked: str) -> None:
    backend = await reach(OldVLLM({lacked}))
    rows, _ = await rows_of(backend, Probabilities("m", HI, ("two", "six")))
    assert rows.degraded == ("top_logprobs",)
    assert rows.values[0] == pytest.approx((2.718281828**-3, 0.0))


async def test_what_cannot_be_done_is_said(reach: Reached) -> None:
    writer = await reach(OldVLLM({"logprobs", "prompt_logprobs"}))
    for call in (Probabilities("m", HI, ("4",)), Likelihood("m", HI, "4"), Pool("m", HI)):
        with pytest.raises(Unsupported):
            await events_of(writer, call)
    reader = await reach(OldVLLM({"pooling", "classify", "score", "embed"}, writes=False))
    for other in (Pool("m", HI), Embed("m", ("a",))):
        with pytest.raises(Unsupported):
            await events_of(reader, other)


async def test_a_temperature_needs_the_whole_vocabulary(reach: Reached) -> None:
    exact = await reach(OldVLLM())
    asked = Likelihood("m", HI, "two", (1, 2), (20,), temperature=2.0)
    rows, _ = await rows_of(exact, asked)
    # Two tokens with logits -0.5 and -2, halved: log softmax of the first.
    assert rows.values[0] == pytest.approx((-0.386871,), abs=1e-5)
    few = await reach(OldVLLM({"all_logprobs"}))
    with pytest.raises(Unsupported, match="max-logprobs"):
        await events_of(few, asked)


async def test_rewards_come_from_the_first_endpoint_there_is(reach: Reached) -> None:
    asked = [*HI, {"role": "assistant", "content": "one two"}]
    found = []
    for lacks in ((), {"pooling"}, {"pooling", "classify"}):
        server = OldVLLM(lacks, writes=False)
        rows, _ = await rows_of(await reach(server), Pool("m", asked))
        found.append((server.bodies[-1], rows.values))
    (pooled, all_rows), (_, probs), (scored, score) = found
    assert pooled == ("/pooling", {"model": "m", "messages": asked})
    assert all_rows == ((0.1, 0.9), (0.2, 0.8), (0.3, 0.7))
    assert probs == ((0.75,),)
    assert scored == ("/score", {"model": "m", "text_1": "Hi", "text_2": "one two"})
    assert score == ((0.25,),)


async def test_rows_of_steps(reach: Reached) -> None:
    server = OldVLLM(writes=False)
    backend = await reach(server)
    asked = [{"role": "user", "content": "a b c d"}]
    with pytest.raises(Exception, match="fewer tokens"):
        await events_of(backend, Pool("m", asked, ends=(1, 7)))
    # A row a step already: those of a model that marks steps by a token of its own.
    rows, _ = await rows_of(backend, Pool("m", asked, ends=(1, 3, 5)))
    assert len(rows.values) == 3
    rows, _ = await rows_of(backend, Pool("m", asked, ends=(1,)))
    assert rows.values == ((0.3, 0.7),)  # two tokens of the turn, then the word


async def test_vectors_come_in_the_texts_order(reach: Reached) -> None:
    backend = await reach(OldVLLM(writes=False))
    rows, usage = await rows_of(backend, Embed("m", ("a",)))
    assert rows.values == ((1.0, 0.0),)
    assert usage.prompt_tokens == 3
    with pytest.raises(Exception, match="another number"):
        await events_of(backend, Embed("m", ("a", "b")))
