"""What a request's body says about the shape of its answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_SOURCE = 1 << 19
"""Characters of a grammar; longer ones are refused unread."""
REJECTED = "its_rejected"
"""The `stop_reason` of a candidate that was given up before it was an answer."""
OBJECT = '{"type": "object"}'
KINDS = ("json", "regex", "choice", "grammar", "json_object")


class GrammarError(ValueError):
    """A grammar that cannot be used; `param` is the body's field that holds it."""

    def __init__(self, message: str, param: str):
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Constraint:
    """A grammar: `kind` is json, regex, choice or grammar (Lark or GBNF), `source` its text.

    A schema and a list of choices are given as JSON. `param` is the body's field that holds it.
    """

    kind: str
    source: str
    param: str

    @property
    def key(self) -> str:
        """Tells grammars apart, 32 hexadecimal digits."""
        return hashlib.blake2b(f"{self.kind}:{self.source}".encode(), digest_size=16).hexdigest()


def constraint_of(fields: Mapping[str, Any]) -> Constraint | None:
    """The grammar of the answer's text, by `structured_outputs` or `response_format`; None without
    one. `GrammarError` where there are two, or one that is malformed or too long."""
    found = [_structured(fields.get("structured_outputs")), _format(fields.get("response_format"))]
    given = [each for each in found if each is not None]
    if len(given) > 1:
        message = "one of structured_outputs and response_format, not both"
        raise GrammarError(message, "structured_outputs")
    return given[0] if given else None


def tools_constraint(fields: Mapping[str, Any]) -> Constraint | None:
    """The schema of a forced tool call: of one tool's arguments where `tool_choice` names it, of
    `{"name", "parameters"}` where any is required; None where no call is forced."""
    choice = fields.get("tool_choice")
    if choice in (None, "auto", "none") or not fields.get("tools"):
        return None
    schemas = _tool_schemas(fields["tools"])
    if choice == "required":
        anyone = [_named_call(name, schema) for name, schema in schemas.items()]
        return _of_json({"anyOf": anyone} if len(anyone) > 1 else anyone[0], "tools")
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if name not in schemas:
        allowed = ", ".join(sorted(schemas))
        raise GrammarError(f"tool_choice: no such tool; allowed: {allowed}", "tool_choice")
    return _of_json(schemas[name], "tools")


def _tool_schemas(tools: Any) -> dict[str, Any]:
    """Schemas of arguments by the names of the tools; a tool without one takes any object."""
    schemas: dict[str, Any] = {}
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise GrammarError("tools: each needs a function with a name", "tools")
        schemas[function["name"]] = function.get("parameters") or {"type": "object"}
    if not schemas:
        raise GrammarError("tools: a list of tools is needed", "tools")
    return schemas


def _named_call(name: str, schema: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "parameters": schema},
        "required": ["name", "parameters"],
        "additionalProperties": False,
    }


def _format(given: Any) -> Constraint | None:
    if given is None:
        return None
    kind = given.get("type") if isinstance(given, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return Constraint("json", OBJECT, "response_format")
    outer = given.get("json_schema") if isinstance(given, Mapping) else None
    if kind != "json_schema" or not isinstance(outer, Mapping) or "schema" not in outer:
        message = "response_format: type text, json_object, or json_schema with json_schema.schema"
        raise GrammarError(message, "response_format")
    return _of_json(outer["schema"], "response_format")


def _structured(given: Any) -> Constraint | None:
    if given is None:
        return None
    named = [kind for kind in KINDS if isinstance(given, Mapping) and given.get(kind) is not None]
    if len(named) != 1:
        allowed = ", ".join(KINDS)
        message = f"structured_outputs: exactly one of {allowed} is needed"
        raise GrammarError(message, "structured_outputs")
    [kind] = named
    return _BUILD[kind](given[kind], f"structured_outputs.{kind}")


def _of_json(schema: Any, param: str) -> Constraint:
    if isinstance(schema, str):
        return _checked("json", schema, param)
    if not isinstance(schema, Mapping | bool):
        raise GrammarError(f"{param}: a JSON schema is an object", param)
    return _checked("json", _dumped(schema, param), param)


def _of_text(kind: str, given: Any, param: str) -> Constraint:
    if not isinstance(given, str) or not given:
        raise GrammarError(f"{param}: a string is needed, and not an empty one", param)
    return _checked(kind, given, param)


def _of_choices(given: Any, param: str) -> Constraint:
    sound = isinstance(given, list) and given and all(isinstance(each, str) for each in given)
    if not sound:
        raise GrammarError(f"{param}: a list of strings is needed, and not an empty one", param)
    return _checked("choice", _dumped(given, param), param)


def _dumped(value: Any, param: str) -> str:
    try:
        return json.dumps(value)
    except (RecursionError, TypeError, ValueError):
        raise GrammarError(f"{param}: cannot be written as JSON", param) from None


def _checked(kind: str, source: str, param: str) -> Constraint:
    if len(source) > MAX_SOURCE:
        message = f"{param}: {len(source)} characters; allowed: at most {MAX_SOURCE}"
        raise GrammarError(message, param)
    return Constraint(kind, source, param)


_BUILD: dict[str, Callable[[Any, str], Constraint]] = {
    "json": _of_json,
    "regex": lambda given, param: _of_text("regex", given, param),
    "grammar": lambda given, param: _of_text("grammar", given, param),
    "choice": _of_choices,
    "json_object": lambda given, param: Constraint("json", OBJECT, param),
}
