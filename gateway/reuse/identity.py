"""What makes two requests the same, for reuse (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.policy import Policy
from gateway.types import Request, Sample

FORMAT = 1
"""Changes with what is stored, or with what makes two requests the same."""

OF_NO_CONSEQUENCE = frozenset({"user", "priority", "metadata", "store"})
"""Fields that say whose a request is or when it has its turn, and not what it asks."""


def shelf_of(sample: Sample, scope: str, revision: str) -> str:
    """Where the candidates of `sample` lie: the same for the same model, prompt and sampling.

    Messages are taken as they are, images and all; seeds, tools and grammars are among the fields.
    """
    asked = [sample.model, revision, sample.messages, _fields(sample.fields)]
    return digest("pool", scope, asked)


def answer_of(request: Request, policy: Policy, scope: str, revision: str) -> str:
    """Where the answer to exactly this request under exactly this policy lies."""
    budget = policy.budget
    under = [
        policy.strategy.name, policy.params, [budget.samples, budget.tokens, budget.seconds],
        policy.abstain, policy.detail,
    ]  # fmt: skip
    asked = [
        request.model, revision, request.messages, request.choices, request.reference,
        request.tests, _fields(request.fields),
    ]  # fmt: skip
    return digest("answer", scope, [under, asked])


def digest(kind: str, scope: str, asked: Any) -> str:
    """A name for what was asked, 40 hex digits; dictionaries are compared without their order."""
    written = orjson.dumps([FORMAT, kind, scope, asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(written, digest_size=20).hexdigest()


def _fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OF_NO_CONSEQUENCE}
