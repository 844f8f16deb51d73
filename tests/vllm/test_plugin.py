"""The logits processor in a real vLLM: exact, batch-safe, and refusing what it cannot do."""

from __future__ import annotations

import asyncio
import math
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.constrained.command import bed_of
from benchmarks.constrained.grammars import CASES
from benchmarks.constrained.sampling import g_test
from gateway.backends.embedded.backend import MODEL
from gateway.backends.embedded.runtime import Runtime
from gateway.backends.vllm import VLLMBackend
from gateway.errors import UpstreamRejected
from gateway.registry import load
from gateway.testing import answer_of, user
from gateway.types import Candidate, Finished, Request, Sample
from gateway.wishes import Wishes
from tests.vllm.conftest import PYTHON, WRITER
from tests.vllm.servers import Server
from tests.vllm.site import written

RUNNING = "TEST_VLLM_PLUGIN"
"""For work on these tests: the port of a server with the plugin that is up already."""
CASE = CASES[0]
GRAMMAR: dict[str, Any] = {"structured_outputs": {"grammar": CASE.constraint.source}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    at = tmp_path_factory.mktemp("plugin")
    server = Server(
        python=Path(os.environ[PYTHON]),
        model="its-demo",
        directory=MODEL,
        log=at / "log",
        flags=WRITER,
        environment={"PYTHONPATH": str(written(at / "site"))},
    )
    if running := os.environ.get(RUNNING):
        server.port = int(running)
        yield server
        return
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
async def plugged(server: Server) -> AsyncIterator[VLLMBackend]:
    backend = VLLMBackend(server.base, name="plugged")
    await backend._known.sure("its-demo")
    yield backend
    await backend.close()


async def _drawn(backend: VLLMBackend, n: int, method: str, **fields: Any) -> list[Candidate]:
    asked = {"max_tokens": 20, "return_token_ids": True, "top_p": 1.0, "top_k": 0, **fields}
    call = Sample(
        "its-demo",
        user(CASE.question),
        n=n,
        fields={**GRAMMAR, "its_aligned": {"method": method, "session": method}, **asked},
    )
    return [e.candidate async for e in backend.call(call) if isinstance(e, Finished)]


async def test_it_is_found_by_asking(plugged: VLLMBackend) -> None:
    assert plugged.capabilities("its-demo").aligned
    assert plugged.capabilities("its-demo").masked_logprobs


async def test_cars_passes_a_g_test_and_asap_comes_near(plugged: VLLMBackend) -> None:
    runtime = Runtime(MODEL)
    bed = bed_of(runtime, CASE)
    pieces = runtime.chat.pieces
    true = {
        b"".join(pieces[token] for token in word).decode(): p
        for word, p in bed.truth.given().items()
    }
    runtime.engine.close()
    runtime.guides.close()
    exact: Counter[str] = Counter()
    while exact.total() < 600:
        exact.update(c.text for c in await _drawn(plugged, 64, "cars") if c.text in true)
    assert g_test(true, exact) > 1e-4  # type: ignore[arg-type]
    for _ in range(8):  # samples side by side all run into what none of them knows yet
        await _drawn(plugged, 64, "asap")
    near = Counter(c.text for c in await _drawn(plugged, 512, "asap"))
    masked = Counter(c.text for c in await _drawn(plugged, 512, "mask"))
    assert _divergence(near, true) < _divergence(masked, true) / 3


def _divergence(counts: Counter[str], true: dict[str, float]) -> float:
    """KL(counts ‖ true) in nats; what is not in the language would be infinitely far."""
    n = counts.total()
    return sum(k / n * math.log(k / n / true[word]) for word, k in counts.items())


async def test_neighbours_in_a_batch_do_not_mix(plugged: VLLMBackend) -> None:
    """Plain requests, requests in other grammars and aborted ones, all in one batch."""

    async def other(choice: str) -> list[str]:
        fields: dict[str, Any] = {
            "structured_outputs": {"choice": [choice]},
            "its_aligned": {"method": "asap"},
        }
        call = Sample("its-demo", user("?"), n=4, fields={"max_tokens": 20, **fields})
        return [e.candidate.text async for e in plugged.call(call) if isinstance(e, Finished)]

    async def aborted() -> None:
        fields: dict[str, Any] = {
            "structured_outputs": {"regex": "[a-z]{300,}"},
            "its_aligned": {"method": "asap"},
        }
        call = Sample("its-demo", user("?"), n=4, stream=True, fields=fields)
        events = plugged.call(call)
        for _ in range(6):
            await anext(events)
        await events.aclose()

    plain = Sample("its-demo", user("12 + 30?"), fields={"temperature": 0.0, "max_tokens": 12})
    alone = [e.candidate.text async for e in plugged.call(plain) if isinstance(e, Finished)]

    async def beside() -> list[str]:
        return [e.candidate.text async for e in plugged.call(plain) if isinstance(e, Finished)]

    told = await asyncio.gather(other("alpha"), beside(), aborted(), other("beta gamma"), beside())
    assert told[0] == ["alpha"] * 4
    assert told[3] == ["beta gamma"] * 4
    assert told[1] == told[4] == alone


async def test_a_seed_repeats(plugged: VLLMBackend) -> None:
    first, second = [
        [c.token_ids for c in await _drawn(plugged, 1, "asap", seed=5)] for _ in range(2)
    ]
    assert first == second


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"structured_outputs": {"regex": "(a"}}, "unclosed group"),
        ({"structured_outputs": {"grammar": "start: start"}}, "nothing satisfies"),
        ({"top_p": 0.5}, "top_p"),
        ({"its_aligned": {"method": "best"}}, "its_method"),
    ],
)
async def test_what_it_cannot_do_is_a_400(
    plugged: VLLMBackend, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await _drawn(plugged, 1, "cars", **fields)
    assert caught.value.status == 400
    assert said in caught.value.message


@pytest.mark.parametrize("mode", ["auto", "asap", "snis", "mcmc", "mask"])
async def test_the_strategy_on_it(plugged: VLLMBackend, mode: str) -> None:
    spec = load("strategy", "strategies", "its_gateway.strategies")["constrained"]
    verifiers = load("verifier", "verifiers", "its_gateway.verifiers")
    request = Request("its-demo", user(CASE.question), fields={**GRAMMAR, "max_tokens": 20})
    wishes = Wishes(params={"mode": mode, "n": 3})
    answer = await answer_of(spec, plugged, verifiers=verifiers, wishes=wishes, request=request)
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["mode"] == ("cars" if mode == "auto" else mode)
    assert "unaligned" not in answer.outcome.degraded
    for candidate in answer.outcome.candidates:
        assert candidate.text == "00000" or (candidate.text[0] == "1" and len(candidate.text) == 5)
