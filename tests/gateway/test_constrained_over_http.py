"""Grammars over HTTP, by OpenAI's own client: kept to, refused by name, in bounded time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import BadRequestError

from gateway.backends.embedded import EmbeddedBackend
from tests.conftest import Serve

ASK: Any = {
    "model": "its-demo",
    "messages": [{"role": "user", "content": "What is 12 + 30? Answer in JSON."}],
    "extra_headers": {"x-its-strategy": "constrained"},
    "max_tokens": 60,
}
"""Not even an answer with all the white space that the grammar allows is longer."""
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_in_a_schema(serve: Serve, stream: bool) -> None:
    served = await serve(EmbeddedBackend())
    wrapped: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    answer: Any = await served.client().chat.completions.create(
        **ASK, response_format=wrapped, stream=stream
    )
    if stream:
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
    else:
        text = answer.choices[0].message.content
    assert 0 <= json.loads(text)["answer"] <= 99


@pytest.mark.parametrize(
    ("grammar", "param", "said"),
    [
        ({"regex": "(a"}, "structured_outputs.regex", "unclosed group"),
        ({"grammar": "start: missing"}, "structured_outputs.grammar", "1(8)"),
        ({"grammar": "start: start"}, "structured_outputs.grammar", "nothing satisfies"),
        ({"grammar": "x" * 1_000_000}, "structured_outputs.grammar", "at most"),
        ({"json": {"type": "integer", "minimum": 5, "maximum": 3}}, "structured_outputs.json", "5"),
    ],
)
async def test_a_bad_grammar_is_a_400_that_says_where(
    serve: Serve, grammar: dict[str, Any], param: str, said: str
) -> None:
    served = await serve(EmbeddedBackend())
    with pytest.raises(BadRequestError) as caught:
        await served.client().chat.completions.create(
            **ASK, extra_body={"structured_outputs": grammar}
        )
    assert caught.value.param == param
    assert caught.value.code == "invalid_grammar"
    assert said in caught.value.message
