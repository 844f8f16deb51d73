"""How a verifier is named with its parameters: `name;key=value`, an RFC 9651 item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import http_sf


class NamesVerifier:
    """Marks a guest's parameter as the name of a verifier, so that the policy can check it."""


VerifierName = Annotated[str, NamesVerifier()]


@dataclass(frozen=True, slots=True)
class Named:
    """A name and its parameters, not yet checked against any registry."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)


def parse_named(text: str) -> Named:
    """`math;seconds=2` -> `Named("math", {"seconds": 2})`; ValueError where it is malformed."""
    if text.isidentifier():
        return Named(text)
    value, params = _parse(text, "item")
    return Named(plain(value), {key: plain(each) for key, each in params.items()})


def parse_dictionary(text: str) -> dict[str, Any]:
    """`n=8, early_exit` -> `{"n": 8, "early_exit": True}`; ValueError where it is malformed."""
    return {key: plain(value) for key, (value, _) in _parse(text, "dictionary").items()}


def _parse(text: str, kind: str) -> Any:
    try:
        return http_sf.parse(text.encode(), tltype=kind)
    except http_sf.StructuredFieldError as error:
        raise ValueError(f"not an RFC 9651 {kind}: {error}") from error


def plain(value: Any) -> Any:
    """A structured field's bare item as JSON has it; tokens are strings, inner lists are lists."""
    if isinstance(value, list):
        return [plain(each) for each, _ in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bool | int | str):
        # Tokens and display strings are subclasses of str.
        return str(value) if isinstance(value, str) else value
    return str(value)
