"""What a session asks of a backend: the client's fields, a guest's own, and the split into calls.

Pure: nothing here waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.types import Candidate, Json, Message, Prefix, Request, Sample

OWN_PROMPT_DROPS = frozenset(
    {
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
        "response_format", "structured_outputs", "stop", "logit_bias", "seed",
        "max_tokens", "max_completion_tokens", "min_tokens", "ignore_eos", "stop_token_ids",
        "bad_words", "allowed_token_ids", "continue_final_message", "add_generation_prompt", "echo",
    }
)  # fmt: skip
"""Fields of the client's request that a guest's own prompt does not inherit."""


def seed_of(seed: int, index: int) -> int:
    """Seed of sample `index`, 63 bits; sample 0 keeps the client's, so that it is the plain one."""
    if index == 0:
        return seed
    digest = hashlib.blake2b(f"{seed}:{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def fields_for(
    request: Request, sampling: Mapping[str, Any], needs: Sequence[str], *, own_prompt: bool
) -> Json:
    """Body fields of a call: the client's, less what an own prompt drops, then the guest's."""
    fields = {
        key: value
        for key, value in request.fields.items()
        if not (own_prompt and key in OWN_PROMPT_DROPS)
    }
    if "logprobs" in needs and not own_prompt:
        fields["logprobs"] = True
        fields["top_logprobs"] = max(fields.get("top_logprobs") or 0, NEEDED_TOP_LOGPROBS)
    if "token_ids" in needs and not own_prompt:
        fields["return_token_ids"] = True
    if "max_tokens" in sampling:
        fields.pop("max_completion_tokens", None)
    fields.update(sampling)
    return fields


NEEDED_TOP_LOGPROBS = 5

SCORING_FIELDS = ("cache_salt", "priority", "user")
PROMPT_FIELDS = ("chat_template", "chat_template_kwargs", "documents")


def scoring_fields(request: Request, *, same: bool) -> Json:
    """The client's fields that a call which samples nothing keeps: whose it is, and, where the
    model is the `same`, how its prompt is written."""
    kept = (*SCORING_FIELDS, *PROMPT_FIELDS) if same else SCORING_FIELDS
    return {name: request.fields[name] for name in kept if name in request.fields}


def begun(prefix: Prefix, model: str) -> tuple[str | tuple[int, ...], tuple[int, ...]]:
    """What `model` continues, and the ids of the prompt before it where they are known.

    A candidate of its own is continued by its token ids, any other by its text.
    """
    if not isinstance(prefix, Candidate):
        return prefix, ()
    if prefix.model == model and prefix.token_ids and prefix.prompt_token_ids:
        return prefix.token_ids, prefix.prompt_token_ids
    return prefix.text, ()


def max_tokens_of(fields: Mapping[str, Any]) -> int | None:
    """The client's limit on a completion, under either of its names."""
    value = fields.get("max_completion_tokens") or fields.get("max_tokens")
    return value if isinstance(value, int) else None


def with_max_tokens(fields: Json, limit: int | None) -> Json:
    """`fields` with the limit under the name that was already used, if one was."""
    if limit is None:
        return fields
    name = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    return {**fields, name: limit}


def is_greedy(fields: Mapping[str, Any]) -> bool:
    """Whether every sample of these fields would be the same."""
    return fields.get("temperature") == 0


def greedy(fields: Mapping[str, Any]) -> Json:
    """`fields` of the one answer that is likeliest, token by token."""
    return {**{k: v for k, v in fields.items() if k not in OF_DRAWING}, "temperature": 0.0}


OF_DRAWING = frozenset({"top_p", "top_k", "min_p"})


def split(  # one call where it can be, so that its samples share the prefill
    model: str,
    messages: Sequence[Message],
    fields: Json,
    *,
    n: int,
    first: int,
    prefix: Prefix,
    stream: bool,
    apart: bool,
    numbered: bool = False,
    hedged: bool = False,
) -> list[Sample]:
    """The calls for samples `first` … `first + n - 1` of a request.

    They are separate where `apart`, where a seed gives each its own, and where they are greedy
    (which vLLM refuses together). With `numbered` they are of the request's own draw; with `hedged`
    the first is greedy, whatever the others are.
    """
    if hedged:
        same: Any = {"prefix": prefix, "stream": stream, "apart": apart, "numbered": numbered}
        likeliest = split(model, messages, greedy(fields), n=1, first=first, **same)
        others = split(model, messages, fields, n=n - 1, first=first + 1, **same) if n > 1 else []
        return [*likeliest, *others]
    seed = fields.get("seed")
    start, prompt = begun(prefix, model)
    at = first if numbered else None
    if n == 1 or apart or seed is not None or is_greedy(fields):
        own = [
            fields if seed is None else {**fields, "seed": seed_of(seed, first + i)}
            for i in range(n)
        ]
        return [
            Sample(model, messages, 1, stream, start, prompt, each, at if at is None else at + i)
            for i, each in enumerate(own)
        ]
    return [Sample(model, messages, n, stream, start, prompt, fields, at)]
