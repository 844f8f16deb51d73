"""A conversation whose answer has begun."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.types import Message


def begun(messages: Sequence[Message], prefix: str, *, joined: bool) -> list[Message]:
    """The conversation with the beginning of the answer in it, as the last message.

    With `joined` the last message is that of the assistant already, and `prefix` lengthens it.
    """
    if not prefix:
        return list(messages)
    if joined and messages and isinstance(messages[-1].get("content"), str):
        return [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + prefix}]
    return [*messages, {"role": "assistant", "content": prefix}]
