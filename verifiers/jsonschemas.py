"""Validation against JSON schemas that may be hostile; a helper of `schema`, not a verifier."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway import answers

HEAVY = re.compile(r'"(?:pattern|patternProperties|uniqueItems|unevaluated\w+|\$\w*[rR]ef)"')
"""Keywords whose cost can grow faster than the schema and the text; sought in its JSON."""
MAX_MESSAGE = 200


class Problem(NamedTuple):
    """What is wrong with a text; without `invalid`, why that could not be decided ("": nothing)."""

    invalid: bool
    reason: str = ""


def schema_problem(source: str) -> str:
    """Why the JSON text `source` is no JSON schema, or ""."""
    try:
        schema = answers.parse_json(source)
        if not isinstance(schema, dict | bool):
            return "it is neither an object nor a boolean"
        if isinstance(schema, dict) and not isinstance(schema.get("$schema", ""), str):
            return "$schema is not a string"
        # No format is checked: "regex" means ECMA's there, and Python's is another language.
        _class(schema).check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        return error.message[:MAX_MESSAGE]
    except RecursionError:
        return "it is nested too deep"
    except ValueError as error:
        return str(error)[:MAX_MESSAGE]
    return ""


def text_problem(text: str, source: str) -> Problem:
    """Why `text` is not a JSON text that satisfies the schema `source`.

    Both travel as text: pickling what is nested deep would break the pool of workers.
    """
    try:
        value = answers.parse_json(text)
    except ValueError as error:
        return Problem(True, f"not JSON: {str(error)[:MAX_MESSAGE]}")
    try:
        schema = answers.parse_json(source)
        # An empty registry: a schema must never make the gateway fetch anything.
        found = best_match(_class(schema)(schema, registry=Registry()).iter_errors(value))
    except Unresolvable as missing:
        return Problem(False, f"the schema refers to what is not in it: {missing.ref[:80]!r}")
    except re.error as wrong:
        return Problem(False, f"a pattern that cannot be read: {wrong}")
    except RecursionError:
        return Problem(False, "nested too deep")
    except ValueError as error:
        return Problem(False, str(error)[:MAX_MESSAGE])
    return Problem(True, found.message[:MAX_MESSAGE]) if found else Problem(False)


def _class(schema: Any) -> Any:
    return validator_for(schema, default=Draft202012Validator)
