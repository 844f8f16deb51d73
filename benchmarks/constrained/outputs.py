"""Whole answers of the embedded model: are they valid, and as right as free text?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
import numpy as np

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.problems import generate
from benchmarks.problems.generator import Problem
from gateway import answers
from gateway.backends.embedded import EmbeddedBackend
from gateway.grammar import REJECTED
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


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is asked for: in words or in JSON, and with which fields."""

    in_json: bool
    fields: Json


IN_JSON: Json = {"response_format": format_of(ANSWER)}
FORMS = {
    "words": Form(False, {}),
    "json, free": Form(True, {}),
    "json, mask": Form(True, IN_JSON),
    "json, asap": Form(True, {**IN_JSON, "its_aligned": {"method": "asap"}}),
    "json, cars": Form(True, {**IN_JSON, "its_aligned": {"method": "cars"}}),
}


async def accuracy(backend: EmbeddedBackend, count: int, each: int) -> dict[str, dict[str, Any]]:
    """Of each form, on the same problems and by the same seeds: the share of right answers, and
    how much more that is than in free JSON and in words; with 95% intervals over the problems.

    What CARS gives up is no answer, and is told as `rejected`; `invalid` is no JSON of the form.
    """
    problems = list(generate(count, 11, split="test"))
    counted = {name: await _counted(backend, problems, each, form) for name, form in FORMS.items()}
    resamples = Resamples(count, 11, 10_000)
    shares = {name: right / np.maximum(1, kept) for name, (right, kept, _) in counted.items()}
    return {
        name: {
            "right": resamples.ratio(right, kept).json(),
            "more than json, free": resamples.mean(shares[name] - shares["json, free"]).json(),
            "more than words": resamples.mean(shares[name] - shares["words"]).json(),
            "rejected": round(count * each - kept.sum()),
            "invalid": invalid,
        }
        for name, (right, kept, invalid) in counted.items()
    }


async def _counted(
    backend: EmbeddedBackend, problems: Sequence[Problem], each: int, form: Form
) -> tuple[Floats, Floats, int]:
    """Right answers and answers [problems], and how many of these could not be read."""
    right, kept = np.zeros(len(problems)), np.zeros(len(problems))
    invalid = 0
    for at, problem in enumerate(problems):
        question = problem.json_question if form.in_json else problem.question
        drawn_ = await drawn(backend, question, each, seed=5, **form.fields)
        whole = [c for c in drawn_ if c.extra.get("stop_reason") != REJECTED]
        told = [_answer(c.text, in_json=form.in_json) for c in whole]
        kept[at] = len(told)
        right[at] = sum(answer == problem.answer for answer in told)
        invalid += told.count(None)
    return right, kept, invalid


def _answer(text: str, *, in_json: bool) -> str | None:
    if not in_json:
        return answers.extract(text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return str(value["answer"]) if isinstance(value, dict) and "answer" in value else None
