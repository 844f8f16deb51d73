"""The embedded model through the seam."""

from __future__ import annotations

import asyncio
import contextlib
import math
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from gateway.backends import Backend
from gateway.backends.embedded import EmbeddedBackend
from gateway.backends.embedded.cache import Floats
from gateway.errors import UpstreamRejected, UpstreamUnavailable
from gateway.types import Candidate, Capabilities, Delta, Finished, Sample, Spent, Usage

QUESTION = [{"role": "user", "content": "A baker has 12 rolls and sells 5. How many are left?"}]


class Heard:
    """All events of one call, sorted by kind."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.finished: list[Finished] = []
        self.spent: Usage | None = None

    @property
    def candidates(self) -> list[Candidate]:
        return [f.candidate for f in sorted(self.finished, key=lambda f: f.index)]

    def streamed(self, index: int = 0) -> str:
        return "".join(
            d.choice["delta"].get("content", "") for d in self.deltas if d.index == index
        )


async def hear(backend: EmbeddedBackend, request: Sample) -> Heard:
    """Run one call to its end."""
    heard = Heard()
    async for event in backend.call(request):
        assert heard.spent is None, "Spent is the last event"
        if isinstance(event, Delta):
            heard.deltas.append(event)
        elif isinstance(event, Finished):
            heard.finished.append(event)
        else:
            assert isinstance(event, Spent)
            heard.spent = event.usage
    return heard


def ask(n: int = 1, *, stream: bool = False, prefix: str = "", **fields: Any) -> Sample:
    return Sample("its-demo", QUESTION, n=n, stream=stream, prefix=prefix, fields=fields)


async def until(done: Callable[[], bool], seconds: float) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        await asyncio.sleep(0.005)


def test_importing_is_light() -> None:
    check = "import sys, gateway.backends.embedded; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


async def test_it_is_a_backend(backend: EmbeddedBackend) -> None:
    seam: Backend = backend
    assert seam.name == "embedded"
    assert seam.capabilities("its-demo") == Capabilities(
        aligned=True, pooling=False, classify=False, score=False
    )
    assert (await seam.models())[0] == "its-demo"


async def test_a_call_has_its_candidates_and_their_cost(backend: EmbeddedBackend) -> None:
    heard = await hear(backend, ask(3, seed=1, max_tokens=20))
    assert sorted(f.index for f in heard.finished) == [0, 1, 2]
    assert len({c.id for c in heard.candidates}) == 3
    assert not heard.deltas
    prompt = len(heard.candidates[0].prompt_token_ids)
    total = sum(len(c.token_ids) for c in heard.candidates)
    assert heard.spent == Usage(prompt, total)
    for candidate in heard.candidates:
        assert candidate.usage == Usage(prompt, len(candidate.token_ids))
        assert candidate.finish_reason in ("stop", "length")
        # The token that ends an answer is one of its tokens, and may be the twentieth.
        assert len(candidate.token_ids) == 20 or candidate.finish_reason == "stop"
        assert len(candidate.token_ids) <= 20
    assert await backend.models() == ["its-demo", "its-demo-orm", "its-demo-prm"]


async def test_a_seeded_candidate_is_the_same_in_any_company(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"max_tokens": 40, "temperature": 1.3, "ignore_eos": True}
    alone = await hear(backend, ask(seed=11, **fields))
    crowd = [hear(backend, ask(5, **fields)) for _ in range(3)]
    first, *_ = await asyncio.gather(hear(backend, ask(seed=11, **fields)), *crowd)
    assert first.candidates[0].token_ids == alone.candidates[0].token_ids
    later = await hear(backend, ask(2, seed=10, **fields))
    assert later.candidates[1].token_ids == alone.candidates[0].token_ids


async def test_streamed_text_is_the_whole_text(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"seed": 3, "max_tokens": 50, "temperature": 1.5, "logprobs": True}
    whole = await hear(backend, ask(4, **fields))
    streamed = await hear(backend, ask(4, stream=True, return_token_ids=True, **fields))
    for index, candidate in enumerate(whole.candidates):
        assert streamed.streamed(index) == candidate.text == streamed.candidates[index].text
        choices = [d.choice for d in streamed.deltas if d.index == index]
        assert choices[0]["delta"] == {"role": "assistant", "content": ""}
        assert [c["finish_reason"] for c in choices[:-1]] == [None] * (len(choices) - 1)
        assert choices[-1]["finish_reason"] == candidate.finish_reason
        told = [entry for c in choices[1:] for entry in c["logprobs"]["content"]]
        assert streamed.candidates[index].logprobs == {"content": told, "refusal": None}
        ids = [token for c in choices[1:] for token in c["token_ids"]]
        assert tuple(ids) == candidate.token_ids
    last = {d.index: d.tokens for d in streamed.deltas}
    assert last == {i: len(c.token_ids) for i, c in enumerate(whole.candidates)}


async def test_stop_strings_cut_the_text(backend: EmbeddedBackend) -> None:
    plain = (await hear(backend, ask(seed=2, max_tokens=60, ignore_eos=True))).candidates[0]
    stop = plain.text[7:10]
    cut = await hear(backend, ask(seed=2, max_tokens=60, ignore_eos=True, stop=stop, stream=True))
    expected = plain.text[: plain.text.index(stop)]
    assert cut.candidates[0].text == cut.streamed() == expected
    assert cut.candidates[0].finish_reason == "stop"
    assert cut.candidates[0].extra["stop_reason"] == stop
    kept = await hear(
        backend,
        ask(seed=2, max_tokens=60, ignore_eos=True, stop=[stop], include_stop_str_in_output=True),
    )
    assert kept.candidates[0].text == expected + stop


async def test_a_prefix_is_continued_and_not_repeated(backend: EmbeddedBackend) -> None:
    plain = (await hear(backend, ask(temperature=0, max_tokens=30))).candidates[0]
    begun = plain.text[: len(plain.text) // 2]
    by_prefix = (await hear(backend, ask(temperature=0, max_tokens=30, prefix=begun))).candidates[0]
    messages = [*QUESTION, {"role": "assistant", "content": begun}]
    fields = {"temperature": 0, "max_tokens": 30, "continue_final_message": True}
    by_message = (await hear(backend, Sample("its-demo", messages, fields=fields))).candidates[0]
    assert by_prefix.prompt_token_ids == by_message.prompt_token_ids
    assert by_prefix.prompt_token_ids[: len(plain.prompt_token_ids)] == plain.prompt_token_ids
    assert by_prefix.text == by_message.text
    assert not by_prefix.text.startswith(begun)


async def test_logprobs_hold_together(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {
        "logprobs": True,
        "top_logprobs": 20,
        "max_tokens": 12,
        "temperature": 0,
    }
    heard = await hear(backend, ask(logprob_token_ids=[0, 1], **fields))
    candidate = heard.candidates[0]
    assert candidate.logprobs is not None
    content = candidate.logprobs["content"]
    assert len(content) == len(candidate.token_ids)
    for entry in content:
        top = entry["top_logprobs"]
        assert top[0]["logprob"] == entry["logprob"]  # greedy: the sampled one is the likeliest
        assert 20 <= len(top) <= 22
        assert sum(math.exp(t["logprob"]) for t in top) <= 1 + 1e-5
        assert bytes(entry["bytes"]).decode(errors="replace") == entry["token"]
    joined = b"".join(bytes(entry["bytes"]) for entry in content).decode(errors="replace")
    assert joined.startswith(candidate.text)


async def test_all_tokens_logprobs_sum_to_one(backend: EmbeddedBackend) -> None:
    vocab = len(backend._runtime.chat.names)
    heard = await hear(
        backend, ask(max_tokens=1, logprobs=True, logprob_token_ids=list(range(vocab)))
    )
    logprobs = heard.candidates[0].logprobs
    assert logprobs is not None
    top = logprobs["content"][0]["top_logprobs"]
    assert len(top) == vocab
    assert sum(math.exp(t["logprob"]) for t in top) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_leaving_a_call_aborts_it_at_once(backend: EmbeddedBackend, way: str) -> None:
    request = ask(150, stream=True, ignore_eos=True)

    async def listen() -> None:
        async with aclosing(backend.call(request)) as events:
            async for event in events:
                if isinstance(event, Delta) and event.tokens > 3:
                    if way == "close":
                        return
                    await asyncio.Event().wait()

    task = asyncio.create_task(listen())
    await until(lambda: backend.engine.live > 0, 5)
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.wait([task])
    await until(lambda: backend.engine.live == 0, 0.2)
    assert len((await hear(backend, ask(2, max_tokens=3))).candidates) == 2


async def test_coming_and_going_changes_nobody_elses_tokens(backend: EmbeddedBackend) -> None:
    """Rows move as others leave; each must keep its own keys, values and randomness."""
    lengths = [5, 40, 3, 17, 60, 1, 25, 33]

    def nth(i: int) -> Sample:
        question = [{"role": "user", "content": f"{i * 7} + {'12 + ' * (i % 3 * 20)}4 = ?"}]
        fields = {"seed": i, "max_tokens": lengths[i % 8], "ignore_eos": True}
        return Sample("its-demo", question, fields=fields)

    async def late(i: int) -> tuple[int, ...]:
        await asyncio.sleep(i * 0.004)
        return (await hear(backend, nth(i))).candidates[0].token_ids

    async def leaver(i: int) -> None:
        await asyncio.sleep(i * 0.004)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hear(backend, nth(i)), 0.01 * (i % 4))

    crowd = asyncio.gather(*(late(i) for i in range(48)), *(leaver(i) for i in range(48)))
    together = (await crowd)[:48]
    await until(lambda: backend.engine.live == 0, 0.2)
    for i, tokens in enumerate(together):
        alone = (await hear(backend, nth(i))).candidates[0].token_ids
        assert tokens == alone


async def test_more_than_fit_wait_in_line(backend: EmbeddedBackend) -> None:
    heard = await hear(backend, ask(300, max_tokens=3))
    assert len(heard.candidates) == 300
    assert backend.engine.live == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": 3}, "stop"),
        ({"logit_bias": {"100000": 1}}, "logit_bias"),
        ({"logprob_token_ids": [100000]}, "logprob_token_ids"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "continue_final_message"),
    ],
)
async def test_a_wrong_field_is_named(
    backend: EmbeddedBackend, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await hear(backend, ask(**fields))
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.type == "invalid_request_error"


async def test_null_means_unset_and_unknown_fields_are_ignored(backend: EmbeddedBackend) -> None:
    fields: dict[str, Any] = {"temperature": None, "top_p": None, "stop": None, "user": "u"}
    assert (await hear(backend, ask(max_tokens=2, seed=None, **fields))).candidates


async def test_what_does_not_fit_is_rejected(backend: EmbeddedBackend) -> None:
    messages = [{"role": "user", "content": "12 + 34 " * 800}]
    with pytest.raises(UpstreamRejected) as caught:
        await hear(backend, Sample("its-demo", messages))
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")
    image = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(UpstreamRejected, match="image_url"):
        await hear(backend, Sample("its-demo", [{"role": "user", "content": image}]))
    with pytest.raises(UpstreamRejected) as caught:
        await hear(backend, Sample("other", QUESTION))
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


async def test_messages_must_be_messages(backend: EmbeddedBackend) -> None:
    for messages in ([], [{"content": "x"}], [{"role": "jester", "content": "x"}]):
        with pytest.raises(UpstreamRejected) as caught:
            await hear(backend, Sample("its-demo", messages))
        assert (caught.value.status, caught.value.param) == (400, "messages")


async def test_a_stop_token_ends_it(backend: EmbeddedBackend) -> None:
    plain = (await hear(backend, ask(temperature=0, max_tokens=5))).candidates[0]
    third = plain.token_ids[2]
    cut = (await hear(backend, ask(temperature=0, stop_token_ids=[third]))).candidates[0]
    assert cut.token_ids == plain.token_ids[: plain.token_ids.index(third) + 1]
    assert (cut.finish_reason, cut.extra["stop_reason"]) == ("stop", third)


async def test_text_parts_are_read(backend: EmbeddedBackend) -> None:
    parts = [{"type": "text", "text": QUESTION[0]["content"]}]
    request = Sample("its-demo", [{"role": "user", "content": parts}], fields={"max_tokens": 1})
    plain = await hear(backend, ask(max_tokens=1))
    heard = await hear(backend, request)
    assert heard.candidates[0].prompt_token_ids == plain.candidates[0].prompt_token_ids


async def test_a_failing_engine_fails_its_calls_and_recovers(
    backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Floats:
        raise ValueError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(backend.engine._model), "step", broken)
        with pytest.raises(UpstreamUnavailable, match="broken"):
            await hear(backend, ask(2))
    assert backend.engine.live == 0
    assert (await hear(backend, ask(2, max_tokens=2))).candidates


async def test_closing_fails_what_is_under_way() -> None:
    backend = EmbeddedBackend()
    task = asyncio.create_task(hear(backend, ask(8, ignore_eos=True)))
    await until(lambda: backend.engine.live > 0, 5)
    await backend.close()
    with pytest.raises(UpstreamUnavailable, match="closed"):
        await task
    with pytest.raises(UpstreamUnavailable):
        await hear(backend, ask())
    await backend.close()
