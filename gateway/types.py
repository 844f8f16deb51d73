"""The nouns: what is asked of a backend, what comes back, and what a strategy returns."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows

Json = dict[str, Any]
Message = Mapping[str, Any]
"""One chat message in OpenAI's shape; the gateway never edits it."""


class Sampling(TypedDict, total=False):
    """Sampling fields that a guest may set on a call; all others come from the client's request."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    stop: str | list[str]
    seed: int
    logprobs: bool
    top_logprobs: int
    structured_outputs: Mapping[str, Any]
    its_aligned: Mapping[str, str]
    return_token_ids: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the upstream counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        if self is NO_USAGE:  # most sums have but one part
            return other
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    def less(self, other: Usage) -> Usage:
        """What is left without `other`, at least nothing of each."""
        return Usage(
            max(0, self.prompt_tokens - other.prompt_tokens),
            max(0, self.completion_tokens - other.completion_tokens),
            max(0, self.cached_tokens - other.cached_tokens),
            max(0, self.reasoning_tokens - other.reasoning_tokens),
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer of a model, whole or cut.

    `logprobs` has OpenAI's shape (`{"content": [{"token", "logprob", "top_logprobs"}, …]}`).
    `usage` is None where the upstream counted several candidates together. `extra` holds the
    fields of the upstream's choice that have no name here, those of its message under "message",
    those of the answer around it (`prompt_logprobs`, `system_fingerprint`, …) under "answer".
    """

    id: str
    text: str
    reasoning: str = ""
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    logprobs: Mapping[str, Any] | None = None
    parent: str | None = None
    model: str = ""
    finish_reason: str = "stop"
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    usage: Usage | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


Prefix = str | tuple[int, ...] | Candidate
"""How an answer begins: text, its token ids where exactness matters, or a candidate's own."""


@dataclass(frozen=True, slots=True)
class Score:
    """A verifier's view of one candidate; a higher `value` is better, NaN means it could not judge.

    `steps` are values of single steps, `key` names the equivalence class of the answer, `passed`
    is a binary verdict where the verifier gives one.
    """

    value: float
    steps: tuple[float, ...] = ()
    key: str | None = None
    passed: bool | None = None
    reason: str = ""

    @property
    def judged(self) -> bool:
        return not math.isnan(self.value)


UNJUDGED = Score(math.nan)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy returns: candidates best first, and why it stopped.

    `confidence` is, from a strategy, its own belief in [0, 1] that the first is right, or None; the
    client is told a calibrated probability in its place, or none. `support` is the uncalibrated
    share of the evidence behind it, in [0, 1], or None. `degraded` names what could not be done as
    asked. `fused` says that the strategy wrote the first candidate itself.
    """

    candidates: Sequence[Candidate]
    stop: str = "complete"
    confidence: float | None = None
    support: float | None = None
    scores: Sequence[Score] = ()
    degraded: tuple[str, ...] = ()
    evidence: Mapping[str, Any] | None = None
    fused: bool = False

    def with_degraded(self, *names: str) -> Outcome:
        fresh = tuple(name for name in dict.fromkeys(names) if name not in self.degraded)
        return replace(self, degraded=self.degraded + fresh) if fresh else self


@dataclass(frozen=True, slots=True)
class Budget:
    """What a request may spend, or has left; None is without limit.

    `tokens` are completion tokens over all calls, judges included; `seconds` are wall time.
    """

    samples: int | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A call for `n` candidates of one prompt.

    `fields` are the other fields of the upstream's request body (temperature, tools, …), as the
    client or a guest set them. With `stream`, the backend yields deltas as candidates grow.
    A non-empty `prefix` is the beginning of the answer, which the model continues: text, which is
    tokenised again, or token ids, which are continued as they are, behind `prompt_token_ids` where
    those are known and else behind the messages' own. `first` is the number of its first candidate
    in the request's own draw, None where these are no samples of the request.
    """

    model: str
    messages: Sequence[Message]
    n: int = 1
    stream: bool = False
    prefix: str | tuple[int, ...] = ""
    prompt_token_ids: tuple[int, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    first: int | None = None


Call = Sample | Probabilities | Likelihood | Pool | Embed
"""All that a backend can be asked for; each but a `Sample` is answered with one `Rows`."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Growth of candidate `index` of a call.

    `choice` is the chunk's choice in OpenAI's shape (`{"index", "delta": {…}, "finish_reason"}`);
    `tokens` is how many tokens candidate `index` has so far; `prompt_tokens` is 0 where the
    upstream does not say before the end.
    """

    index: int
    choice: Mapping[str, Any]
    tokens: int
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """Candidate `index` of a call has ended."""

    index: int
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Spent:
    """What the whole call cost; the last event of a call that was not aborted."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Restarted:
    """Candidates `indices` of a call were lost with their upstream, of `error`; they begin anew.

    A reader that has passed on what they said must stop and raise `error`. `Spent` does not count
    what was lost.
    """

    indices: tuple[int, ...]
    error: Exception


Event = Delta | Finished | Spent | Restarted | Rows


@dataclass(frozen=True, slots=True)
class Passthrough:
    """A body for an endpoint that the gateway relays as it is (`/v1/completions`, …)."""

    path: str
    body: bytes
    model: str


@dataclass(frozen=True, slots=True)
class Relayed:
    """The answer to a `Passthrough`: its status below 400, content type, and body as it arrives."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked for, as guests see it.

    `choices` is the client's `n`. `reference` and `tests` are what the client gave to verifiers.
    `fields` are all other fields of its body (temperature, tools, response_format, …).
    """

    model: str
    messages: Sequence[Message]
    choices: int = 1
    reference: str | None = None
    tests: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model's server can do, as far as is known; what has not been probed counts as able,
    but for `aligned`.

    `n`: several candidates a call. `logprobs`: of sampled tokens. `logprob_token_ids`: of tokens
    that the call names. `prompt_logprobs`: of the prompt's tokens, and `all_logprobs`: of the whole
    vocabulary there. `token_ids`: told with the answer. `continuation`: of an answer begun.
    `structured_outputs`: grammars, schemas, choices; `aligned`: sampling from the model's own
    distribution given one (`its_aligned`); `masked_logprobs`: logprobs told under a grammar are
    those of what it leaves. `tokenize`: the tokenizer can be asked.
    `pooling`, `classify`, `score`, `embed`: those endpoints.
    """

    n: bool = True
    logprobs: bool = True
    logprob_token_ids: bool = True
    prompt_logprobs: bool = True
    all_logprobs: bool = True
    token_ids: bool = True
    continuation: bool = True
    structured_outputs: bool = True
    aligned: bool = False
    masked_logprobs: bool = True
    tokenize: bool = True
    pooling: bool = True
    classify: bool = True
    score: bool = True
    embed: bool = True

    def able(self) -> list[str]:
        """Names of what it can do."""
        return [each.name for each in fields(self) if getattr(self, each.name)]

    def lacking(self) -> list[str]:
        """Names of what it cannot do."""
        return [each.name for each in fields(self) if not getattr(self, each.name)]

    def __and__(self, other: Capabilities) -> Capabilities:
        """What both can do."""
        pairs = ((f.name, getattr(self, f.name) and getattr(other, f.name)) for f in fields(self))
        return Capabilities(**dict(pairs))
