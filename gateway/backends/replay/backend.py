"""The seam's view of recorded answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from typing import Any

from gateway.backends.replay.draws import Draws
from gateway.backends.replay.pace import Line, written
from gateway.backends.replay.records import Problem, Recording
from gateway.calls import max_tokens_of
from gateway.errors import Unsupported, UpstreamRejected
from gateway.types import Call, Capabilities, Event, Json, Message, Passthrough, Relayed, Sample

CANNOT = {
    "logprobs": "recorded answers have no logprobs",
    "prompt_logprobs": "recorded answers have no logprobs",
    "tools": "recorded answers call no tools",
    "response_format": "recorded answers keep to no format",
    "structured_outputs": "recorded answers keep to no format",
    "continue_final_message": "a recorded answer cannot be continued from a prefix",
}
"""Fields that ask of an answer what was not recorded; all other sampling fields change nothing."""
CAN = Capabilities(**{each.name: each.name == "n" for each in fields(Capabilities)})


class ReplayBackend:
    """Answers a recorded problem with one of its recorded answers, `\\boxed{…}`, and its tokens.

    A recorded answer cut by `max_tokens`, or one that is empty, is an empty text with
    `finish_reason` "length". Prompts were not counted: their tokens are 0. A choice's `replay`
    names problem and record. `rate` is tokens a second of each candidate, 0 for at once.
    ValueError where two recordings would be one model.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        name: str = "replay",
        rate: float = 0.0,
        seed: int | None = None,
    ):
        self.name = name
        self._recordings = {each.model: each for each in recordings}
        self._rate = rate
        self._draws = Draws(seed)
        if len(self._recordings) < len(recordings):
            raise ValueError("two recordings have the same name")

    async def models(self) -> list[str]:
        return list(self._recordings)

    def capabilities(self, model: str) -> Capabilities:
        return CAN

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        """`UpstreamRejected` for an unknown model or problem, and for what was not recorded."""
        recording = self._recording(request.model)
        if not isinstance(request, Sample):
            raise Unsupported("recorded answers come without the numbers of their model")
        _check(request)
        problem = _asked(recording, request.messages)
        limit = max_tokens_of(request.fields)
        drawn = self._draws.take(recording.model, problem, request.n, request.fields.get("seed"))
        lines = [_line(problem, index, limit) for index in drawn]
        events = written(lines, recording.model, rate=self._rate, stream=request.stream)
        async with aclosing(events):
            async for event in events:
                yield event

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        """No endpoint but chat completions was recorded."""
        self._recording(request.model)
        raise refused(404, f"{request.path}: only chat completions were recorded")
        yield  # what makes this a generator

    async def close(self) -> None:
        return None

    def _recording(self, model: str) -> Recording:
        if model not in self._recordings:
            message = f"the model {model!r} does not exist here"
            raise refused(404, message, param="model", code="model_not_found")
        return self._recordings[model]


def _check(request: Sample) -> None:
    asked: Mapping[str, Any] = {**request.fields}
    if request.prefix:
        asked = {**asked, "continue_final_message": True}
    for field, reason in CANNOT.items():
        if asked.get(field) and asked[field] != {"type": "text"}:
            raise refused(400, f"{field}: {reason}", param=field)
    if request.n < 1:
        raise refused(400, "n: must be at least 1", param="n")


def _asked(recording: Recording, messages: Sequence[Message]) -> Problem:
    """The problem of the last user message; a 400 that names what is allowed."""
    said = next((each for each in reversed(messages) if each.get("role") == "user"), {})
    problem = recording.find(_text(said.get("content")))
    if problem is None:
        message = (
            f"messages: the last user message holds no problem recorded of {recording.model}; "
            f"allowed: {recording.allowed}"
        )
        raise refused(400, message, param="messages", code="unknown_problem")
    return problem


def _text(content: Any) -> str:
    """The words of a message, whose content is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _line(problem: Problem, index: int, limit: int | None) -> Line:
    answer, tokens = problem.answers[index]
    record: Json = {"problem": problem.label, "record": index}
    if limit is not None and limit < tokens:
        return Line("", limit, "length", record)
    if answer is None:
        return Line("", tokens, "length", record)
    return Line(f"\\boxed{{{answer}}}", tokens, "stop", record)


def refused(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> UpstreamRejected:
    """A 4xx in OpenAI's shape."""
    kind = "invalid_request_error"
    error: Json = {"message": message, "type": kind, "param": param, "code": code}
    return UpstreamRejected(status, {"error": error})
