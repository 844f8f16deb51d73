"""The sampling fields of a request's body, validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import UpstreamRejected

Parsed = TypeVar("Parsed", bound=BaseModel)
TokenId = Annotated[int, Field(ge=0)]


class Params(BaseModel):
    """How to sample: OpenAI's and vLLM's names, ranges and defaults; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    temperature: float = Field(1.0, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=-1)
    min_p: float = Field(0.0, ge=0, le=1)
    seed: int | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    min_tokens: int = Field(0, ge=0)
    stop: str | list[str] = []
    include_stop_str_in_output: bool = False
    stop_token_ids: list[TokenId] = []
    ignore_eos: bool = False
    logit_bias: Annotated[dict[TokenId, float], Field(strict=False)] = {}
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    repetition_penalty: float = Field(1.0, gt=0)
    logprob_token_ids: list[TokenId] = []
    return_token_ids: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings; an empty one stops nothing."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop
        return tuple(text for text in given if text)

    @property
    def limit(self) -> int | None:
        """Most new tokens, if the client said so."""
        if self.max_completion_tokens is not None:
            return self.max_completion_tokens
        return self.max_tokens

    @property
    def shaped(self) -> bool:
        """Whether logits are changed before temperature."""
        plain = (0.0, 0.0, 1.0)
        penalties = (self.presence_penalty, self.frequency_penalty, self.repetition_penalty)
        return bool(self.logit_bias) or self.min_tokens > 0 or penalties != plain

    @property
    def named_ids(self) -> list[tuple[str, int]]:
        """All token ids that the request names, with the field each is in."""
        fields: dict[str, list[int]] = {
            "stop_token_ids": self.stop_token_ids,
            "logit_bias": list(self.logit_bias),
            "logprob_token_ids": self.logprob_token_ids,
        }
        return [(name, token) for name, ids in fields.items() for token in ids]


class ChatParams(Params):
    """A chat completion's own fields."""

    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)
    add_generation_prompt: bool | None = None
    continue_final_message: bool = False


class TextParams(Params):
    """A text completion's own fields; `logprobs` counts the alternatives to list."""

    prompt: str | list[TokenId] | list[str] | list[list[TokenId]]
    n: int = Field(1, ge=1, le=1024)
    max_tokens: int | None = Field(16, ge=1)
    stream: bool = False
    stream_options: dict[str, Any] = {}
    echo: bool = False
    logprobs: int | None = Field(None, ge=0, le=20)
    prompt_logprobs: int | None = Field(None, ge=0, le=20)


def parse(kind: type[Parsed], fields: Mapping[str, Any]) -> Parsed:
    """Validate `fields`, where null means unset; the 400 names the first field that is wrong."""
    try:
        return kind.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        param = str(first["loc"][0]) if first["loc"] else None
        raise rejected(f"{param}: {first['msg']}", param=param) from None


def rejected(
    message: str, *, param: str | None = None, code: str | None = None
) -> UpstreamRejected:
    """A 400 in OpenAI's shape."""
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return UpstreamRejected(400, {"error": error})
