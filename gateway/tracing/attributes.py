"""What spans and events say, as plain values under the names of the `gen_ai.*` conventions (pure).

Nothing here holds content but what `inputs` and `outputs` give. Strings are cut at `LONGEST`
characters: the model's name and the verifier's label can be a client's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.run import Answer
from gateway.types import Candidate, Json, Message, Request, Sample, Score, Usage

LONGEST = 128
Value = str | bool | int | float | list[str]
Attributes = dict[str, Value]

NUMBERS: dict[str, tuple[str, Callable[[Any], Value]]] = {
    "seed": ("gen_ai.request.seed", int),
    "top_k": ("gen_ai.request.top_k", float),
    "top_p": ("gen_ai.request.top_p", float),
    "temperature": ("gen_ai.request.temperature", float),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "max_completion_tokens": ("gen_ai.request.max_tokens", int),
}
"""Body field -> attribute and its type; a field of another type is left out."""

VERDICTS = {True: "pass", False: "fail"}


def of_call(call: Sample, upstream: str) -> Attributes:
    """What is asked of `upstream` (`gen_ai.provider.name`), for each candidate of `call`."""
    told = _operation(call.model, upstream)
    if call.n != 1:
        told["gen_ai.request.choice.count"] = call.n
    if call.stream:
        told["gen_ai.request.stream"] = True
    for name, (attribute, kind) in NUMBERS.items():
        value = call.fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            told[attribute] = kind(value)
    return told


def of_candidate(candidate: Candidate) -> Attributes:
    """What came of a candidate; without usage where the upstream counted several together."""
    told: Attributes = {
        "gen_ai.response.id": candidate.id,
        "gen_ai.response.model": _cut(candidate.model),
        "gen_ai.response.finish_reasons": [_cut(candidate.finish_reason)],
    }
    return told if candidate.usage is None else {**told, **_usage(candidate.usage)}


def of_request(request: Request, strategy: str, request_id: str, upstream: str) -> Attributes:
    """What the client asked for."""
    told = _operation(request.model, upstream)
    if request.choices != 1:
        told["gen_ai.request.choice.count"] = request.choices
    return {**told, "its.strategy": strategy, "its.request_id": request_id}


def of_answer(answer: Answer, choices: int) -> Attributes:
    """What the client gets; usage is the total of all calls, judges included."""
    outcome = answer.outcome
    given = outcome.candidates[:choices]
    told: Attributes = {
        "gen_ai.response.model": _cut(given[0].model),
        "gen_ai.response.finish_reasons": [_cut(each.finish_reason) for each in given],
        **_usage(answer.usage),
        "its.samples": answer.samples,
        "its.stop": outcome.stop,
    }
    if outcome.degraded:
        told["its.degraded"] = list(outcome.degraded)
    if outcome.confidence is not None:
        told["its.confidence"] = outcome.confidence
    return told


def of_evaluation(
    verifier: str, candidate: Candidate, score: Score, *, content: bool
) -> Attributes:
    """A `gen_ai.evaluation.result`; its label is pass, fail or unjudged, or absent for a score."""
    told: Attributes = {"gen_ai.evaluation.name": verifier, "gen_ai.response.id": candidate.id}
    if not score.judged:
        return {**told, "gen_ai.evaluation.score.label": "unjudged"}
    told["gen_ai.evaluation.score.value"] = float(score.value)
    if score.passed is not None:
        told["gen_ai.evaluation.score.label"] = VERDICTS[score.passed]
    if content and score.reason:
        told["gen_ai.evaluation.explanation"] = score.reason
    return told


def inputs(messages: Sequence[Message]) -> Attributes:
    """The conversation, in the conventions' shape, as JSON."""
    told = [{"role": str(each.get("role")), "parts": _parts(each)} for each in messages]
    return {"gen_ai.input.messages": json.dumps(told)}


def outputs(candidate: Candidate) -> Attributes:
    """The candidate's text, reasoning and tool calls, in the conventions' shape, as JSON."""
    parts: list[Json] = []
    if candidate.reasoning:
        parts.append({"type": "reasoning", "content": candidate.reasoning})
    if candidate.text:
        parts.append({"type": "text", "content": candidate.text})
    parts += [_tool_call(call) for call in candidate.tool_calls]
    message = {"role": "assistant", "parts": parts, "finish_reason": candidate.finish_reason}
    return {"gen_ai.output.messages": json.dumps([message])}


def _parts(message: Message) -> list[Json]:
    content = message.get("content")
    if message.get("role") == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id")}
        return [{**answer, "response": content}]
    parts: list[Json] = []
    if isinstance(content, str):
        parts.append({"type": "text", "content": content})
    elif isinstance(content, list):
        # Only text is told: an image's address may be the image itself.
        parts += [
            {"type": "text", "content": part["text"]}
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
            else {"type": "omitted"}
            for part in content
        ]
    return parts + [_tool_call(call) for call in message.get("tool_calls") or ()]


def _tool_call(call: Mapping[str, Any]) -> Json:
    function = call.get("function") or {}
    told = {"id": call.get("id"), "name": function.get("name")}
    return {"type": "tool_call", **told, "arguments": function.get("arguments")}


def _operation(model: str, upstream: str) -> Attributes:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": upstream,
        "gen_ai.request.model": _cut(model),
    }


def _usage(usage: Usage) -> Attributes:
    told: Attributes = {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
    }
    if usage.cached_tokens:
        told["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens:
        told["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    return told


def _cut(text: str) -> str:
    return text[:LONGEST]
