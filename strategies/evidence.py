"""The same question in another language: prompts and messages of X-MBR's evidence (pure)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from gateway import Message

FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a language's file says: how to ask for an answer in it, and for a translation into it.

    The paper's own prompts are not public; these are ours.
    """

    language: str
    version: int
    answer: str
    translate: str

    @property
    def name(self) -> str:
        return f"{self.language}-{self.version}"


@cache
def prompt_of(language: str) -> Prompt:
    """The prompt of `prompts/multilingual/LANGUAGE.toml`; English's where there is no such file."""
    folder = files("strategies").joinpath("prompts/multilingual")
    file = folder.joinpath(f"{language}.toml")
    if not (language.isalpha() and file.is_file()):
        language, file = FALLBACK, folder.joinpath(f"{FALLBACK}.toml")
    return Prompt(language=language, **tomllib.loads(file.read_text("utf-8")))


def other_than(language: str | None, choices: Sequence[str]) -> str:
    """The first of `choices` that is not the user's `language`; the last where all are."""
    return next((choice for choice in choices if choice != language), choices[-1])


def can_be_asked(messages: Sequence[Message], fields: Any) -> bool:
    """Whether another answer to `messages` would be one text of words, which evidence can be.

    Tools and formats are not handed to evidence, and a turn begun by the assistant has no end to
    put a wish to.
    """
    wanted = fields.get("response_format") or {}
    formatted = fields.get("structured_outputs") or wanted.get("type", "text") != "text"
    last = messages[-1] if messages else {}
    return last.get("role") == "user" and not formatted and not fields.get("tools")


def with_wish(messages: Sequence[Message], wish: str) -> list[Message]:
    """`messages` with a paragraph added to the last one, the user's."""
    last = dict(messages[-1])
    content = last.get("content")
    if isinstance(content, list):
        last["content"] = [*content, {"type": "text", "text": wish}]
    else:
        last["content"] = f"{content or ''}\n\n{wish}"
    return [*messages[:-1], last]


def with_text(messages: Sequence[Message], text: str) -> list[Message]:
    """`messages` with the texts of the last one, the user's, replaced by `text`."""
    last = dict(messages[-1])
    content = last.get("content")
    if isinstance(content, list):
        kept = [p for p in content if not (isinstance(p, dict) and p.get("type") == "text")]
        last["content"] = [*kept, {"type": "text", "text": text}]
    else:
        last["content"] = text
    return [*messages[:-1], last]
