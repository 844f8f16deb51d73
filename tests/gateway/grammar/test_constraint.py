"""What a body says about the shape of its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.grammar import Constraint, GrammarError, constraint_of, tools_constraint
from gateway.grammar.constraint import MAX_SOURCE

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOLS = [
    {"type": "function", "function": {"name": "add", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "now"}},
]


def _asked(**fields: Any) -> tuple[str, str, str] | None:
    found = constraint_of(fields)
    return None if found is None else (found.kind, found.source, found.param)


def test_where_grammars_come_from() -> None:
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    assert _asked(response_format=wrapped) == ("json", json.dumps(SCHEMA), "response_format")
    assert _asked(response_format={"type": "json_object"}) == (
        "json",
        '{"type": "object"}',
        "response_format",
    )
    assert _asked(structured_outputs={"json": SCHEMA}) == (
        "json",
        json.dumps(SCHEMA),
        "structured_outputs.json",
    )
    regex = ("regex", "a+", "structured_outputs.regex")
    assert _asked(structured_outputs={"regex": "a+", "json": None}) == regex
    choice = ("choice", '["a", "b"]', "structured_outputs.choice")
    assert _asked(structured_outputs={"choice": ["a", "b"]}) == choice
    grammar = ("grammar", "start: /a/", "structured_outputs.grammar")
    assert _asked(structured_outputs={"grammar": "start: /a/"}) == grammar


def test_no_grammar() -> None:
    assert _asked() is None
    assert _asked(response_format={"type": "text"}) is None
    assert _asked(response_format=None, structured_outputs=None) is None
    assert tools_constraint({"tools": TOOLS}) is None
    assert tools_constraint({"tools": TOOLS, "tool_choice": "auto"}) is None
    assert tools_constraint({"tool_choice": "required"}) is None


def test_forced_tool_calls() -> None:
    named = {"type": "function", "function": {"name": "add"}}
    assert tools_constraint({"tools": TOOLS, "tool_choice": named}) == Constraint(
        "json", json.dumps(SCHEMA), "tools"
    )
    anyone = tools_constraint({"tools": TOOLS, "tool_choice": "required"})
    assert anyone is not None
    names = [each["properties"]["name"]["const"] for each in json.loads(anyone.source)["anyOf"]]
    assert names == ["add", "now"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": "json"}, "response_format"),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": 3}}, "structured_outputs.regex"),
        ({"structured_outputs": {"regex": ""}}, "structured_outputs.regex"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": ["a", 1]}}, "structured_outputs.choice"),
        ({"structured_outputs": {"json": 3}}, "structured_outputs.json"),
        ({"structured_outputs": {"regex": "a" * (MAX_SOURCE + 1)}}, "structured_outputs.regex"),
        (
            {"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}},
            "structured_outputs",
        ),
    ],
)
def test_malformed_ones_name_their_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(GrammarError) as caught:
        constraint_of(fields)
    assert caught.value.param == param


def test_a_tool_that_is_not_there() -> None:
    with pytest.raises(GrammarError, match="allowed: add, now"):
        tools_constraint({"tools": TOOLS, "tool_choice": {"function": {"name": "sub"}}})


def test_deep_nesting_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"not": schema}
    with pytest.raises(GrammarError, match="cannot be written"):
        constraint_of({"structured_outputs": {"json": schema}})
