"""What a model's server can be asked for besides text, and how it answers: in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Probabilities:
    """How probable is each of `choices`, of one token each, as what follows `prefix`?

    Answered with one row, a probability a choice; they need not sum to 1.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    choices: tuple[str, ...]
    prefix: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely is each token of an answer to `messages`, in nats, at `temperature`?

    The answer is `token_ids` behind `prompt_token_ids` where both are given, else `text`.
    Answered with one row, a value a token; all are at most 0.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    text: str
    prompt_token_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    temperature: float = 1.0
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pool:
    """What a reward model makes of a conversation, written whole, as its template ends it.

    A model of outcomes answers with one row (a sequence classifier's probabilities), a model of
    processes with a row a token. With `ends`, the rows are those of the tokens at which the first
    `ends[i]` characters of the last message end.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    ends: tuple[int, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Embed:
    """Where `texts` lie in a model's space: a row a text."""

    model: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Numbers, in the shape that the call's own type tells.

    `degraded` names what they are not: `top_logprobs` that probabilities are exact only for the
    likeliest tokens, and 0 for others.
    """

    values: tuple[tuple[float, ...], ...]
    degraded: tuple[str, ...] = ()
