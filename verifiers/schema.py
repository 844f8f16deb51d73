"""Structured output: does it satisfy the schema that the request asks for?"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from gateway import Candidate, InvalidRequest, Score, Session, answers, verifier
from verifiers import jsonschemas

OBJECT = '{"type":"object"}'
MAX_IN_PLACE = 20_000
"""Characters of schema and text; longer ones are validated in a worker."""


class _Task(NamedTuple):
    """One JSON text that must satisfy one schema, itself as JSON."""

    text: str
    schema: str


@verifier(binary=True, pointwise=True, preload=("jsonschema",))
async def schema(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    seconds: Annotated[
        float, Field(gt=0, le=30, description="Time limit for one validation, in seconds.")
    ] = 2.0,
) -> list[Score]:
    """Pass candidates that are valid for the request's JSON schema: 1.0, and 0.0 for the others.

    The text is checked against `response_format` (`json_schema` or `json_object`), and the
    arguments of each tool call against that tool's `parameters`. Schemas are read as Draft 2020-12
    unless `$schema` says otherwise; a reference to another document is never followed. `key` is
    the canonical JSON. NaN where the request has no schema for the candidate, or where validation
    takes longer than `seconds`. InvalidRequest where a schema is not one.
    """
    fields = session.request.fields
    wanted = _wanted(fields)
    tools = _tools(fields)
    if not candidates:
        return []
    await _check(session, "response_format", wanted, seconds)
    for parameters in tools.values():
        await _check(session, "tools", parameters, seconds)
    scores = (_score(session, c, wanted, tools, seconds) for c in candidates)
    return list(await asyncio.gather(*scores))


def _wanted(fields: Mapping[str, Any]) -> str | None:
    """The schema of the text as JSON, or None where the request sets none."""
    response_format = fields.get("response_format")
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    if not isinstance(response_format, Mapping) or kind not in ("json_object", "json_schema"):
        return None
    if kind == "json_object":
        return OBJECT
    outer = response_format.get("json_schema")
    if not isinstance(outer, Mapping) or "schema" not in outer:
        raise InvalidRequest("response_format has no schema", param="response_format")
    return _source("response_format", outer["schema"])


def _source(param: str, wanted: Any) -> str:
    try:
        return json.dumps(wanted)
    except (RecursionError, TypeError, ValueError):
        raise InvalidRequest(f"{param} cannot be written as JSON", param=param) from None


def _tools(fields: Mapping[str, Any]) -> dict[str, str]:
    """Each tool's schema as JSON by name; a tool without one takes any object."""
    tools = fields.get("tools")
    functions = [
        tool["function"]
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping)
    ]
    return {
        str(f.get("name")): _source("tools", f["parameters"]) if f.get("parameters") else OBJECT
        for f in functions
    }


async def _check(session: Session, param: str, wanted: str | None, seconds: float) -> None:
    if wanted is None:
        return
    try:
        if _is_light(wanted, ""):
            problem = jsonschemas.schema_problem(wanted)
        else:
            problem = await session.compute(jsonschemas.schema_problem, wanted, seconds=seconds)
    except TimeoutError:
        problem = "it takes too long to check"
    if problem:
        raise InvalidRequest(f"{param} is not a usable JSON schema: {problem}", param=param)


async def _score(
    session: Session,
    candidate: Candidate,
    wanted: str | None,
    tools: Mapping[str, str],
    seconds: float,
) -> Score:
    if candidate.tool_calls:
        calls = [_call(call) for call in candidate.tool_calls]
        unknown = [name for name, _ in calls if name not in tools]
        if unknown:
            return Score(0.0, passed=False, reason=f"no tool is named {unknown[0][:80]!r}")
        tasks = [_Task(text, tools[name]) for name, text in calls]
        key = answers.tool_calls_key(candidate.tool_calls)
    elif wanted is not None:
        tasks = [_Task(candidate.text, wanted)]
        key = answers.json_key(candidate.text) or ""
    else:
        return Score(math.nan, reason="the request has no schema for this text")
    problems = [await _problem(session, task, seconds) for task in tasks]
    shown = answers.shortened(key) if key else None
    if failed := next((p for p in problems if p.invalid), None):
        return Score(0.0, key=shown, passed=False, reason=failed.reason)
    if undecided := next((p for p in problems if p.reason), None):
        return Score(math.nan, key=shown, reason=undecided.reason)
    return Score(1.0, key=shown, passed=True)


def _call(call: Mapping[str, Any]) -> tuple[str, str]:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return "", ""
    return str(function.get("name")), str(function.get("arguments") or "{}")


async def _problem(session: Session, task: _Task, seconds: float) -> jsonschemas.Problem:
    if _is_light(task.schema, task.text):
        return jsonschemas.text_problem(task.text, task.schema)
    try:
        return await session.compute(
            jsonschemas.text_problem, task.text, task.schema, seconds=seconds
        )
    except TimeoutError:
        return jsonschemas.Problem(False, "validation took too long")


def _is_light(wanted: str, text: str) -> bool:
    """Whether validation ends soon whatever the text: no regexes, references or large inputs."""
    return len(wanted) + len(text) <= MAX_IN_PLACE and not jsonschemas.HEAVY.search(wanted)
