"""API keys: what is kept of one, which is never the key itself (pure)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[int, Field(ge=0)] | None

EVERYTHING = "*"
"""Scope of limits over all models together."""


class Limits(BaseModel):
    """What one key may spend; unset is without limit. Tokens are completion tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Amount = None
    requests_per_day: Amount = None
    samples_per_minute: Amount = None
    samples_per_day: Amount = None
    tokens_per_minute: Amount = None
    tokens_per_day: Amount = None
    concurrent: Amount = Field(None, description="Requests at once.")

    def of(self, what: str) -> tuple[int | None, int | None]:
        """The limits a minute and a day on `what`: requests, samples or tokens."""
        return getattr(self, f"{what}_per_minute"), getattr(self, f"{what}_per_day")


class Key(BaseModel):
    """What is known of a key; `limits` are by model, and over all models under `*`.

    `account` is where its use is booked; where empty, it is not. With `fail` closed, nothing is
    served while its quotas cannot be asked for.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    id: str
    name: str = ""
    account: str = ""
    created: float = 0.0
    revoked: float | None = None
    fail: Literal["open", "closed"] = "open"
    limits: Mapping[str, Limits] = Field(default_factory=dict)

    def limits_for(self, model: str) -> dict[str, Limits]:
        """The limits that a request for `model` is under, by scope."""
        none = Limits()
        return {scope: self.limits.get(scope, none) for scope in (EVERYTHING, model)}


ANYONE = Key(id="")
"""Whoever asks where no key is needed."""


def digest(key: str) -> str:
    """What is kept and compared instead of a key, which is long and random."""
    return hashlib.blake2b(key.encode(), digest_size=32).hexdigest()


def fresh(
    name: str, fail: Literal["open", "closed"], limits: Mapping[str, Limits]
) -> tuple[str, Key]:
    """A new secret, and what is kept of it."""
    secret = "sk-its-" + secrets.token_urlsafe(32)
    id = "key-" + secrets.token_hex(5)
    return secret, Key(id=id, name=name, account=id, created=time.time(), fail=fail, limits=limits)
