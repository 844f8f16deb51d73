"""Numbers about tokens: probabilities of choices, likelihoods of answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.backends.vllm.chat import CHAT, continued, usage_of
from gateway.backends.vllm.client import Client, objects
from gateway.backends.vllm.completions import COMPLETIONS
from gateway.backends.vllm.tokens import conversation, text_ids
from gateway.errors import Unsupported, UpstreamError, UpstreamRejected
from gateway.inquiries import Likelihood, Probabilities, Rows
from gateway.types import Capabilities, Json, Usage

Told = tuple[Rows, Usage]
MOST_TOP_LOGPROBS = 20
NAMED = "token_id:"
"""How vLLM writes a token where `return_tokens_as_token_ids` asks for it."""


async def probabilities(client: Client, request: Probabilities, can: Capabilities) -> Told:
    """Exact where the server tells the tokens that it is asked for, else of its top tokens."""
    exact = can.logprob_token_ids and can.tokenize
    if not exact and not can.logprobs:
        raise Unsupported(f"{request.model}: its server tells no log-probabilities")
    body: Json = {
        **request.fields,
        "model": request.model,
        "messages": request.messages,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
    }
    if request.prefix:
        if not can.continuation:
            raise Unsupported(f"{request.model}: its server cannot continue an answer")
        body |= continued(request.messages, request.prefix, request.fields)
    if not exact:
        return await _among_top(client, request, body)
    tokens = await _tokens(client, request)
    body |= {"logprob_token_ids": tokens, "return_tokens_as_token_ids": True}
    answer = await client.post(CHAT, body)
    named = {str(entry.get("token")): _number(entry.get("logprob")) for entry in _entries(answer)}
    try:
        row = tuple(math.exp(named[f"{NAMED}{token}"]) for token in tokens)
    except KeyError:
        raise UpstreamError("the upstream left out a token that it was asked for") from None
    return Rows((row,)), usage_of(answer.get("usage"))


async def likelihood(client: Client, request: Likelihood, can: Capabilities) -> Told:
    """From the log-probabilities of a prompt that holds the answer."""
    if not can.prompt_logprobs:
        raise Unsupported(f"{request.model}: its server tells no prompt_logprobs")
    plain = request.temperature == 1.0
    if not plain and not can.all_logprobs:
        raise Unsupported(
            f"{request.model}: temperature {request.temperature} needs the whole vocabulary's "
            "log-probabilities (vLLM: --max-logprobs -1)",
            param="temperature",
        )
    prompt, answer_ids = await _placed(client, request, can)
    told = await client.post(
        COMPLETIONS,
        {
            **_identity(request.fields),
            "model": request.model,
            "prompt": [*prompt, *answer_ids],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 0 if plain else -1,
        },
    )
    places = _places(told)[len(prompt) :]
    if len(places) != len(answer_ids):
        raise UpstreamError("the upstream's prompt_logprobs do not match the prompt")
    row = tuple(
        _at(place, token, request.temperature)
        for place, token in zip(places, answer_ids, strict=True)
    )
    return Rows((row,)), usage_of(told.get("usage"))


async def _among_top(client: Client, request: Probabilities, body: Json) -> Told:
    """Choices by their text among the likeliest tokens; 0 for one that is not among them."""
    answer = await client.post(CHAT, {**body, "top_logprobs": MOST_TOP_LOGPROBS})
    found: dict[str, float] = {}
    for entry in _entries(answer):
        found.setdefault(str(entry.get("token")), math.exp(_number(entry.get("logprob"))))
    row = tuple(found.get(choice, 0.0) for choice in request.choices)
    return Rows((row,), degraded=("top_logprobs",)), usage_of(answer.get("usage"))


def _entries(answer: Json) -> list[Json]:
    """The first token's entry, and all beside it."""
    choice = next(iter(objects(answer, "choices")), {})
    content = objects(choice.get("logprobs") or {}, "content")
    if not content:
        raise UpstreamError("the upstream told no log-probabilities")
    return [content[0], *objects(content[0], "top_logprobs")]


async def _tokens(client: Client, request: Probabilities) -> list[int]:
    tokens = []
    for choice in request.choices:
        ids = await text_ids(client, request.model, choice)
        if len(ids) != 1:
            message = f"choices: {choice!r} is {len(ids)} tokens of this model, and must be one"
            raise UpstreamRejected(400, {"error": {"message": message, "param": "choices"}})
        tokens += ids
    return tokens


async def _placed(
    client: Client, request: Likelihood, can: Capabilities
) -> tuple[Sequence[int], Sequence[int]]:
    """The ids of the prompt and of the answer behind it."""
    if request.prompt_token_ids and request.token_ids:
        return request.prompt_token_ids, request.token_ids
    if not (can.tokenize and can.continuation):
        raise Unsupported(f"{request.model}: its server cannot tokenise an answer begun")
    prompt = await conversation(client, request.model, request.messages, request.fields)
    begun = continued(request.messages, request.text, request.fields)
    whole = await conversation(
        client, request.model, begun.pop("messages"), {**request.fields, **begun}
    )
    pairs = enumerate(zip(prompt, whole, strict=False))
    # A template may write an answer's first token together with what stands before it.
    shared = next((at for at, (a, b) in pairs if a != b), min(len(prompt), len(whole)))
    return whole[:shared], whole[shared:]


def _identity(fields: Mapping[str, Any]) -> Json:
    """What says whose call it is; a prompt of ids is written already."""
    return {k: v for k, v in fields.items() if k in ("cache_salt", "priority", "user")}


def _places(told: Json) -> list[Any]:
    choice = next(iter(objects(told, "choices")), {})
    places = choice.get("prompt_logprobs")
    return places if isinstance(places, list) else []


def _at(place: Any, token: int, temperature: float) -> float:
    """The log-probability of `token` among those of a place, in nats."""
    entries = place if isinstance(place, dict) else {}
    logs = {name: _number((entry or {}).get("logprob")) for name, entry in entries.items()}
    if str(token) not in logs:
        raise UpstreamError("the upstream's prompt_logprobs leave out the prompt's own token")
    if temperature == 1.0:
        return logs[str(token)]
    scaled = [value / temperature for value in logs.values()]
    most = max(scaled)
    total = most + math.log(math.fsum(math.exp(value - most) for value in scaled))
    return logs[str(token)] / temperature - total


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not math.isnan(value):
        return float(value)
    raise UpstreamError("a log-probability is not a number")
