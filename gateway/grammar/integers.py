"""A schema's integers, held to those that every reader of JSON takes for the same (pure).

A model that is unsure writes digit after digit where a schema sets no end to an integer, until its
tokens are used up and the answer is no JSON. RFC 8259, section 6, and RFC 7493, section 2.2, name
the range in which readers agree: -(2^53 - 1) to 2^53 - 1.
"""

from __future__ import annotations

import json
from typing import Any

MOST = 2**53 - 1
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose values are schemas by name, and so hold no keywords themselves."""
DATA = ("enum", "const", "default", "examples")
"""Keywords whose values are JSON of any kind."""


def bounded(source: str) -> str:
    """The schema with a `minimum` and a `maximum` at each integer that lacks one.

    What is no JSON is returned as it is: its faults are the compiler's to tell.
    """
    try:
        schema = json.loads(source)
    except (ValueError, RecursionError):
        return source
    left, found = [schema], False
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            found = _bound(node) or found
            for keyword, value in node.items():
                if keyword in NAMED and isinstance(value, dict):
                    left += value.values()
                elif keyword not in DATA:
                    left.append(value)
    return json.dumps(schema) if found else source


def _bound(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    if kinds != "integer" and not (isinstance(kinds, list) and "integer" in kinds):
        return False
    if isinstance(kinds, list) and "number" in kinds:
        return False  # its bounds would be those of every number
    before = len(schema)
    if "exclusiveMinimum" not in schema:
        schema.setdefault("minimum", -MOST)
    if "exclusiveMaximum" not in schema:
        schema.setdefault("maximum", MOST)
    return len(schema) > before
