"""Candidates and answers as bytes: a version, then compressed JSON, log-probabilities apart.

Layout: one byte of version, one of flags, four of the length of the first part, the first part (all
but log-probabilities), the second (log-probabilities, or nothing). Flags tell which parts are zstd.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import zstandard

from gateway.run import Answer
from gateway.types import Candidate, Outcome, Score, Usage

VERSION = 1
HEAD = struct.Struct(">BBI")
SMALL = 256
"""Bytes below which compressing costs more than it saves."""
LARGEST = 64 * 2**20
"""No more is unpacked, whatever a frame says of itself."""
SQUEEZE, LOOSEN = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()
"""Making one takes longer than a candidate takes it. They keep nothing between two calls, but are
for one thread."""


class Unreadable(ValueError):
    """Bytes that this version did not write."""


class LaterMapping(Mapping[str, Any]):
    """A JSON object that is read when somebody looks into it."""

    def __init__(self, packed: memoryview, *, squeezed: bool):
        self._packed = packed
        self._squeezed = squeezed
        self._read: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read())

    def __len__(self) -> int:
        return len(self.read())

    def read(self) -> dict[str, Any]:
        """The object itself."""
        if self._read is None:
            self._read = orjson.loads(_loosen(self._packed) if self._squeezed else self._packed)
        return self._read


def pack(candidate: Candidate, provenance: Mapping[str, Any]) -> bytes:
    """`candidate`, and where it came from."""
    told = {name: getattr(candidate, name) for name in _PLAIN if getattr(candidate, name)}
    if candidate.usage is not None:
        told["usage"] = _usage(candidate.usage)
    if candidate.extra:
        told["extra"] = candidate.extra
    first, one = _squeeze(orjson.dumps({**told, "from": provenance}))
    logprobs = plain(candidate.logprobs)
    second, two = (b"", False) if logprobs is None else _squeeze(orjson.dumps(logprobs))
    return HEAD.pack(VERSION, one | two << 1, len(first)) + first + second


def unpack(packed: bytes) -> Candidate:
    """The candidate; its log-probabilities are read when they are asked for."""
    told, second, squeezed = _parts(packed)
    told.pop("from", None)
    for name in ("token_ids", "prompt_token_ids", "tool_calls"):
        if name in told:
            told[name] = tuple(told[name])
    usage = told.pop("usage", None)
    return Candidate(
        **{"text": "", **told},
        usage=None if usage is None else Usage(*usage),
        logprobs=LaterMapping(second, squeezed=squeezed) if second else None,
    )


def provenance(packed: bytes) -> dict[str, Any]:
    """Where a packed candidate came from."""
    told: dict[str, Any] = _parts(packed)[0].get("from", {})
    return told


def pack_answer(answer: Answer) -> bytes:
    """An answer, with its candidates and their scores."""
    outcome = answer.outcome
    told = {
        "candidates": [candidate_json(candidate) for candidate in outcome.candidates],
        "scores": [score_json(score) for score in outcome.scores],
        "outcome": [outcome.stop, outcome.confidence, outcome.support, outcome.evidence,
                    outcome.fused],
        "samples": answer.samples, "usage": _usage(answer.usage), "drawn": answer.drawn,
    }  # fmt: skip
    first, one = _squeeze(orjson.dumps(told))
    return HEAD.pack(VERSION, int(one), len(first)) + first


def unpack_answer(packed: bytes) -> Answer:
    """The answer that was packed."""
    told, _, _ = _parts(packed)
    stop, confidence, support, evidence, fused = told["outcome"]
    outcome = Outcome(
        [candidate_of(each) for each in told["candidates"]], stop, confidence, support,
        [score_of(each) for each in told["scores"]], evidence=evidence, fused=fused,
    )  # fmt: skip
    usage = Usage(*told["usage"])
    return Answer(outcome, told["samples"], usage, False, tuple(told["drawn"]))


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """A candidate as JSON, log-probabilities included."""
    told = {name: getattr(candidate, name) for name in _PLAIN if getattr(candidate, name)}
    if candidate.usage is not None:
        told["usage"] = _usage(candidate.usage)
    if candidate.logprobs is not None:
        told["logprobs"] = plain(candidate.logprobs)
    if candidate.extra:
        told["extra"] = candidate.extra
    return told


def candidate_of(told: Mapping[str, Any]) -> Candidate:
    """The candidate of `candidate_json`."""
    fields = {"text": "", **told}
    for name in ("token_ids", "prompt_token_ids", "tool_calls"):
        fields[name] = tuple(fields.get(name, ()))
    if "usage" in fields:
        fields["usage"] = Usage(*fields["usage"])
    return Candidate(**fields)


def score_json(score: Score) -> list[Any]:
    """A score as JSON, where NaN is null."""
    value = score.value if score.judged else None
    return [value, score.steps, score.key, score.passed, score.reason]


def score_of(told: list[Any]) -> Score:
    """The score of `score_json`."""
    value, steps, key, passed, reason = told
    return Score(float("nan") if value is None else value, tuple(steps), key, passed, reason)


def plain(mapping: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What orjson can write."""
    if mapping is None or isinstance(mapping, dict):
        return mapping
    return mapping.read() if isinstance(mapping, LaterMapping) else dict(mapping)


_PLAIN = ("id", "text", "reasoning", "token_ids", "prompt_token_ids", "parent", "model",
          "finish_reason", "tool_calls")  # fmt: skip


def _usage(usage: Usage) -> list[int]:
    return [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens,
            usage.reasoning_tokens]  # fmt: skip


def _parts(packed: bytes) -> tuple[dict[str, Any], memoryview, bool]:
    view = memoryview(packed)  # log-probabilities are the most of it, and seldom looked at
    try:
        version, flags, length = HEAD.unpack_from(packed)
        if version != VERSION:
            raise Unreadable(f"version {version}")
        first = view[HEAD.size : HEAD.size + length]
        told = orjson.loads(_loosen(first) if flags & 1 else first)
    except (struct.error, orjson.JSONDecodeError, zstandard.ZstdError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(told, dict):
        raise Unreadable("not an object")
    return told, view[HEAD.size + length :], bool(flags & 2)


def _squeeze(content: bytes) -> tuple[bytes, bool]:
    if len(content) < SMALL:
        return content, False
    return SQUEEZE.compress(content), True


def _loosen(content: memoryview) -> bytes:
    if not 0 <= zstandard.frame_content_size(content) <= LARGEST:
        raise Unreadable("too large, or of unknown size")
    return LOOSEN.decompress(content)
