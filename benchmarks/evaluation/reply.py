"""What a server's answer says of its candidates and its cost (pure)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class BadReply(Exception):
    """The answer is no chat completion."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One candidate; `logprob` is the sum over its tokens. None where the server does not say."""

    text: str
    finish_reason: str | None = None
    score: float | None = None
    passed: bool | None = None
    tokens: int | None = None
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the selected text, all candidates in the order they were drawn, and the cost.

    Tokens are None where the server does not tell its usage.
    """

    text: str
    drawn: Sequence[Drawn]
    prompt_tokens: int | None
    completion_tokens: int | None
    samples: int
    stop: str | None = None
    confidence: float | None = None
    degraded: Sequence[str] = field(default=())
    is_gateway: bool = False
    model: str | None = None
    route: str | None = None
    verifier: str | None = None
    signals: Mapping[str, float] = field(default_factory=dict)


def read(body: Json, headers: Mapping[str, str], seed: int) -> Reply:
    """The reply in a chat completion; `headers` have names in lower case.

    Candidates that come best first without their place in the order of drawing are shuffled by
    `seed`: the first k of them must be any k, and not the k best.
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadReply("the answer has no choices")
    usage = body.get("usage") or {}
    its = body.get("its") or {}
    listed = its.get("candidates")
    drawn = _told(listed, seed) if listed else [_choice(each) for each in choices]
    told = headers.get("x-its-degraded", "")
    return Reply(
        text=_text(choices[0].get("message") or {}),
        drawn=drawn,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        samples=int(headers.get("x-its-samples") or len(drawn)),
        stop=headers.get("x-its-stop"),
        confidence=its.get("confidence"),
        degraded=tuple(name for name in told.split(",") if name),
        is_gateway="x-its-strategy" in headers,
        model=body.get("model"),
        route=its.get("route"),
        verifier=(its.get("params") or {}).get("verifier"),
        signals=its.get("signals") or {},
    )


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _told(listed: Sequence[Json], seed: int) -> list[Drawn]:
    if all(isinstance(each.get("index"), int) for each in listed):
        ordered = sorted(listed, key=lambda each: int(each["index"]))
    else:
        ordered = random.Random(seed).sample(listed, len(listed))
    return [
        Drawn(
            text=_text({"content": each.get("text")}),
            finish_reason=each.get("finish_reason"),
            score=each.get("score"),
            passed=each.get("passed"),
            tokens=each.get("tokens"),
            logprob=each.get("logprob"),
        )
        for each in ordered
    ]


def _choice(choice: Json) -> Drawn:
    content = (choice.get("logprobs") or {}).get("content") or []
    return Drawn(
        text=_text(choice.get("message") or {}),
        finish_reason=choice.get("finish_reason"),
        tokens=len(content) or None,
        logprob=sum(float(token["logprob"]) for token in content) if content else None,
    )
