"""What a model's server can do, found by asking it: tiny requests, judged by their effect.

A server that does not know a field may refuse it or pass over it, so an answer counts only where it
shows what the field asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.backends.vllm.chat import CHAT
from gateway.backends.vllm.client import Client, objects
from gateway.backends.vllm.completions import COMPLETIONS
from gateway.backends.vllm.tokens import TOKENIZE
from gateway.errors import UpstreamRejected
from gateway.types import Capabilities, Json

MARK = "~~~~"
"""What a model would not say by itself."""
CHOICE = f'["{MARK}"]'
HELLO = [{"role": "user", "content": "Hello"}]
BEGUN = [*HELLO, {"role": "assistant", "content": "Hello there"}]
OPEN = {"continue_final_message": True, "add_generation_prompt": False}
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Probe:
    """A request, and whether its answer shows the capability `name`; a refusal, or an answer of
    another shape, shows `refused`."""

    name: str
    path: str
    shows: Callable[[Json], bool]
    body: Json = field(default_factory=dict)
    refused: bool = False

    async def ask(self, client: Client, model: str) -> bool:
        """Raises `UpstreamError` where that could not be found out now."""
        try:
            return self.shows(await client.post(self.path, {"model": model, **self.body}))
        except UpstreamRejected as error:
            if error.status == TOO_MANY:
                raise
            return self.refused
        except (KeyError, IndexError, TypeError, AttributeError):
            return self.refused


def _chat(name: str, shows: Callable[[Json], bool], **fields: object) -> Probe:
    body = {"messages": HELLO, "max_tokens": 1, "temperature": 0, **fields}
    return Probe(name, CHAT, shows, body)


def _first(body: Json) -> Json:
    return objects(body, "choices")[0]


def _top(body: Json) -> list[str]:
    return [entry["token"] for entry in _first(body)["logprobs"]["content"][0]["top_logprobs"]]


def _said(body: Json) -> str:
    return str(_first(body)["message"]["content"] or "")


def _raw(body: Json) -> bool:
    """Whether the one token that a grammar left is told with a probability below 1."""
    told = objects(_first(body).get("logprobs") or {}, "content")
    return any(MARK.startswith(each["token"]) and each["logprob"] < -0.01 for each in told)


WRITES = _chat("chat", lambda body: "message" in _first(body))
ANY = (
    Probe("tokenize", TOKENIZE, lambda b: bool(b["tokens"]), {"prompt": "a"}),
    Probe(
        "prompt_logprobs",
        COMPLETIONS,
        lambda b: len(_first(b)["prompt_logprobs"]) == 2,
        {"prompt": [0, 1], "max_tokens": 1, "prompt_logprobs": 0},
    ),
    # Of one token, of which there is nothing to tell: whether it is allowed is all that is asked.
    Probe(
        "all_logprobs",
        COMPLETIONS,
        lambda b: len(_first(b)["prompt_logprobs"]) == 1,
        {"prompt": [0], "max_tokens": 1, "prompt_logprobs": -1},
    ),
)
WRITERS = (
    _chat("n", lambda b: len(objects(b, "choices")) == 2, n=2, temperature=1),
    _chat("logprobs", lambda b: len(_top(b)) >= 1, logprobs=True, top_logprobs=1),
    _chat(
        "logprob_token_ids",
        lambda b: {"token_id:0", "token_id:1"} <= set(_top(b)),
        logprobs=True,
        logprob_token_ids=[0, 1],
        return_tokens_as_token_ids=True,
    ),
    _chat("token_ids", lambda b: bool(_first(b)["token_ids"]), return_token_ids=True),
    _chat(
        "structured_outputs",
        lambda b: bool(_said(b)) and MARK.startswith(_said(b)),
        structured_outputs={"choice": [MARK]},
    ),
    Probe(
        "masked_logprobs",
        CHAT,
        lambda b: not _raw(b),
        {
            "messages": HELLO,
            "max_tokens": 1,
            "structured_outputs": {"choice": [MARK]},
            "logprobs": True,
        },
        refused=True,
    ),
    _chat(
        "aligned",
        lambda b: bool(_said(b)) and MARK.startswith(_said(b)),
        vllm_xargs={"its_method": "mask", "its_grammar_kind": "choice", "its_grammar": CHOICE},
    ),
)
READERS = (
    Probe("pooling", "/pooling", lambda b: bool(b["data"][0]["data"]), {"messages": BEGUN}),
    Probe("classify", "/classify", lambda b: bool(b["data"][0]["probs"]), {"messages": BEGUN}),
    Probe("score", "/score", lambda b: "score" in b["data"][0], {"text_1": "a", "text_2": "b"}),
    Probe("embed", "/v1/embeddings", lambda b: bool(b["data"][0]["embedding"]), {"input": "a"}),
)
NONE = dict.fromkeys((probe.name for probe in (*WRITERS, *READERS)), False)


async def probe(client: Client, model: str) -> Capabilities:
    """What `model` can do at its server; `UpstreamError` where that cannot be told now.

    A model that answers none of it is taken to be able to do everything: it speaks some other
    dialect, and its own refusals tell more than a guess.
    """
    writes = await WRITES.ask(client, model)
    kind = (*ANY, *(WRITERS if writes else READERS))
    found = {each.name: await each.ask(client, model) for each in kind}
    found["continuation"] = writes and await _continues(client, model)
    if not any(found.values()) and not writes:
        return Capabilities()
    return Capabilities(**{**NONE, **found})


async def _continues(client: Client, model: str) -> bool:
    """Whether an answer begun is left open: its prompt is shorter than one with a new turn."""
    lengths = []
    for fields in ({}, OPEN):
        body = {"model": model, "messages": BEGUN, "max_tokens": 1, **fields}
        try:
            usage = (await client.post(CHAT, body)).get("usage") or {}
        except UpstreamRejected as error:
            if error.status == TOO_MANY:
                raise
            return False
        lengths.append(usage.get("prompt_tokens") or 0)
    return bool(0 < lengths[1] < lengths[0])
