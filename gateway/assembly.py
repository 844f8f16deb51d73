"""Candidates from OpenAI's choices, whole or in chunks (pure)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.types import Candidate, Json, Usage

CHOICE_FIELDS = frozenset({"index", "message", "delta", "logprobs", "finish_reason", "token_ids"})
MESSAGE_FIELDS = frozenset({"role", "content", "tool_calls"})
REASONING_FIELDS = ("reasoning", "reasoning_content")


def new_id() -> str:
    return f"cand-{os.urandom(12).hex()}"


def candidate_from_choice(
    choice: Mapping[str, Any],
    *,
    model: str,
    prompt_token_ids: tuple[int, ...] = (),
    usage: Usage | None = None,
    answer: Mapping[str, Any] | None = None,
) -> Candidate:
    """The candidate that a whole choice of a chat completion holds.

    `answer` are fields of the answer around the choice that have no name here.
    """
    message: Mapping[str, Any] = choice.get("message") or {}
    content = message.get("content")
    extra: Json = {}
    if not choice.keys() <= CHOICE_FIELDS:
        extra = {key: value for key, value in choice.items() if key not in CHOICE_FIELDS}
    more = extra["message"] = {}
    reasoning = ""
    if not message.keys() <= MESSAGE_FIELDS:
        more |= {key: value for key, value in message.items() if key not in MESSAGE_FIELDS}
        reasoning = next((more[key] for key in REASONING_FIELDS if more.get(key)), "")
    if answer:
        extra["answer"] = answer
    return Candidate(
        id=new_id(),
        text=content if isinstance(content, str) else "",
        reasoning=reasoning,
        token_ids=tuple(choice.get("token_ids") or ()),
        prompt_token_ids=prompt_token_ids,
        logprobs=choice.get("logprobs"),
        model=model,
        finish_reason=choice.get("finish_reason") or "stop",
        tool_calls=tuple(message.get("tool_calls") or ()),
        usage=usage,
        extra=extra,
    )


def join_chunks(chunks: Iterable[Mapping[str, Any]]) -> Json:
    """The whole choice that the chunks of one index amount to."""
    whole: Json = {"message": {"role": "assistant"}, "finish_reason": None, "logprobs": None}
    calls: dict[int, Json] = {}
    tokens: list[int] = []
    for chunk in chunks:
        for key, value in chunk.items():
            if value is None:
                continue
            if key == "delta":
                _grow_message(whole["message"], calls, value)
            elif key == "logprobs":
                _grow_logprobs(whole, value)
            elif key == "token_ids":
                tokens.extend(value)
            else:
                whole[key] = value
    if calls:
        whole["message"]["tool_calls"] = [calls[index] for index in sorted(calls)]
    if tokens:
        whole["token_ids"] = tokens
    return whole


def _grow_message(message: Json, calls: dict[int, Json], delta: Mapping[str, Any]) -> None:
    for key, value in delta.items():
        if key == "tool_calls":
            for part in value or ():
                _grow_call(calls.setdefault(part.get("index", 0), {}), part)
        elif isinstance(value, str) and key != "role":
            message[key] = (message.get(key) or "") + value
        elif value is not None:
            message[key] = value


def _grow_call(call: Json, part: Mapping[str, Any]) -> None:
    function: Json = call.setdefault("function", {"name": "", "arguments": ""})
    for key, value in (part.get("function") or {}).items():
        if isinstance(value, str):
            function[key] = function.get(key, "") + value
    for key in ("id", "type"):
        if part.get(key):
            call[key] = part[key]


def _grow_logprobs(whole: Json, logprobs: Mapping[str, Any] | None) -> None:
    if not logprobs:
        return
    if whole["logprobs"] is None:
        whole["logprobs"] = {"content": []}
    whole["logprobs"]["content"].extend(logprobs.get("content") or ())
