"""Text that a model is to judge and not to obey (pure)."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from gateway import Candidate, Message

CONTROL = re.compile(
    r"[<＜](?=[|｜])"  # <|end|>, <｜Assistant｜>
    r"|[<＜](?=/?(?i:s|bos|eos|pad|unk|mask|cls|sep|sop|eop)[>＞])"
    r"|[<＜](?=/?[A-Za-z]+(?:_[A-Za-z0-9]+)+[>＞])"  # <start_of_turn>, <extra_id_0>
    r"|<(?=/?<?/?SYS>)"  # <<SYS>>
    r"|\[(?=/?g?[A-Z][A-Z_]+\])"  # [INST], [gMASK], [TOOL_CALLS]
)
"""Where what chat templates use as tokens of their own begins: servers parse these in any text."""

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
JOINERS = "\u200c\u200d"
"""Two invisible characters that words of some scripts need, within a word."""
OF_WORDS = r"[^\x00-\x7f\u200b-\u200f\uff1c\uff5c]"
LOOSE_JOINERS = re.compile(rf"(?<!{OF_WORDS})[{JOINERS}]|[{JOINERS}](?!{OF_WORDS})")
BREAKS = "\u2028\u2029\x85\x0b\x0c"


def neutral(text: str) -> str:
    """`text` less what no reader sees, its role tokens broken up by a space.

    A text without either is returned as it is.
    """
    table = {ord(c): "\n" if c in BREAKS else None for c in set(text) if _is_invisible(c)}
    seen = LOOSE_JOINERS.sub("", text).translate(table)
    return CONTROL.sub(lambda found: f"{found[0]} ", seen)


def _is_invisible(character: str) -> bool:
    if character in BREAKS:
        return True
    return character not in "\n\t" + JOINERS and unicodedata.category(character) in INVISIBLE


def data(text: str, most: int) -> str:
    """`text` as a prompt may hold it: neutral, and of about `most` characters at most."""
    return neutral(clipped(text, most)).strip()


def clipped(text: str, most: int) -> str:
    """`text`, or its beginning and its end where it has more than `most` characters."""
    if len(text) <= most:
        return text
    half = most // 2
    left = len(text) - 2 * half
    return f"{text[:half]}\n[{left} characters left out]\n{text[-half:]}"


def shown(candidate: Candidate) -> str:
    """A candidate's words, and its tool calls as JSON."""
    calls = [json.dumps(dict(call), ensure_ascii=False) for call in candidate.tool_calls]
    return "\n".join([candidate.text, *calls]).strip()


def transcript(messages: Sequence[Message]) -> str:
    """A conversation as plain text; of a content in parts, its texts."""
    return "\n\n".join(f"{m.get('role', '')}: {_content(m.get('content'))}" for m in messages)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else []
    return "\n".join(
        str(part.get("text") or f"[{part.get('type', 'part')}]")
        for part in parts
        if isinstance(part, Mapping)
    )


def fence(seed: str, texts: Sequence[str]) -> str:
    """A code that none of `texts` holds, so that none can end the block that it is put into.

    It follows from `seed` alone, which must be the part that several prompts share: a prompt's
    beginning is then cached, and a seeded request repeats.
    """
    for turn in range(1 + sum(map(len, texts))):
        code = hashlib.blake2b(f"{turn}:{seed}".encode(), digest_size=6).hexdigest()
        if not any(code in text.lower() for text in texts):
            return code
    raise AssertionError("shorter texts hold all codes")  # pragma: no cover


@cache
def template(name: str) -> Template:
    """The prompt in `prompts/NAME.txt`."""
    return Template(files("verifiers").joinpath(f"prompts/{name}.txt").read_text("utf-8"))
