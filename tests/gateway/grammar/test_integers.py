"""A schema's integers end, and nothing else of it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.grammar.integers import MOST, bounded

ENDS = {"minimum": -MOST, "maximum": MOST}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "integer"}, {"type": "integer", **ENDS}),
        ({"type": ["integer", "null"]}, {"type": ["integer", "null"], **ENDS}),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "minimum": 3, "maximum": MOST}),
        (
            {"type": "integer", "exclusiveMaximum": 9},
            {"type": "integer", "exclusiveMaximum": 9, "minimum": -MOST},
        ),
        (
            {"properties": {"enum": {"type": "integer"}, "type": {"items": {"type": "integer"}}}},
            {
                "properties": {
                    "enum": {"type": "integer", **ENDS},
                    "type": {"items": {"type": "integer", **ENDS}},
                }
            },
        ),
        (
            {"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "integer"}}},
            {"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "integer", **ENDS}}},
        ),
    ],
)
def test_integers_without_an_end_get_one(schema: Any, wanted: Any) -> None:
    assert json.loads(bounded(json.dumps(schema))) == wanted


@pytest.mark.parametrize(
    "source",
    [
        '{"type":"integer","minimum":0,"maximum":9}',
        '{"enum":[{"type":"integer"}]}',
        '{"const":{"type":"integer"}}',
        '{"type":["integer","number"]}',
        '{"type":"number"}',
        "true",
        "no JSON",
        "[" * 100_000,
    ],
)
def test_all_else_is_as_it_was(source: str) -> None:
    assert bounded(source) == source
