"""Equivalence of JSON texts and of tool calls."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

MAX_JSON = 1_000_000
EXACT_FLOAT = 2.0**53
"""Beyond this, a float no longer tells whole numbers apart."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return int(value) if value.is_integer() and abs(value) < EXACT_FLOAT else value


def parse_json(text: str) -> Any:
    """The value of a JSON text; ValueError where it is none, is too long or too deep.

    Stricter than `json.loads`: no NaN, no infinities; 1.0 and 1 are the same number.
    """
    if len(text) > MAX_JSON:
        raise ValueError("too long")
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_number)
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_key(text: str, *, fenced: bool = False) -> str | None:
    """A JSON text's canonical form: sorted names, no spaces; None where it is not JSON.

    With `fenced`, a text that is one Markdown code block counts as what stands in the block.
    """
    text = text.strip()
    if fenced and text.startswith("```") and text.endswith("```"):
        opening, _, text = text[:-3].partition("\n")
        if opening.strip("`").strip().casefold() not in ("", "json"):
            return None
    try:
        return _dumps(parse_json(text))
    except ValueError:
        return None


def tool_calls_key(calls: Sequence[Mapping[str, Any]]) -> str:
    """The key of a message's tool calls: which functions, with which arguments, in any order.

    Ids are left out: they are drawn at random. Arguments that are not JSON compare as text.
    """
    return _dumps(sorted(_call_key(call) for call in calls))


def _call_key(call: Mapping[str, Any]) -> str:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return _dumps({name: str(value) for name, value in call.items() if name != "id"})
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else _dumps(arguments)
    return _dumps([str(function.get("name")), json_key(text) or text.strip()])


def _dumps(value: Any) -> str:
    try:
        return json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
