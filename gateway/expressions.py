"""The grammar of verifiers: a name with parameters, or names put together (pure).

    verifier    = name | combination "(" member *( "," member ) ")"
    combination = "all" | "first" | "weighted"
    member      = verifier             ; in all and first
                | verifier ":" weight  ; in weighted
    weight      = 1*6DIGIT [ "." 1*3DIGIT ]   ; over 0
    name        = an RFC 9651 item: token *( ";" key [ "=" value ] )

A token may hold colons, and so the last `:number` of a member of `weighted` is always its weight:
`weighted(judge;model=org/m:7:1, math:2)`. Elsewhere a colon belongs to the parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.naming import Named, parse_named

COMBINATIONS = ("all", "first", "weighted")
MAX_LENGTH = 2_000
"""Characters."""
MAX_DEPTH = 4
"""Combinations within each other."""
MAX_NAMES = 16
"""Names in all of an expression."""

_OPENING = re.compile(r"[ \t]*([^\s(),;:\"]*)[ \t]*\(")
_WEIGHT = re.compile(r":[ \t]*(\d{1,6}(?:\.\d{1,3})?)[ \t]*\Z")


class Malformed(ValueError):
    """The text is no verifier; the message names the position of the first fault, from 1."""

    def __init__(self, position: int, message: str):
        super().__init__(f"position {position + 1}: {message}")


@dataclass(frozen=True, slots=True)
class Member:
    """One part of a combination: its own text, and where that begins in the whole, from 0."""

    verifier: Named | Combined
    text: str
    position: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Combined:
    """Several verifiers put together; `how` is one of `COMBINATIONS`."""

    how: str
    members: tuple[Member, ...]


@lru_cache(maxsize=256)
def parse_verifier(text: str) -> Named | Combined:
    """`all(math,judge;model=m)` -> what it says; ValueError, for a combination a `Malformed`."""
    if len(text) > MAX_LENGTH:
        raise Malformed(MAX_LENGTH, f"longer than {MAX_LENGTH} characters")
    if _OPENING.match(text) is None:
        return parse_named(text)
    tree = _combined(text, 0, 1)
    if _names(tree) > MAX_NAMES:
        raise Malformed(0, f"more than {MAX_NAMES} verifiers")
    return tree


def _combined(text: str, start: int, depth: int) -> Combined:
    """The combination that `text` is; `start` is its place in the whole, for messages."""
    opening = _OPENING.match(text)
    assert opening is not None
    how = opening[1]
    if how not in COMBINATIONS:
        allowed = ", ".join(COMBINATIONS)
        raise Malformed(start + opening.start(1), f"no combination {how!r}; allowed: {allowed}")
    if depth > MAX_DEPTH:
        raise Malformed(start + opening.start(1), f"nested deeper than {MAX_DEPTH}")
    members = [
        _member(how, text[begin:end], start + begin, depth)
        for begin, end in _split(text, opening.end(), start)
    ]
    return Combined(how, tuple(members))


def _split(text: str, begin: int, start: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each member: commas and parentheses in strings or deeper do not count."""
    depth, quoted, place = 1, False, begin
    while place < len(text):
        char = text[place]
        if quoted:
            place += char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        if not quoted and (depth == 0 or (depth == 1 and char == ",")):
            yield begin, place
            begin = place + 1
        if depth == 0:
            break
        place += 1
    if depth:
        raise Malformed(start + len(text), "a string is not closed" if quoted else "')' is missing")
    if rest := text[begin:].strip():
        raise Malformed(start + text.index(rest, begin), f"{rest[:20]!r} follows the last ')'")


def _member(how: str, text: str, start: int, depth: int) -> Member:
    weight = 1.0
    begin = start + len(text) - len(text.lstrip())
    if how == "weighted" and text.strip():
        found = _WEIGHT.search(text)
        if found is None:
            raise Malformed(begin, f"a weight is missing, as in {text.strip()[:40]}:1")
        weight = float(found[1])
        if weight == 0:
            raise Malformed(start + found.start(1), "a weight must be over 0")
        text = text[: found.start()]
    text = text.strip()
    if not text:
        raise Malformed(begin, "a verifier is missing")
    if _OPENING.match(text):
        return Member(_combined(text, begin, depth + 1), text, begin, weight)
    try:
        return Member(parse_named(text), text, begin, weight)
    except ValueError as error:
        raise Malformed(begin, str(error)) from None


def _names(tree: Named | Combined) -> int:
    if isinstance(tree, Named):
        return 1
    return sum(_names(member.verifier) for member in tree.members)
