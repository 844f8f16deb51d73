"""Equivalence of answers: one key for all spellings of the same number or text."""

from __future__ import annotations

import hashlib
import re

from gateway.answers.quantities import INTEGER, MAX_ANSWER, plain_form, quantity

MAX_KEY = 200
"""A longer key is cut and carries a digest of the whole."""

_SHORT_SCRIPT = re.compile(r"([\^_])\{(\w)\}")
_LETTER = re.compile(r"\(?([A-Za-z])[).]?")
_NUMERIC = re.compile(r"-?\d+(?:\.\d+|/\d+)?")
_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMAND = re.compile(r"\\[A-Za-z]+|(?:sqrt|sin|cos|tan|log|exp)(?![A-Za-z])")


def canonical(answer: str) -> str:
    """The key that an answer shares with its other spellings.

    A number's key is exact: `1,234.50` and `1234.5` share one, so do `1/2`, `\\frac12` and `0.5`;
    dollars and degrees are dropped, and any other unit stays (`50%` is not `50`). All else
    is text with case, spaces, TeX's layout and a surrounding `$…$` taken out.
    """
    if INTEGER.fullmatch(answer):
        return answer
    if len(answer) > MAX_ANSWER:
        return text_key(answer)
    found = quantity(answer)
    if found is not None:
        return found.key
    plain = plain_form(answer)
    if letter := _LETTER.fullmatch(plain):
        return letter[1].casefold()
    if _is_formula(plain):
        return text_key(_SHORT_SCRIPT.sub(r"\1\2", "".join(plain.split())))
    return text_key(plain)


def is_numeric_key(key: str) -> bool:
    """Whether a key is a bare number, so that comparing keys is exact and complete."""
    return _NUMERIC.fullmatch(key) is not None


def looks_mathematical(answer: str) -> bool:
    """Whether an answer is worth a symbolic comparison: short, with a formula's characters."""
    return len(answer) <= MAX_KEY and _is_formula(plain_form(answer))


def text_key(text: str) -> str:
    """The key of a text as text: case and runs of white space do not matter."""
    return shortened(" ".join(text.casefold().split()))


def shortened(key: str) -> str:
    """`key` itself, or its beginning and a digest of the whole where it is long."""
    if len(key) <= MAX_KEY:
        return key
    return f"{key[:60]}… sha256:{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}"


def _is_formula(text: str) -> bool:
    if not any(c.isdigit() or c in "\\^+-*/=<>()[]{}|" for c in text):
        return False
    return _WORD.search(_COMMAND.sub(" ", text)) is None
