"""Whole answers of the embedded model: are they valid, and as right as free text?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import jsonschema

from benchmarks.problems import generate
from benchmarks.problems.generator import Problem
from gateway import answers
from gateway.backends.embedded import EmbeddedBackend
from gateway.testing import user
from gateway.types import Candidate, Finished, Json, Sample

ANSWER: Json = {
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": {"type": "string"}},
        "answer": {"type": "integer"},
    },
    "required": ["steps", "answer"],
    "additionalProperties": False,
}
NESTED: Json = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "left": {"type": "integer", "minimum": 0, "maximum": 999},
                    "sign": {"enum": ["+", "-", "*"]},
                    "right": {"type": "integer", "minimum": 0, "maximum": 999},
                    "note": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 12}]},
                },
                "required": ["left", "sign", "right", "note"],
                "additionalProperties": False,
            },
        },
        "result": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "unit": {"type": "string", "maxLength": 9},
            },
            "required": ["value"],
            "additionalProperties": False,
        },
    },
    "required": ["steps", "result"],
    "additionalProperties": False,
}


def format_of(schema: Json) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


async def drawn(backend: EmbeddedBackend, question: str, n: int, **fields: Any) -> list[Candidate]:
    call = Sample("its-demo", user(question), n=n, fields={"max_tokens": 400, **fields})
    events = [event async for event in backend.call(call)]
    return [event.candidate for event in events if isinstance(event, Finished)]


async def validity(backend: EmbeddedBackend, count: int) -> dict[str, int]:
    """Of `count` answers in a nested schema: valid, cut by the limit of tokens, and invalid."""
    found = {"valid": 0, "cut": 0, "invalid": 0}
    problems = list(generate(-(-count // 50), 5, split="test"))
    for problem in problems:
        size = min(50, count - sum(found.values()))
        fields = {"response_format": format_of(NESTED), "seed": 7}
        for candidate in await drawn(backend, problem.json_question, size, **fields):
            cut = candidate.finish_reason == "length"
            found["cut" if cut else "valid" if _is_valid(candidate.text) else "invalid"] += 1
    return found


def _is_valid(text: str) -> bool:
    try:
        jsonschema.validate(json.loads(text), NESTED)
    except (json.JSONDecodeError, jsonschema.ValidationError):
        return False
    return True


async def accuracy(backend: EmbeddedBackend, count: int, each: int) -> dict[str, float]:
    """Shares of right answers: as text, in JSON unconstrained, and constrained by each method."""
    problems = list(generate(count, 11, split="test"))
    json_format = {"response_format": format_of(ANSWER)}
    ways: dict[str, dict[str, Any] | None] = {
        "text": None,
        "json, free": {},
        "json, mask": json_format,
        "json, cars": {**json_format, "its_aligned": {"method": "cars"}},
    }
    return {name: await _accuracy(backend, problems, each, fields) for name, fields in ways.items()}


async def _accuracy(
    backend: EmbeddedBackend, problems: Sequence[Problem], each: int, fields: dict[str, Any] | None
) -> float:
    right = total = 0
    for problem in problems:
        question = problem.question if fields is None else problem.json_question
        candidates = await drawn(backend, question, each, **(fields or {}))
        kept = [c for c in candidates if c.extra.get("stop_reason") != "its_rejected"]
        total += len(kept)
        right += sum(_answer(c.text, in_json=fields is not None) == problem.answer for c in kept)
        await asyncio.sleep(0)
    return right / max(1, total)


def _answer(text: str, *, in_json: bool) -> str | None:
    if not in_json:
        return answers.extract(text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return str(value.get("answer")) if isinstance(value, dict) else None
