"""The equations that a text shows, and whether they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gateway.answers.arithmetic import Token
from gateway.answers.habits import plain_text
from gateway.answers.sides import Side, beginning, ending
from gateway.answers.tokens import lines, tokenize

MAX_TEXT = 8_000
"""Characters at the end of a text that are read."""
MAX_LINE = 1_000
MAX_RELATIONS = 120
"""Equals signs that are read, the last ones; identical lines count once."""
NEAR = Fraction(1, 20)
"""An `≈` that is off by less, but not a rounding, is left unchecked."""

_CALCULATOR = re.compile(r"<<([^<>\n]{1,200})>>")


@dataclass(frozen=True, slots=True)
class Equation:
    """A chain `a = b [= c…]` as shown: `holds` is None where it could not be checked.

    `results` are the values that it arrives at: each of its sides that is a bare number, as shown.
    """

    text: str
    holds: bool | None
    results: tuple[Fraction, ...] = ()


def equations(text: str) -> list[Equation]:
    """Every arithmetic equation that the end of `text` shows, each once, in order.

    Sides are numbers, `+ - * / ^`, parentheses and percentages, in plain, Markdown or TeX
    notation and in GSM8K's `<<a=b>>`; currency signs and units are read over. A right side that is
    the correct rounding of the left, at the decimals it shows, holds. Sides with variables or
    functions are no arithmetic and give no equation.
    """
    text = plain_text(text[-MAX_TEXT:])
    calculated = "\n".join(_CALCULATOR.findall(text))
    shown = lines(f"{calculated}\n{_CALCULATOR.sub(' ', text)}")
    found: dict[str, Equation] = {}
    for line in _last(dict.fromkeys(line[-MAX_LINE:] for line in shown)):
        for equation in _in_line(tokenize(line)):
            found.setdefault(equation.text, equation)
    return list(found.values())


def _last(shown: Iterable[str]) -> list[str]:
    """The lines that hold the last relation signs, as many as are read."""
    kept: list[str] = []
    left = MAX_RELATIONS
    for line in reversed(list(shown)):
        signs = line.count("=") + line.count("≈")
        left -= signs
        if left < 0:
            break
        if signs:
            kept.append(line)
    return kept[::-1]


def _in_line(tokens: Sequence[Token]) -> Iterator[Equation]:
    """Split a line at its relation signs, and read what ends and begins at each."""
    parts: list[list[Token]] = [[]]
    relations: list[str] = []
    for token in tokens:
        if token.kind == "relation":
            relations.append(token.text)
            parts.append([])
        else:
            parts[-1].append(token)
    chain: list[tuple[str, Side]] = []
    for index, relation in enumerate(relations):
        left = None if chain else ending(parts[index])
        if left is not None:
            chain.append((relation, left))
        right, whole = beginning(parts[index + 1])
        if right is not None:
            chain.append((relation, right))
        if right is None or not whole or index == len(relations) - 1:
            yield from _equation(chain)
            chain = []


def _equation(chain: list[tuple[str, Side]]) -> Iterator[Equation]:
    if chain and chain[0][1].lone and (chain[0][1].units or chain[0][1].weak):
        # "3 hours = 3 * 60 = 180 minutes", "week 2 = 7 * 2": a name, not the first value.
        chain = chain[1:]
    sides = [side for _, side in chain]
    changes = (i for i in range(1, len(sides)) if _converts(sides[i - 1], sides[i]))
    end = next(changes, len(sides))
    chain, sides = chain[:end], sides[:end]
    if len(sides) < 2 or all(side.lone for side in sides):
        return
    links = [(sides[i - 1], *chain[i]) for i in range(1, len(sides))]
    verdicts = [_agree(left, right, sign) for left, sign, right in links]
    holds = False if False in verdicts else None if None in verdicts else True
    text = str(sides[0]) + "".join(f" {sign} {right}" for _, sign, right in links)
    yield Equation(text, holds, tuple(_results(sides)))


def _converts(left: Side, right: Side) -> bool:
    """`60 minutes = 1 hour` says the same in another unit."""
    return bool(left.lone and right.lone and left.units and right.units - left.units)


def _results(sides: Sequence[Side]) -> Iterator[Fraction]:
    for side in sides:
        if side.lone and side.value is not None:
            yield side.value
            if side.percent:
                yield side.value * 100


def _agree(left: Side, right: Side, sign: str) -> bool | None:
    if left.value is None or right.value is None:
        return None
    shown = right.value * 100 if right.percent and right.lone else right.value
    if left.value in (right.value, shown):
        return True
    lone = right.lone
    if lone is not None and (lone.decimals or sign == "≈"):
        # A percentage shows its decimals a hundred times larger than its value.
        unit = Fraction(1, 10**lone.decimals)
        pairs = [(left.value, shown), (left.value * 100, shown)] if right.percent else []
        for exact, rounded in pairs or [(left.value, right.value)]:
            if abs(exact - rounded) * 2 <= unit:
                return True
    if sign == "≈" and abs(left.value - right.value) <= NEAR * abs(left.value):
        return None
    return None if _unsure(left, right) else False


def _unsure(left: Side, right: Side) -> bool:
    other_units = bool(left.units and right.units and not left.units & right.units)
    return left.weak or right.weak or left.percent or right.percent or other_units
