"""Candidates from OpenAI's choices, whole or in chunks (pure)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.types import Candidate, Json, Usage

CHOICE_FIELDS = frozenset({"index", "message", "delta", "logprobs", "finish_reason", "token_ids"})
MESSAGE_FIELDS = frozenset({"role", "content", "tool_calls"})
UTF_8 = ("utf-8", "surrogatepass")
"""Takes whatever a string of Python's can hold."""
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
    id: str | None = None,
) -> Candidate:
    """The candidate that a whole choice of a chat completion holds.

    `answer` are fields of the answer around the choice that have no name here; without an `id` it
    gets a fresh one.
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
        id=id or new_id(),
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


class Growing:
    """A choice that comes in chunks, joined as they come: of a chunk, what it says is kept."""

    __slots__ = ("_calls", "_logprobs", "_message", "_rest", "_texts", "_tokens")

    def __init__(self) -> None:
        self._texts: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._message: Json = {}
        self._calls: dict[int, Json] = {}
        self._tokens: list[int] = []
        self._logprobs: list[Any] | None = None
        self._rest: Json = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Join the next chunk's choice, in OpenAI's shape, to those before it."""
        if delta := chunk.get("delta"):
            self._say(delta)
        if logprobs := chunk.get("logprobs"):
            self._logprobs = self._logprobs or []
            self._logprobs.extend(logprobs.get("content") or ())
        if tokens := chunk.get("token_ids"):
            self._tokens.extend(tokens)
        if not chunk.keys() <= CHOICE_FIELDS:
            more = {k: v for k, v in chunk.items() if k not in CHOICE_FIELDS and v is not None}
            self._rest.update(more)
        if reason := chunk.get("finish_reason"):
            self._rest["finish_reason"] = reason

    def whole(self) -> Json:
        """The whole choice that the chunks so far amount to."""
        texts = {key: text.decode(*UTF_8) for key, text in self._texts.items()}
        message: Json = {"role": "assistant", **self._message, **texts}
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        logprobs = None if self._logprobs is None else {"content": self._logprobs}
        tokens = {"token_ids": self._tokens} if self._tokens else {}
        return {
            "finish_reason": None, **self._rest, **tokens, "message": message, "logprobs": logprobs,
        }  # fmt: skip

    def _say(self, delta: Mapping[str, Any]) -> None:
        for key, value in delta.items():
            if isinstance(value, str):
                if key != "role":
                    # Grows in place; a list, or StringIO, would hold each chunk's string.
                    self._texts[key] += value.encode(*UTF_8)
            elif key == "tool_calls":
                for part in value or ():
                    _grow_call(self._calls.setdefault(part.get("index", 0), {}), part)
            elif value is not None:
                self._message[key] = value


def join_chunks(chunks: Iterable[Mapping[str, Any]]) -> Json:
    """The whole choice that the chunks of one index amount to."""
    growing = Growing()
    for chunk in chunks:
        growing.add(chunk)
    return growing.whole()


def _grow_call(call: Json, part: Mapping[str, Any]) -> None:
    function: Json = call.setdefault("function", {"name": "", "arguments": ""})
    for key, value in (part.get("function") or {}).items():
        if isinstance(value, str):
            function[key] = function.get(key, "") + value
    for key in ("id", "type"):
        if part.get(key):
            call[key] = part[key]
