"""OpenAI's wire format to our types and back (pure)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Candidate, Json, Request, Usage
from gateway.wishes import BodyWishes

OWN_FIELDS = frozenset({"model", "messages", "n", "stream", "stream_options", "its"})
"""Fields of the body that the gateway answers itself; all others go to the upstream unchanged."""


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class ChatMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    role: str = Field(min_length=1)
    content: str | list[dict[str, Any]] | None = None


class ChatRequest(BaseModel):
    """`POST /v1/chat/completions`: what the gateway must understand; the rest passes through.

    Fields that the gateway does not name here (`top_k`, `structured_outputs`, …) are accepted and
    reach the upstream as they are, which judges them.
    """

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(min_length=1, description="Model, or `model@preset`.")
    messages: list[ChatMessage] = Field(min_length=1)
    n: Annotated[int, Field(ge=1, le=128)] | None = Field(
        None, description="Choices wanted, best first."
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    its: BodyWishes | None = Field(None, description="The policy, as in the `X-ITS-*` headers.")


@dataclass(frozen=True, slots=True)
class Chat:
    """A parsed chat request: `alias` is what followed `@` in the model's name.

    With `continuous_usage` each relayed chunk says what its choice has cost so far, as vLLM's do.
    """

    request: Request
    wishes: BodyWishes
    alias: str | None
    stream: bool
    include_usage: bool
    continuous_usage: bool
    logprobs: bool
    token_ids: bool


def parse_json(body: bytes) -> Json:
    """The body as a JSON object, or `InvalidRequest`."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"the body is not valid JSON: {error}"
        raise InvalidRequest(message, code="invalid_json") from None
    if not isinstance(raw, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    return raw


def parse_chat(body: bytes, *, is_model: Any = lambda name: False) -> Chat:
    """The request in `body`; `InvalidRequest` names the first field that is wrong.

    `is_model(name)` tells whether a name with an `@` in it is a model's own.
    """
    raw = parse_json(body)
    try:
        checked = ChatRequest.model_validate(raw)
    except ValidationError as error:
        raise _field_error(error) from None
    model, alias = split_model(checked.model, is_model)
    wishes = checked.its or BodyWishes()
    fields = {k: v for k, v in raw.items() if k not in OWN_FIELDS and v is not None}
    options = checked.stream_options
    return Chat(
        request=Request(
            model=model,
            messages=raw["messages"],
            choices=checked.n or 1,
            reference=wishes.reference,
            tests=wishes.tests,
            fields=fields,
        ),
        wishes=wishes,
        alias=alias,
        stream=bool(checked.stream),
        include_usage=bool(options and options.include_usage),
        continuous_usage=bool(options and options.continuous_usage_stats),
        logprobs=bool(checked.logprobs),
        token_ids=bool(raw.get("return_token_ids")),
    )


def split_model(name: str, is_model: Any = lambda name: False) -> tuple[str, str | None]:
    """`"qwen@careful"` -> `("qwen", "careful")`; a model's own name is left whole."""
    model, mark, alias = name.rpartition("@")
    if not mark or is_model(name):
        return name, None
    if not model or not alias:
        raise InvalidRequest("model: write `model@preset`", param="model", code="invalid_value")
    return model, alias


def _field_error(error: ValidationError) -> InvalidRequest:
    errors = error.errors(include_url=False, include_input=False)
    first = errors[0]
    # A union's location ends in the names of its members, which are not the client's words.
    where = [part for part in first["loc"] if not _is_type_name(part)]
    param = ".".join(str(part) for part in where)
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(sorted(BodyWishes.model_fields))
        message = f"unknown field; allowed: {allowed}"
    elif len({tuple(map(str, e["loc"]))[: len(where)] for e in errors}) == 1 and len(errors) > 1:
        message = " or ".join(dict.fromkeys(e["msg"] for e in errors))
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    return InvalidRequest(f"{param}: {message}", param=param, code=code)


def _is_type_name(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))


@dataclass(frozen=True)
class Head:
    """What every object of one answer shares."""

    id: str
    created: int
    model: str

    @cached_property
    def opening(self) -> bytes:
        """An event of a chunk, up to the first of its choices."""
        return b"data: " + orjson.dumps(chunk(self, ())).removesuffix(b"]}")

    @classmethod
    def fresh(cls, model: str) -> Head:
        return cls(f"chatcmpl-{os.urandom(12).hex()}", int(time.time()), model)


