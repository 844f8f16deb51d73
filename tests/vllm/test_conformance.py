"""The suite that every backend passes, on real servers, and their numbers against the embedded."""

from __future__ import annotations

import pytest

from gateway.backends import Backend
from gateway.backends.embedded import EmbeddedBackend
from gateway.backends.vllm import VLLMBackend
from gateway.inquiries import Likelihood, Pool, Probabilities
from gateway.types import Call
from tests.conformance import ANSWER, LAWS, QUESTION, STEPS, Law, Served, answered, rows_of
from tests.vllm.conftest import Fleet

DIGITS = tuple("0123456789")
NUMBERS: list[Call] = [
    Probabilities("its-demo", QUESTION, DIGITS),
    Probabilities("its-demo", QUESTION, DIGITS, prefix="12 + 30 = "),
    Likelihood("its-demo", QUESTION, ANSWER),
    Likelihood("its-demo", QUESTION, ANSWER, temperature=0.5),
    Pool("its-demo-orm", answered()),
    Pool("its-demo-prm", answered()),
    Pool("its-demo-prm", answered(), ends=STEPS),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
async def test_it_conforms(backend: Backend, law: Law) -> None:
    await law(Served(backend))


@pytest.mark.parametrize("call", NUMBERS, ids=lambda call: type(call).__name__)
async def test_the_embedded_models_tell_the_same(
    backend: Backend, fleet: Fleet, call: Call
) -> None:
    embedded = EmbeddedBackend(rewards=fleet.rewards)
    try:
        here, _ = await rows_of(embedded, call)
    finally:
        await embedded.close()
    there, _ = await rows_of(backend, call)
    assert len(here.values) == len(there.values)
    # The writer computes in half precision, so its log-probabilities differ in the third digit.
    close = 1e-2 if isinstance(call, Likelihood) else 1e-3
    for mine, theirs in zip(here.values, there.values, strict=True):
        assert mine == pytest.approx(theirs, abs=close)


async def test_what_they_can_do_is_found_out(fleet: Fleet) -> None:
    expected = {
        "its-demo": {"aligned", "pooling", "classify", "score", "embed"},
        "its-demo-orm": {"n", "logprobs", "continuation", "structured_outputs", "embed"},
        "its-demo-prm": {"n", "logprobs", "continuation", "classify", "score", "embed"},
    }
    for server in fleet.all():
        backend = VLLMBackend(server.base, name="probed")
        assert await backend.models() == [server.model]
        lacks = set((await backend._known.sure(server.model)).lacking())
        await backend.close()
        assert expected[server.model] <= lacks
        assert "tokenize" not in lacks
        if server.model == "its-demo":
            assert lacks == expected["its-demo"]
