"""Numbers as they are written around the world, as ASCII digits with a decimal point.

Only what needs no context is read here: digits of other scripts, groups that can be nothing else,
and Chinese numerals. Which mark is the decimal one where both readings exist: `habits`.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_CHINESE = 40
"""Characters of a number in Chinese numerals that are read."""

GROUP_SPACES = "\u00a0\u2009\u202f"

_GROUPED = re.compile(
    r"(?<![\d.,'])(?:"
    r"(?P<spaced>\d{1,3}(?:(?P<mark>[ '])\d{3}(?:(?P=mark)\d{3})*)(?:[.,]\d+)?)"
    r"|(?P<dotted>\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,})"
    r"|(?P<indian>\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?)"
    r")(?![\d'/]|[.,]\d)"
)
_FORMULA = frozenset("()[]{}=^\\|<>")

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {
    "〇": 0, "两": 2, "兩": 2, "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6, "柒": 7,
    "捌": 8, "玖": 9,
}  # fmt: skip
_SMALL = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12}
_NUMERALS = "".join([*_DIGITS, *_SMALL, *_LARGE])
_CHINESE = re.compile(rf"[{_NUMERALS}]")
_NUMBER = rf"[\d.,{_NUMERALS}点點]{{1,{MAX_CHINESE}}}"
_WHOLE = re.compile(
    rf"(?P<first>{_NUMBER})(?:(?P<of>分之|分の)(?P<second>{_NUMBER}))?(?P<unit>[^\d{_NUMERALS}]*)"
)
_PARTS = re.compile(rf"(?P<plain>[\d,]+(?:\.\d+)?)|(?P<run>[{''.join(_DIGITS)}]+)|(?P<step>.)")


def ascii_digits(text: str) -> str:
    """`text` with the decimal digits of every script as ASCII ones."""
    if text.isascii():
        return text
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)


def ungrouped(text: str) -> str:
    """`1 234,5`, `1'234`, `1.234.567`, `1.234,5` and `1,23,456` in plain digits.

    Text that could be a formula or a list in brackets is left as it is.
    """
    if _FORMULA.isdisjoint(text):
        return _GROUPED.sub(_plain, text)
    return text


def _plain(match: re.Match[str]) -> str:
    number = match[0]
    if match["indian"]:
        return number.replace(",", "")
    if match["spaced"]:
        return number.replace(match["mark"], "").replace(",", ".")
    return number.replace(".", "").replace(",", ".")


def from_chinese(text: str) -> str:
    """A number in Chinese numerals, or digits mixed with them, and its unit, in plain digits.

    `三百二十` is 320, `3万5千円` is `35000 円`, `五分之三` and `5分の3` are `3/5`; a text that is
    anything else comes back as it is.
    """
    if _CHINESE.search(text) is None and "分" not in text:
        return text
    match = _WHOLE.fullmatch(text)
    first = _value(match["first"]) if match else None
    if match is None or first is None:
        return text
    unit = f" {match['unit']}".rstrip()
    if match["of"] is None:
        return f"{_spelt(first)}{unit}"
    second = _value(match["second"])
    if second is None or not first:
        return text
    ratio = second / first
    return f"{ratio.numerator}/{ratio.denominator}{unit}"


def _spelt(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    whole, part = divmod((value * 10**digits).numerator, 10**digits)
    return f"{whole}.{part:0{digits}d}"


def _value(text: str) -> Fraction | None:
    """The value of digits and numerals; None where they are no number."""
    whole, point, decimals = text.replace("點", "点").partition("点")
    if point:
        if not decimals or not all(char in _DIGITS for char in decimals):
            return None
        value = _value(whole)
        run = "".join(str(_DIGITS[char]) for char in decimals)
        return None if value is None else value + Fraction(int(run), 10 ** len(run))
    total = section = Fraction(0)
    last: Fraction | None = None
    for part in _PARTS.finditer(whole):
        if part["step"] is None:
            if last is not None and last != 0:
                return None
            last = _digits(part)
            if last is None:
                return None
        elif (small := _SMALL.get(part[0])) is not None:
            section += (1 if last is None or last == 0 else last) * small
            last = None
        elif (large := _LARGE.get(part[0])) is not None:
            below = section + (last or 0)
            if not below and last is None and total:
                return None
            total += (below or 1) * large
            section, last = Fraction(0), None
        else:
            return None
    return total + section + (last or 0)


def _digits(part: re.Match[str]) -> Fraction | None:
    if part["run"]:
        return Fraction(int("".join(str(_DIGITS[char]) for char in part["run"])))
    digits = part["plain"].replace(",", "")
    return Fraction(digits) if digits else None
