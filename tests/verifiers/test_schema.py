"""Schema: valid JSON for what the request asks, whatever schema or text says."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import Candidate, InvalidRequest, Session
from verifiers.schema import schema

MakeSession = Callable[..., Session]
Said = Callable[..., list[Candidate]]
Called = Callable[..., Candidate]

POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}


def wanting(given_: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": given_}}


def tool(name: str, parameters: Any = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ('{"x": 1}', True),
        (' {"x": 1.5, "y": []}\n', True),
        ('{"x": "1"}', False),
        ("{}", False),
        ("[1]", False),
        ('{"x": NaN}', False),
        ('```json\n{"x": 1}\n```', False),
        ('{"x": 1', False),
        ("", False),
        ("[" * 100_000, False),
    ],
)
async def test_text_must_satisfy_the_schema(
    make_session: MakeSession, said: Said, text: str, passed: bool
) -> None:
    [score] = await schema(make_session(response_format=wanting(POINT)), said(text))
    assert (score.value, score.passed) == (float(passed), passed)
    assert bool(score.reason) is not passed


async def test_json_object_takes_any_object(make_session: MakeSession, said: Said) -> None:
    session = make_session(response_format={"type": "json_object"})
    scores = await schema(session, said('{"a": 1}', '{ "a":1.0 }', "[1]", "x"))
    assert [score.passed for score in scores] == [True, True, False, False]
    assert scores[0].key == scores[1].key == '{"a":1}'


async def test_tool_arguments_must_satisfy_the_tool(
    make_session: MakeSession, called: Called
) -> None:
    session = make_session(tools=[tool("move", POINT), tool("stop")])
    candidates = [
        called(("move", '{"x": 1}')),
        called(("move", '{"x": 1}'), ("stop", "")),
        called(("move", '{"x": "1"}')),
        called(("fly", "{}")),
        called(("stop", '{"now"')),
    ]
    scores = await schema(session, candidates)
    assert [score.passed for score in scores] == [True, True, False, False, False]


async def test_without_a_schema_nothing_is_judged(make_session: MakeSession, said: Said) -> None:
    for fields in ({}, {"response_format": {"type": "text"}}, {"tools": [tool("stop")]}):
        [score] = await schema(make_session(**fields), said("hello"))
        assert math.isnan(score.value)
        assert score.passed is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "nonsense"}, {"minimum": "x"}, [], "x", 5, {"$schema": 5}, {"$schema": "http://["},
        {"$ref": 5}, {"properties": {"a": []}},
    ],
)  # fmt: skip
async def test_a_schema_that_is_none_is_the_clients_error(
    make_session: MakeSession, said: Said, wrong: Any
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await schema(make_session(response_format=wanting(wrong)), said("{}"))
    assert caught.value.param == "response_format"


async def test_a_schema_nested_too_deep_is_the_clients_error(
    make_session: MakeSession, said: Said
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(InvalidRequest):
        await schema(make_session(response_format=wanting(deep)), said("{}"))


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "#/$defs/none", "http://["]
)
async def test_no_other_document_is_ever_read(
    make_session: MakeSession, said: Said, reference: str
) -> None:
    [score] = await schema(make_session(response_format=wanting({"$ref": reference})), said("{}"))
    assert math.isnan(score.value)
    assert score.passed is None


def doubling(levels: int) -> dict[str, Any]:
    """A schema whose validation doubles its work at each level."""
    defs = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(levels)}
    return {"$defs": {**defs, f"a{levels}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    ("hostile", "text"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, json.dumps("a" * 40 + "!")),
        ({"patternProperties": {"^(a+)+$": {}}}, json.dumps({"a" * 40 + "!": 1})),
        (doubling(40), "{}"),
        ({"$ref": "#"}, "{}"),
        ({"type": "string", "pattern": r"\p{L}+"}, '"a"'),
    ],
    ids=["pattern", "patternProperties", "doubling", "circle", "foreign regex"],
)
async def test_hostile_schemas_end_unjudged(
    make_session: MakeSession, said: Said, hostile: Any, text: str
) -> None:
    began = time.monotonic()
    session = make_session(response_format=wanting(hostile))
    [score] = await schema(session, said(text), seconds=1.0)
    assert math.isnan(score.value)
    assert score.reason
    assert time.monotonic() - began < 10


async def test_local_references_and_patterns_work(make_session: MakeSession, said: Said) -> None:
    given_ = {"$defs": {"w": {"type": "string", "pattern": "^a+$"}}, "$ref": "#/$defs/w"}
    scores = await schema(make_session(response_format=wanting(given_)), said('"aa"', '"b"'))
    assert [score.passed for score in scores] == [True, False]


async def test_nothing_in_nothing_out(make_session: MakeSession) -> None:
    assert await schema(make_session(response_format=wanting(POINT)), []) == []


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=4))
async def test_any_text_is_judged_in_any_order(
    make_session: MakeSession, said: Said, texts: list[str]
) -> None:
    session = make_session(response_format=wanting(POINT))
    candidates = said(*texts)
    straight = await schema(session, candidates)
    assert await schema(session, candidates[::-1]) == straight[::-1]
    assert all(score.passed is not None for score in straight)
