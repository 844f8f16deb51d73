"""Messages into token ids, and token ids into bytes, by the files of a directory in HF's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from gateway.backends.embedded.params import rejected
from gateway.types import Json, Message

MARK = "\uf8ff"
"""A private-use character put behind the message to continue, so that its end can be found."""


class Chat:
    """A tokenizer and its chat template.

    `pieces` are the bytes of each token as text shows them: nothing, for special tokens.
    `names` are the bytes of each token as logprobs name them.
    """

    def __init__(self, directory: Path, vocab: int) -> None:
        settings = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._template = _environment().from_string(settings["chat_template"])
        self._specials = {
            name: _content(settings.get(name)) for name in ("bos_token", "eos_token", "pad_token")
        }
        added = self._tokenizer.get_added_tokens_decoder()
        alphabet = byte_alphabet()
        self.names: list[bytes] = []
        for token in range(vocab):
            name = self._tokenizer.id_to_token(token) or ""
            plain = token in added or any(letter not in alphabet for letter in name)
            self.names.append(name.encode() if plain else bytes(alphabet[c] for c in name))
        silent = {token for token, entry in added.items() if entry.special}
        self.pieces = [b"" if i in silent else name for i, name in enumerate(self.names)]

    def encode(self, text: str) -> list[int]:
        """Text, special tokens included, into ids; nothing is added around it."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def prompt(self, messages: Sequence[Message], *, generate: bool, proceed: bool) -> list[int]:
        """Ids of a conversation; with `proceed` it ends where the last message's content does."""
        plain = [_plain(message) for message in messages]
        if not plain:
            raise rejected("messages: at least one is needed", param="messages")
        if proceed and generate:
            raise rejected(
                "add_generation_prompt and continue_final_message exclude each other",
                param="continue_final_message",
            )
        if proceed:
            plain[-1] = {**plain[-1], "content": plain[-1]["content"] + MARK}
        text = self._render(self._template, plain, generate)
        if proceed:
            # A template that drops the content altogether leaves nothing to continue.
            if MARK not in text:
                raise rejected("the chat template drops the final message", param="messages")
            text = text[: text.rindex(MARK)]
        return self.encode(text)

    def _render(self, template: Template, messages: list[Json], generate: bool) -> str:
        try:
            return template.render(
                messages=messages, add_generation_prompt=generate, **self._specials
            )
        except TemplateError as error:
            raise rejected(f"chat template: {error}", param="messages") from error


def byte_alphabet() -> dict[str, int]:
    """The character that stands for each byte in a ByteLevel vocabulary (GPT-2's), inverted.

    Printable Latin-1 stands for itself; the other bytes, in order, for characters from 256 on.
    """
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(shown)]
    return {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(hidden)}


def _plain(message: Message) -> Json:
    """A copy whose content is one string: text parts joined by newlines, as vLLM does."""
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise rejected("messages: each needs a role", param="messages")
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return {**message, "content": content or ""}
    if not isinstance(content, Sequence):
        raise rejected("messages: content must be a string or a list of parts", param="messages")
    return {**message, "content": "\n".join(_part(part) for part in content)}


def _part(part: Any) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind != "text" or not isinstance(text, str):
        raise rejected(
            f"messages: this model reads text only, not a part of type {kind!r}", param="messages"
        )
    return text


def _content(token: Any) -> str | None:
    """A special token in tokenizer_config.json: a string, or an object that holds one."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja2 as Hugging Face sets it up for chat templates."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
