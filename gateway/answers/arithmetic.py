"""Exact arithmetic over the tokens of an expression, in bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

MAX_EXPONENT = 64
MAX_BITS = 2_048
MAX_DEPTH = 20


class Unreadable(Exception):
    """The tokens are no arithmetic expression."""


class Uncheckable(Exception):
    """The expression is one, but too large to compute, or has no value."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `glued` says that no space stands before it, `value` is a number's."""

    kind: str
    text: str
    glued: bool = False
    value: Fraction = Fraction(0)
    decimals: int = 0


def evaluate(tokens: Sequence[Token]) -> Fraction:
    """The exact value; `Unreadable` or `Uncheckable` where there is none."""
    parser = _Parser(tokens)
    value = parser.sum()
    if parser.peek() is not None:
        raise Unreadable
    return value


def bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise Uncheckable
    return value


class _Parser:
    """Recursive descent: sum > product > signed > power > operand."""

    def __init__(self, tokens: Sequence[Token]):
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    def peek(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, *texts: str) -> str | None:
        token = self.peek()
        if token is not None and token.kind != "number" and token.text in texts:
            self.place += 1
            return token.text
        return None

    def sum(self) -> Fraction:
        value = self.product()
        while sign := self.take("+", "-"):
            term = self.product()
            value = bounded(value + term if sign == "+" else value - term)
        return value

    def product(self) -> Fraction:
        value = self.signed()
        while True:
            if self.take("*") or self._implied():
                value = bounded(value * self.signed())
            elif self.take("/"):
                below = self.signed()
                if not below:
                    raise Uncheckable
                value = bounded(value / below)
            else:
                return value

    def _implied(self) -> bool:
        token = self.peek()
        return token is not None and token.text == "(" and token.glued

    def signed(self) -> Fraction:
        negative = False
        while sign := self.take("-", "+"):
            negative ^= sign == "-"
        value = self.power()
        return -value if negative else value

    def power(self) -> Fraction:
        base = self.operand()
        if not self.take("^"):
            return base
        self._enter()
        exponent = self.signed()
        self.depth -= 1
        return power(base, exponent)

    def operand(self) -> Fraction:
        token = self.peek()
        if token is None:
            raise Unreadable
        self.place += 1
        if token.kind == "number":
            value = token.value
        elif token.text == "(":
            self._enter()
            value = self.sum()
            self.depth -= 1
            if not self.take(")"):
                raise Unreadable
        else:
            raise Unreadable
        return value / 100 if self.take("%") else value

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Uncheckable


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """`base ** exponent` for small whole exponents; never a root, never a huge number."""
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT:
        raise Uncheckable
    if not base and exponent < 0:
        raise Uncheckable
    bits = base.numerator.bit_length() + base.denominator.bit_length()
    if bits * abs(exponent.numerator) > MAX_BITS:
        raise Uncheckable
    return Fraction(base**exponent.numerator)
