"""What stands on each side of a relation sign in running text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from gateway.answers.arithmetic import Token, Uncheckable, Unreadable, evaluate

MAX_TOKENS = 80
"""Tokens of one side."""
MAX_UNIT_WORDS = 3

GLUED_UNITS = frozenset(
    {
        "cm", "mm", "km", "kg", "mg", "ml", "ft", "lb", "lbs", "oz",
        "hr", "hrs", "min", "mins", "sec", "mph", "kmh", "am", "pm",
    }
)  # fmt: skip
FUNCTIONS = frozenset(
    {
        "of", "sqrt", "root", "log", "ln", "sin", "cos", "tan", "exp", "mod", "than", "half",
        "gcd", "lcm",
    }
)  # fmt: skip
"""Before an expression these change its value in ways that are not read here."""
ENDS = frozenset(".,;:!?)]}\"'|”’")
BEGINNINGS = frozenset(":;,.([{|>\"'“‘")


@dataclass(frozen=True, slots=True)
class Side:
    """An expression: no `value` where it is not computed; `weak` where it may be misread."""

    tokens: tuple[Token, ...]
    units: frozenset[str]
    value: Fraction | None
    weak: bool

    @property
    def lone(self) -> Token | None:
        """The number, where the side is nothing else."""
        bare = [token for token in self.tokens if token.text not in ("-", "+", "%", "(", ")")]
        return bare[0] if len(bare) == 1 and bare[0].kind == "number" else None

    @property
    def percent(self) -> bool:
        return any(token.text == "%" for token in self.tokens)

    def __str__(self) -> str:
        return " ".join(token.text for token in self.tokens)


def ending(part: Sequence[Token]) -> Side | None:
    """The expression that `part` ends with."""
    start, kept, units = len(part), [], set()  # type: int, list[Token], set[str]
    words = 0
    while start and len(kept) <= MAX_TOKENS:
        token, following = part[start - 1], kept[-1] if kept else None
        if _is_times(part, start - 1):
            kept.append(Token("op", "*"))
        elif token.kind == "word" and words < MAX_UNIT_WORDS and _may_be_unit(following):
            if not _unit_of(part, start - 1):
                break
            words += 1
            units.add(token.text.casefold())
        elif token.kind == "money":
            units.add("$")
        elif token.kind in ("number", "op"):
            if _adjacent(token, following, part, start):
                break
            words = 0
            kept.append(token)
        else:
            break
        start -= 1
    before = part[start - 1] if start else None
    kept.reverse()
    return _side(kept, units, before, first=part[start] if start < len(part) else None)


def _adjacent(token: Token, following: Token | None, part: Sequence[Token], start: int) -> bool:
    """Two operands with only a space between them belong to different expressions."""
    ends = token.kind == "number" or token.text in (")", "%")
    if following is None or not ends:
        return False
    return following.kind == "number" or (following.text == "(" and not following.glued)


def _may_be_unit(following: Token | None) -> bool:
    return following is None or (following.kind == "op" and following.text not in "(%^")


def _unit_of(part: Sequence[Token], place: int) -> bool:
    """Whether the word at `place` follows a number, at most two words away."""
    token = part[place]
    if token.text.startswith("\\") or len(token.text) < 2:
        return False
    if token.glued:
        return place > 0 and part[place - 1].kind == "number" and token.text in GLUED_UNITS
    for before in reversed(part[max(0, place - MAX_UNIT_WORDS) : place]):
        if before.kind != "word":
            return before.kind == "number" or before.text in (")", "%")
        if before.text.casefold() in FUNCTIONS:
            return False
    return False


def _is_times(part: Sequence[Token], place: int) -> bool:
    """An `x` between two operands."""
    if part[place].text not in ("x", "X") or not 0 < place < len(part) - 1:
        return False
    before, after = part[place - 1], part[place + 1]
    ends = before.kind in ("number", "word") or before.text in (")", "%")
    return ends and (after.kind in ("number", "money") or after.text == "(")


def _side(
    kept: list[Token], units: set[str], before: Token | None, first: Token | None
) -> Side | None:
    if not kept or len(kept) > MAX_TOKENS:
        return None
    follows_word = before is not None and before.kind == "word"
    if kept[0].text in ("*", "/", "^", "+", ")", "%") or (kept[0].text == "-" and follows_word):
        return None
    if before and first and first.glued and before.text not in BEGINNINGS:
        return None
    named = follows_word and len(kept) == 1
    # A number before it is the "350" of "350 000 * 2", or a factor: it may be misread.
    weak = named or (before is not None and _may_change(before))
    return _read(kept, units, weak=weak)


def _may_change(before: Token) -> bool:
    return before.kind == "number" or before.text.casefold().lstrip("\\") in FUNCTIONS


def _read(kept: Sequence[Token], units: set[str], *, weak: bool) -> Side | None:
    try:
        value: Fraction | None = evaluate(kept)
    except Unreadable:
        return None
    except Uncheckable:
        value = None
    return Side(tuple(kept), frozenset(units), value, weak)


def beginning(part: Sequence[Token]) -> tuple[Side | None, bool]:
    """The expression that `part` begins with, and whether it is all of `part`."""
    kept: list[Token] = []
    units: set[str] = set()
    place = 0
    while place < len(part) and len(kept) <= MAX_TOKENS:
        token, last = part[place], kept[-1] if kept else None
        if _is_times(part, place):
            kept.append(Token("op", "*"))
        elif token.kind == "money":
            units.add("$")
        elif token.kind == "word" and _unit_of(part, place):
            units.add(token.text.casefold())
        elif token.kind in ("number", "op") and not (
            last is not None and _adjacent(last, token, part, place)
        ):
            if token.kind == "number" and units and last and last.kind == "number":
                break
            kept.append(token)
        else:
            break
        place += 1
    rest = part[place] if place < len(part) else None
    return _cut(kept, units, rest), rest is None


def _cut(kept: list[Token], units: set[str], rest: Token | None) -> Side | None:
    """Trim what the following word took along: a dash, a slash, an opening parenthesis."""
    variable = rest is not None and (len(rest.text) == 1 or rest.text.startswith("\\"))
    per = rest is not None and rest.kind == "word" and kept and kept[-1].text == "/"
    if rest is not None and rest.glued and rest.text not in ENDS and not per:
        return None
    while kept and kept[-1].text in "+-*/^(":
        if kept[-1].text in "+*^" or (variable and rest is not None and rest.kind == "word"):
            return None
        kept.pop()
    if len(kept) > MAX_TOKENS:
        return None
    while kept and kept[-1].text == ")" and _surplus(kept):
        kept.pop()
    split = rest is not None and rest.kind == "number"
    return _read(kept, units, weak=split) if kept else None


def _surplus(kept: Sequence[Token]) -> bool:
    return sum((t.text == "(") - (t.text == ")") for t in kept) < 0