def completion(
    head: Head,
    candidates: Sequence[Candidate],
    usage: Usage,
    *,
    logprobs: bool,
    token_ids: bool,
    its: Json | None,
) -> bytes:
    """A `chat.completion` whose choices are `candidates`, in order."""
    choices = [
        _choice(candidate, index, logprobs=logprobs, token_ids=token_ids)
        for index, candidate in enumerate(candidates)
    ]
    body: Json = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": choices,
        "usage": usage_json(usage),
        **(candidates[0].extra.get("answer", {}) if candidates else {}),
    }
    if token_ids and candidates and candidates[0].prompt_token_ids:
        body["prompt_token_ids"] = candidates[0].prompt_token_ids
    if its is not None:
        body["its"] = its
    return orjson.dumps(body)


def _choice(candidate: Candidate, index: int, *, logprobs: bool, token_ids: bool) -> Json:
    extra = {key: value for key, value in candidate.extra.items() if key != "answer"}
    choice: Json = {
        "index": index,
        "message": message_json(candidate, extra.pop("message", {})),
        "logprobs": _object(candidate.logprobs) if logprobs else None,
        "finish_reason": candidate.finish_reason,
        **extra,
    }
    if token_ids:
        choice["token_ids"] = candidate.token_ids
    return choice


def _object(mapping: Mapping[str, Any] | None) -> Json | None:
    """A mapping as orjson writes them."""
    return mapping if mapping is None or isinstance(mapping, dict) else dict(mapping)


def message_json(candidate: Candidate, extra: Mapping[str, Any]) -> Json:
    """The assistant's message that `candidate` is."""
    content = candidate.text or (None if candidate.tool_calls else "")
    message: Json = {"role": "assistant", "content": content, **extra}
    if candidate.reasoning and not (extra.get("reasoning") or extra.get("reasoning_content")):
        message["reasoning_content"] = candidate.reasoning
    if candidate.tool_calls:
        message["tool_calls"] = candidate.tool_calls
    return message


def usage_json(usage: Usage) -> Json:
    """OpenAI's usage block: totals over all calls that the request caused."""
    block: Json = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens:
        block["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens:
        block["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return block


def event(data: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def chunk(head: Head, choices: Sequence[Mapping[str, Any]], **more: Any) -> Json:
    """A `chat.completion.chunk`."""
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": head.model,
        "choices": choices,
        **more,
    }


def choice_event(head: Head, choice: Mapping[str, Any], usage: Usage | None) -> bytes:
    """The event of a `chat.completion.chunk` with one choice; what all share is written once."""
    told = head.opening + orjson.dumps(choice)
    if usage is None:
        return told + b"]}\n\n"
    return told + b'],"usage":' + orjson.dumps(usage_json(usage)) + b"}\n\n"


def delta(index: int, finish_reason: str | None = None, /, **content: Any) -> Json:
    """A chunk's choice."""
    return {"index": index, "delta": content, "logprobs": None, "finish_reason": finish_reason}


def candidate_chunks(
    candidate: Candidate, index: int, *, logprobs: bool, token_ids: bool
) -> list[Json]:
    """The choices that tell a whole candidate, after its role: one with all, one that ends it."""
    whole = _choice(candidate, index, logprobs=logprobs, token_ids=token_ids)
    content = {k: v for k, v in whole.pop("message").items() if k != "role" and v is not None}
    for position, call in enumerate(content.get("tool_calls", ())):
        content["tool_calls"] = (
            *content["tool_calls"][:position],
            {"index": position, **call},
            *content["tool_calls"][position + 1 :],
        )
    reason = whole.pop("finish_reason")
    first = {**whole, "delta": content, "finish_reason": None}
    return [first, {**delta(index, reason)}]


def strip_choice(
    choice: Mapping[str, Any], *, logprobs: bool, token_ids: bool
) -> Mapping[str, Any]:
    """A relayed choice without what only a verifier had asked for."""
    if not logprobs and choice.get("logprobs") is not None:
        choice = {**choice, "logprobs": None}
    if not token_ids and "token_ids" in choice:
        choice = {key: value for key, value in choice.items() if key != "token_ids"}
    return choice


def error_event(error: GatewayError) -> bytes:
    """The event that tells a client of a failure after the first byte."""
    return event(error.body())


def model_list(names: Sequence[str], presets: Sequence[str], created: int) -> bytes:
    """`GET /v1/models`: the models, then each with every preset."""
    listed = [*names, *(f"{name}@{preset}" for name in names for preset in presets)]
    data = [
        {"id": name, "object": "model", "created": created, "owned_by": "its-gateway"}
        for name in listed
    ]
    return orjson.dumps({"object": "list", "data": data})
