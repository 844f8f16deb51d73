"""Chunks of a choice, joined as they come."""

from __future__ import annotations

import tracemalloc
from typing import Any

from gateway.assembly import Growing, join_chunks


def _chunk(**delta: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}


def test_what_chunks_say_is_joined_and_what_comes_last_stands() -> None:
    entries = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.25}]
    call = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "add"}}
    chunks = [
        _chunk(role="assistant", content=""),
        {**_chunk(content="Größe "), "logprobs": {"content": entries[:1]}, "token_ids": [1, 2]},
        {**_chunk(content="😀\ud800"), "logprobs": {"content": entries[1:]}, "token_ids": [3]},
        _chunk(reasoning="so ", annotations=[1]),
        _chunk(reasoning="it is", annotations=[2], tool_calls=[call]),
        _chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"x"'}}], content=None),
        _chunk(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        {**_chunk(), "finish_reason": "tool_calls", "stop_reason": 7},
    ]
    function = {"name": "add", "arguments": '{"x": 1}'}
    assert join_chunks(chunks) == {
        "message": {
            "role": "assistant",
            "content": "Größe 😀\ud800",
            "reasoning": "so it is",
            "annotations": [2],
            "tool_calls": [{"id": "call-1", "type": "function", "function": function}],
        },
        "logprobs": {"content": entries},
        "token_ids": [1, 2, 3],
        "finish_reason": "tool_calls",
        "stop_reason": 7,
    }
    empty = {"finish_reason": None, "message": {"role": "assistant"}, "logprobs": None}
    assert join_chunks([]) == empty


def test_a_choice_that_grows_keeps_its_text_and_no_chunk() -> None:
    growing, words = Growing(), 20_000
    tracemalloc.start()
    try:
        for word in range(words):
            growing.add(_chunk(content=f" {word:07}"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = growing.whole()["message"]["content"]
    assert len(text) == 8 * words
    assert kept < 1.2 * len(text) + 4096
