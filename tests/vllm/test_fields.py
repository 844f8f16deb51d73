"""Every sampling field of a request reaches its candidates, and does what it does."""

from __future__ import annotations

import re
from typing import Any

import orjson

from gateway.backends import Backend
from gateway.backends.vllm.chat import body_of
from gateway.calls import fields_for, split
from gateway.openai import parse_chat
from tests.vllm.client import sent
from tests.vllm.conftest import Fleet
from tests.vllm.servers import Gateway

OURS = frozenset({"model", "messages", "n", "stream", "stream_options"})
"""Fields that the gateway has its own word on."""
ASK: dict[str, Any] = {
    "model": "its-demo",
    "messages": [{"role": "user", "content": "What is 12 + 30?"}],
    "max_tokens": 24,
}
BEST: dict[str, Any] = {"its": {"strategy": "best_of_n", "budget": 3, "detail": "candidates"}}
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["answer"],
    "additionalProperties": False,
}


async def _asked(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    status, body = await sent(f"{gateway.base}/v1/chat/completions", {**ASK, **BEST, **fields})
    assert status == 200, body
    return body


async def _texts(gateway: Gateway, **fields: Any) -> list[str]:
    body = await _asked(gateway, n=3, **fields)
    return [choice["message"]["content"] for choice in body["choices"]]


async def test_every_field_that_the_server_knows_is_sent_with_every_candidate(
    fleet: Fleet,
) -> None:
    _, schema = await sent(f"{fleet.writers[0].base}/openapi.json")
    known = set(schema["components"]["schemas"]["ChatCompletionRequest"]["properties"]) - OURS
    assert {"top_k", "structured_outputs", "vllm_xargs", "cache_salt"} <= known
    # Fields that the gateway checks itself get a value of their own; the others any at all.
    values: dict[str, Any] = dict.fromkeys(known, 1) | {
        "stop": ["END"], "tools": [], "logit_bias": {"5": 1}, "response_format": {"type": "text"},
        "logprobs": True, "top_logprobs": 1, "parallel_tool_calls": False, "user": "someone",
        "tool_choice": "auto", "temperature": 0.5, "top_p": 0.5,
    }  # fmt: skip
    parsed = parse_chat(orjson.dumps({**ASK, **values}))
    fields = fields_for(parsed.request, {}, (), own_prompt=False)
    for call in split(
        "m", ASK["messages"], fields, n=3, first=1, prefix="", stream=True, apart=True
    ):
        body = body_of(call)
        told = {name: body.get(name) for name in known - {"seed"}}
        assert told == {name: values[name] for name in known - {"seed"}}


async def test_structured_outputs_hold_for_every_candidate(gateway: Gateway) -> None:
    regex = {"structured_outputs": {"regex": r"[a-c]{3}\d"}}
    assert all(re.fullmatch(r"[a-c]{3}\d", text) for text in await _texts(gateway, **regex))
    choice = {"structured_outputs": {"choice": ["Yes", "No"]}}
    assert {*await _texts(gateway, **choice)} <= {"Yes", "No"}
    grammar = {"structured_outputs": {"grammar": 'root ::= "x" | "y" "z"'}}
    assert {*await _texts(gateway, **grammar)} <= {"x", "yz"}
    # Whitespace is allowed, and the demo model writes little else then: by itself it writes a sum.
    named = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    for field in ({"structured_outputs": {"json": SCHEMA}}, {"response_format": named}):
        texts = await _texts(gateway, **field)
        assert all(re.fullmatch(r'\{\s*("answer.*)?', text, re.DOTALL) for text in texts)


async def test_fields_have_their_effect(gateway: Gateway) -> None:
    assert {*await _texts(gateway, stop=["+"])} == {"12 "}
    assert {*await _texts(gateway, max_tokens=1, allowed_token_ids=[25])} == {"5"}
    assert {*await _texts(gateway, max_tokens=2, logit_bias={"26": 100})} == {"66"}
    kept = await _texts(gateway, stop=["+"], include_stop_str_in_output=True)
    assert {*kept} == {"12 +"}
    long = await _asked(gateway, n=3, ignore_eos=True, min_tokens=24)
    assert long["usage"]["completion_tokens"] == 72
    letters: dict[str, Any] = {"structured_outputs": {"regex": "[a-z]{12}"}, "temperature": 1.5}
    one = await _texts(gateway, seed=5, **letters)
    assert one == await _texts(gateway, seed=5, **letters)
    assert len({*one}) > 1  # each candidate has a seed of its own


async def test_token_ids_and_logprobs_come_back_with_candidates(gateway: Gateway) -> None:
    body = await _asked(
        gateway, return_token_ids=True, logprobs=True, top_logprobs=1, logprob_token_ids=[20, 21]
    )
    choice = body["choices"][0]
    assert len(choice["token_ids"]) == len(choice["logprobs"]["content"])
    assert body["prompt_token_ids"][0] == 2
    assert {"0", "1"} <= {top["token"] for top in choice["logprobs"]["content"][0]["top_logprobs"]}


async def test_what_the_server_refuses_is_said_in_its_words(gateway: Gateway) -> None:
    body = {**ASK, **BEST, "structured_outputs": {"regex": "("}}
    status, told = await sent(f"{gateway.base}/v1/chat/completions", body)
    assert status == 400
    assert told["error"]["message"]


async def test_text_completions_are_relayed(gateway: Gateway) -> None:
    body = {"model": "its-demo", "prompt": [5, 6, 7], "max_tokens": 1, "prompt_logprobs": 0}
    status, told = await sent(f"{gateway.base}/v1/completions", body)
    assert status == 200
    assert len(told["choices"][0]["prompt_logprobs"]) == 3


async def test_ready_tells_what_each_model_can_do(gateway: Gateway, backend: Backend) -> None:
    _, told = await sent(f"{gateway.base}/ready")
    assert sorted(told["models"]) == sorted(await backend.models())
    assert "structured_outputs" in told["models"]["its-demo"]
