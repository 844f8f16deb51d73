"""What one source says of a request's policy: the headers, the body's `its`, or a preset (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import InvalidRequest
from gateway.naming import parse_dictionary

Detail = Literal["none", "summary", "candidates"]
Cache = Literal["off", "pool", "answer"]


class Wishes(BaseModel):
    """One layer of a policy: the body's `its`, a preset, or the headers; unset fields are None."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: str | None = Field(None, description="Strategy or preset name.")
    budget: int | None = Field(
        None, ge=1, description="Most samples; sets the strategy's `n` where that is unset."
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Most completion tokens over all samples, judges included."
    )
    deadline_ms: int | None = Field(
        None, ge=1, description="Answer within so many milliseconds with the best so far."
    )
    verifier: str | None = Field(
        None,
        description="Verifier name, with parameters `name;key=value`, or several put together: "
        "`all(a,b)`, `weighted(a:2,b:1)`, `first(a,b)`.",
    )
    params: dict[str, Any] | None = Field(None, description="The strategy's own parameters.")
    cache: Cache | None = Field(
        None,
        description="`off` (default); `pool`: reuse stored samples, draw the rest; `answer`: the "
        "same request under the same policy has the same answer.",
    )
    abstain: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least confidence; below it the answer is a refusal, marked. Compared with the "
        "calibrated confidence where there is one, else with the share of votes.",
    )
    detail: Detail | None = Field(
        None, description="`none` (default), `summary` or `candidates` in the body's `its` block."
    )
    progress: bool | None = Field(
        None, description="While selecting, show progress in the stream's reasoning channel."
    )

    @property
    def said_nothing(self) -> bool:
        """Whether no field of a policy is set (a reference or tests are no policy)."""
        return not self.model_fields_set & POLICY_FIELDS


class BodyWishes(Wishes):
    """The body's `its`, where verifiers find their material too."""

    reference: str | None = Field(None, description="The right answer, for verifiers.")
    tests: str | None = Field(None, description="Tests that the candidate's code must pass.")


POLICY_FIELDS = frozenset(Wishes.model_fields)

HEADERS = {
    "x-its-strategy": "strategy",
    "x-its-algorithm": "strategy",
    "x-its-budget": "budget",
    "x-its-max-tokens": "max_tokens",
    "x-its-deadline-ms": "deadline_ms",
    "x-its-verifier": "verifier",
    "x-its-params": "params",
    "x-its-cache": "cache",
    "x-its-abstain": "abstain",
    "x-its-detail": "detail",
    "x-its-progress": "progress",
}
"""Request header, in lower case -> field of `Wishes`."""


def from_headers(headers: Mapping[str, str]) -> Wishes:
    """The wishes in request headers (names in lower case); `InvalidRequest` names the header."""
    wished: dict[str, Any] = {}
    for header, value in headers.items():
        if not header.startswith("x-its-"):
            continue
        if header not in HEADERS:
            allowed = ", ".join(header_title(name) for name in HEADERS)
            raise invalid(header_title(header), f"unknown header; allowed: {allowed}")
        try:
            wished[HEADERS[header]] = _header_value(HEADERS[header], value)
        except ValueError as error:
            raise invalid(header_title(header), str(error)) from None
    if not wished:
        return Wishes()
    try:
        return Wishes.model_validate(wished)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise invalid(header_of(str(first["loc"][0])), first["msg"]) from None


def _header_value(name: str, value: str) -> Any:
    if name == "params":
        return parse_dictionary(value)
    if name == "progress":
        return {"?1": True, "?0": False}.get(value, value)
    return value.strip()


def header_of(name: str) -> str:
    return header_title(next(header for header, field in HEADERS.items() if field == name))


def header_title(header: str) -> str:
    words = ["ITS" if word == "its" else word.capitalize() for word in header.split("-")]
    return "-".join(words)


def invalid(where: str, message: str) -> InvalidRequest:
    """A 400 at the field or header `where`, which may be the client's own words and so is cut."""
    where = where[:100]
    return InvalidRequest(f"{where}: {message}", param=where, code="invalid_value")
