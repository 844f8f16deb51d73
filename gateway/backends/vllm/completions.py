"""Text completions, where a candidate is continued by its exact token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.backends.vllm.chat import STREAM_OPTIONS
from gateway.types import Json, Sample

COMPLETIONS = "/v1/completions"
CHAT_ONLY = frozenset(
    {
        "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
        "logprobs", "top_logprobs", "max_completion_tokens", "add_generation_prompt",
        "continue_final_message", "chat_template", "chat_template_kwargs", "documents",
        "reasoning_effort", "include_reasoning",
    }
)  # fmt: skip
"""Fields of a chat that a completion does not have, or calls otherwise."""


def body_of(request: Sample, prompt: Sequence[int], room: int) -> Json:
    """The body that continues `prompt`; by at most `room` tokens where the client set no limit."""
    fields = request.fields
    body = {name: value for name, value in fields.items() if name not in CHAT_ONLY}
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens") or room
    body |= {"model": request.model, "prompt": prompt, "n": request.n, "max_tokens": limit}
    if fields.get("logprobs"):
        body["logprobs"] = fields.get("top_logprobs") or 0
    if request.stream:
        body |= {"stream": True, "stream_options": STREAM_OPTIONS}
    return body


def as_chat(choice: Json) -> Json:
    """A completion's choice in the shape of a chat's."""
    return _shaped(choice, "message")


def as_chunk(choice: Json) -> Json:
    """A chunk of it."""
    return _shaped(choice, "delta")


def _shaped(choice: Json, name: str) -> Json:
    rest = {k: v for k, v in choice.items() if k not in ("text", "logprobs", "prompt_token_ids")}
    said = {"role": "assistant", "content": choice.get("text") or ""}
    return {**rest, name: said, "logprobs": _logprobs(choice.get("logprobs"))}


def _logprobs(told: Mapping[str, Any] | None) -> Json | None:
    """Lists side by side -> OpenAI's newer shape, an entry a token."""
    if not told:
        return None
    values, tops = told.get("token_logprobs") or (), told.get("top_logprobs") or ()
    entries = []
    for place, token in enumerate(told.get("tokens") or ()):
        top = (tops[place] if place < len(tops) else None) or {}
        others = [_entry(name, value) for name, value in top.items()]
        entries.append({**_entry(token, values[place]), "top_logprobs": others})
    return {"content": entries}


def _entry(token: str, logprob: float | None) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
