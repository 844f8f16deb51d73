"""Every strategy and every verifier that is registered, in front of real servers."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.registry import load
from tests.vllm.client import sent
from tests.vllm.servers import Gateway

STRATEGIES = load("strategy", "strategies", "its_gateway.strategies")
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")
ASK: dict[str, Any] = {
    "model": "its-demo",
    "messages": [{"role": "user", "content": "What is 12 + 30? End with: Answer: N"}],
    "max_tokens": 64,
}
GIVEN: dict[str, Any] = {"reference": "42", "tests": "assert answer == 42", "budget": 3}
"""What a verifier may need of the client; one that does not passes over it."""
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
FIELDS: dict[str, dict[str, Any]] = {"schema": {"response_format": SCHEMA, "max_tokens": 200}}
"""What a guest needs of a request beside."""


async def _answered(gateway: Gateway, name: str, its: dict[str, Any]) -> None:
    body = {**ASK, **FIELDS.get(name, {}), "its": {**GIVEN, **its}}
    status, told = await sent(f"{gateway.base}/v1/chat/completions", body)
    if status == 501:
        pytest.skip(told["error"]["message"])  # this machine has no sandbox, as the gateway says
    assert status == 200, told
    assert told["choices"][0]["finish_reason"] in ("stop", "length")
    assert told["usage"]["completion_tokens"] > 0
    assert told["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("name", [spec.name for spec in STRATEGIES.specs()])
async def test_a_strategy_answers(gateway: Gateway, name: str) -> None:
    await _answered(gateway, name, {"strategy": name})


@pytest.mark.parametrize("name", [spec.name for spec in VERIFIERS.specs()])
async def test_a_verifier_ranks(gateway: Gateway, name: str) -> None:
    await _answered(gateway, name, {"strategy": "best_of_n", "verifier": name})
