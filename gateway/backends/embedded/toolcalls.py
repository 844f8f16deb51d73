"""The text of a forced tool call as the call that it is."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import orjson

from gateway.types import Candidate, Delta, Json


def called(candidate: Candidate, tool: str) -> Candidate:
    """`candidate` as a call of `tool`, or of the tool that it names where that is "".

    Where it was cut before its arguments were whole, it stays the text that it is.
    """
    try:
        written = orjson.loads(candidate.text)
        name, arguments = (tool, candidate.text) if tool else _named(written)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return candidate
    call = {
        "id": f"call-{uuid4().hex}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    # As OpenAI tells them: a call that the client named itself ends like any text.
    finish = candidate.finish_reason if tool else "tool_calls"
    return replace(candidate, text="", tool_calls=(call,), finish_reason=finish)


def told(index: int, candidate: Candidate) -> Delta:
    """A chunk that tells all of a call at once."""
    delta: Json = {"content": candidate.text}
    if candidate.tool_calls:
        calls = enumerate(candidate.tool_calls)
        delta = {"tool_calls": [{"index": at, **call} for at, call in calls]}
    choice = {
        "index": index,
        "delta": delta,
        "logprobs": candidate.logprobs,
        "finish_reason": candidate.finish_reason,
    }
    return Delta(index, choice, len(candidate.token_ids))


def _named(written: Json) -> tuple[str, str]:
    return written["name"], orjson.dumps(written["parameters"]).decode()
