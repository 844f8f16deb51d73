"""Text and conversations as the server's own tokenizer writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.backends.vllm.client import Client
from gateway.errors import UpstreamError
from gateway.types import Json, Message

TOKENIZE = "/tokenize"
PROMPT_FIELDS = frozenset(
    {"add_generation_prompt", "continue_final_message", "chat_template", "chat_template_kwargs",
     "tools"}
)  # fmt: skip


async def text_ids(client: Client, model: str, text: str) -> list[int]:
    """Ids of a text by itself, without special tokens around it."""
    body = {"model": model, "prompt": text, "add_special_tokens": False}
    return _ids(await client.post(TOKENIZE, body))


async def conversation(
    client: Client, model: str, messages: Sequence[Message], fields: Mapping[str, Any]
) -> list[int]:
    """Ids of a conversation, by those of `fields` that say how it is written."""
    return _ids(await client.post(TOKENIZE, _body(model, messages, fields)))


async def room(
    client: Client, model: str, messages: Sequence[Message], fields: Mapping[str, Any]
) -> tuple[list[int], int]:
    """Ids of a conversation, and how many tokens the model's context holds."""
    told = await client.post(TOKENIZE, _body(model, messages, fields))
    holds = told.get("max_model_len")
    if not isinstance(holds, int):
        raise UpstreamError("the upstream's tokenizer does not tell max_model_len")
    return _ids(told), holds


def _body(model: str, messages: Sequence[Message], fields: Mapping[str, Any]) -> Json:
    asked = {name: value for name, value in fields.items() if name in PROMPT_FIELDS}
    return {**asked, "model": model, "messages": messages}


def _ids(told: Json) -> list[int]:
    ids = told.get("tokens")
    if not isinstance(ids, list) or not all(isinstance(token, int) for token in ids):
        raise UpstreamError("the upstream's tokenizer told no token ids")
    return ids
