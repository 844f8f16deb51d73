"""Answers that are one number, in any spelling, exactly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from gateway.answers.locales import (
    COUNTERS,
    CURRENCY_BEFORE,
    DOLLARS,
    MAGNITUDES,
    MINUS,
    PERCENT,
    PERCENT_BEFORE,
    SIGNS,
    all_words,
)
from gateway.answers.numerals import ascii_digits, from_chinese, ungrouped
from gateway.answers.scripts import LETTER

MAX_ANSWER = 2_000
"""Characters; a longer answer is compared as text."""
MAX_DIGITS = 300

NEUTRAL_UNITS = frozenset({"", "degree", "degrees"}) | all_words(DOLLARS, COUNTERS)
"""Units that say nothing which the question does not say: dropped from a key."""
LETTER_UNITS = frozenset("mgslh")
"""Letters that are units where a space stands before them."""
SAME_UNIT = {"¢": "cents", "cent": "cents"} | dict.fromkeys(all_words(PERCENT), "%")
NOT_UNITS = frozenset(
    {
        "or", "and", "to", "of", "in", "not", "no", "than", "more", "less", "fewer", "over", "is",
        "plus", "minus", "times", "divided", "by", "point", "half", "mod", "squared", "cubed", "if",
        "below", "above", "negative", "am", "pm", "pi", "sqrt", "root", "sin", "cos", "tan", "log",
        "ln", "exp", "theta", "alpha", "beta", "infinity", "are", "remainder", "factorial",
        "oder", "und", "nicht", "ou", "et", "pas", "или", "и", "не", "au", "si",
    }
)  # fmt: skip
"""Words after a number that make something else of it."""

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
"""The commonest answer, in its canonical spelling: a short cut past everything else."""

_SPELLINGS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "﹣": "-", "－": "-", "＋": "+", "⁄": "/", "∕": "/",
        "％": "%", "٪": "%", "＄": "$", "￥": "¥", "，": ",", "．": ".",
        "٫": ".", "٬": ",", "（": "(", "）": ")", "＝": "=",
        "\u00a0": " ", "\u2009": " ", "\u202f": " ", "’": "'", "‘": "'", "“": '"', "”": '"',
        "½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4",
        "⁰": "^0", "¹": "^1", "²": "^2", "³": "^3", "⁴": "^4",
        "π": "\\pi ", "√": "\\sqrt ", "°": " degrees ",
    }
)  # fmt: skip
_TEX = (
    (re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}"),
     r" \1 "),
    (re.compile(r"\\(?:left|right|displaystyle|big|Big|bigl|bigr)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?"), " degrees "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\!|(?<=\d)\\,(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\\[,;:>]|\\(?:quad|qquad)(?![A-Za-z])|~"), " "),
    (re.compile(r"\\([$%#&_])"), r"\1"),
)  # fmt: skip
_FRAC = re.compile(
    r"(?P<sign>-?)\\frac\s*(?:\{\s*(?P<a>[-+]?[\d.,]+)\s*\}|(?P<a1>\d))"
    r"\s*(?:\{\s*(?P<b>[-+]?[\d.,]+)\s*\}|(?P<b1>\d))"
)
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)(?:\.\d*)?|\.\d+"
_WORDS = rf"{LETTER}+(?:[-' ]{LETTER}+){{0,3}}"
_NUMBER = re.compile(
    rf"(?P<cur>[{SIGNS}]?)\s*(?P<sign>[-+]?)\s*(?P<cur2>[{SIGNS}]?)\s*(?P<num>{_DIGITS})"
    rf"(?:\s*/\s*(?P<den>-?(?:{_DIGITS}))|[ ]+(?P<mixa>\d+)\s*/\s*(?P<mixb>\d+))?"
    r"(?:[eE](?P<e>[-+]?\d{1,2})|\s*(?:\\times|\\cdot|×|\*|x)\s*10\s*\^\s*\{?(?P<p>-?\d{1,2})\}?)?"
    rf"\s*(?P<unit>%|¢|US\$|[{SIGNS}](?:US)?|{_WORDS}(?:\s*[/^]\s*{LETTER}*\d?)?)?"
)
CYRILLIC = "\u0400"
_BOLD = re.compile(r"\*\*([^*]{1,80})\*\*")
_DISPLAYED = re.compile(r"\$([\d.,' ]{1,40})\$")
_BEFORE = {
    **dict.fromkeys(all_words(PERCENT_BEFORE), "%"),
    **{word: word for word in all_words(CURRENCY_BEFORE)},
    **dict.fromkeys(("us$", "usd", "dola"), "$"),
    **dict.fromkeys(all_words(MINUS), "-"),
}
_LEADING = re.compile(
    "(?:" + "|".join(re.escape(word) for word in sorted(_BEFORE, key=len, reverse=True))
    + r")\.?\s*(?=[-\d])", re.IGNORECASE,
)  # fmt: skip
_DEFINED = re.compile(r"[^\W\d_](?:_\{?\w{1,5}\}?)?(?:\([^()=,]{0,20}\))?|[-+*/×÷().\d\s$]+")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number and its unit ("" where it has none, or one that does not matter)."""

    value: Fraction
    unit: str = ""

    @property
    def key(self) -> str:
        number = _decimal(self.value)
        return f"{number}{self.unit}" if self.unit in ("", "%") else f"{number} {self.unit}"


def quantity(answer: str) -> Quantity | None:
    """The number that an answer is, with its unit; None where it is not a single number."""
    if INTEGER.fullmatch(answer):
        return Quantity(Fraction(int(answer)))
    return _parsed(plain_form(answer)) if len(answer) <= MAX_ANSWER else None


def plain_form(answer: str) -> str:
    """`answer` without the wrapping and TeX's layout, which say nothing about its value."""
    text = answer.translate(_SPELLINGS)
    text = ascii_digits(text)
    if "\\" in text or "{,}" in text:
        for pattern, replacement in _TEX:
            text = pattern.sub(replacement, text)
    text = _numeral(_peel(text))
    left, equals, right = text.partition("=")
    right = right.strip()
    named = equals and "=" not in right and _DEFINED.fullmatch(left.strip())
    return right if named and _parsed(right) is not None else text


def _numeral(text: str) -> str:
    """A number's dress of other languages taken off; other text as it is."""
    if "**" in text:
        text = _BOLD.sub(r"\1", text)
    if text.count("$") == 2:
        text = _DISPLAYED.sub(r"\1", text)
    if not text.isascii():
        percent = text.startswith("百分之")
        if text[0] in SIGNS:
            text = text[0] + from_chinese(text[1:].lstrip())
        for word in (*MINUS["zh"], *MINUS["ja"], "百分之"):
            if text.startswith(word):
                read = from_chinese(text[len(word) :].lstrip())
                text = f"{read}%" if percent else f"-{read}"
                break
        else:
            text = from_chinese(text)
    if (before := _LEADING.match(text)) is not None:
        meaning = _BEFORE[before[0].rstrip(" .").casefold()]
        rest = text[before.end() :]
        text = f"-{rest}" if meaning == "-" else f"{rest} {meaning}"
    return ungrouped(text)


def _peel(text: str) -> str:
    """Markdown, math delimiters and a final stop taken off the ends."""
    for _ in range(4):
        before = text
        text = text.strip().strip("*`_").strip()
        if len(text) > 1 and text.endswith((".", "。", "।", "．")) and not text.endswith(".."):
            text = text[:-1].rstrip()
        for opening, closing in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
            inner = text[len(opening) : -len(closing)]
            if text.startswith(opening) and text.endswith(closing) and opening not in inner:
                text = inner
        if text == before:
            break
    return text


def _parsed(plain: str) -> Quantity | None:
    if not plain or not any(map(str.isdecimal, plain)):
        return None
    sign_before_frac = _FRAC.search(plain) if "\\frac" in plain else None
    if sign_before_frac:
        plain = _spelled_out(plain, sign_before_frac)
    match = _NUMBER.fullmatch(plain)
    if match is None or sum(map(str.isdecimal, plain)) > MAX_DIGITS:
        return None
    value = _value(match)
    unit = (match["unit"] or match["cur"] or match["cur2"] or "").casefold()
    if value is None or (unit.isalpha() and _glued_variable(match, unit)):
        return None
    return _with_unit(value, unit)


def _spelled_out(plain: str, frac: re.Match[str]) -> str:
    """`3\\frac{1}{2}` as `3 1/2`, so that one grammar reads both."""
    above, below = frac["a"] or frac["a1"], frac["b"] or frac["b1"]
    minus = [frac["sign"], above[0], below[0]].count("-") % 2
    number = f"{'-' if minus else ''}{above.lstrip('-+')}/{below.lstrip('-+')}"
    return f"{plain[: frac.start()]} {number}{plain[frac.end() :]}".strip()


def _glued_variable(match: re.Match[str], unit: str) -> bool:
    """`2x` and `2 x` are products, not two of a unit named x; variables are Latin or Greek."""
    if unit[0] >= CYRILLIC:
        return False
    if len(unit) == 1:
        return unit not in LETTER_UNITS or match.start("unit") == match.end("num")
    return match.start("unit") == match.end("num") and len(unit) > 3


def _value(match: re.Match[str]) -> Fraction | None:
    value = _fraction(match["num"])
    if match["den"] is not None:
        below = _fraction(match["den"])
        value = value / below if below else None  # type: ignore[assignment]
    elif match["mixb"] is not None:
        below = _fraction(match["mixb"])
        value = value + _fraction(match["mixa"]) / below if below else None  # type: ignore[assignment]
    if value is None:
        return None
    power = int(match["e"] or match["p"] or 0)
    return value * Fraction(10) ** power * (-1 if match["sign"] == "-" else 1)


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").removesuffix("."))


def _with_unit(value: Fraction, unit: str) -> Quantity | None:
    words = unit.split()
    for _ in range(2):  # "3 lakh crore"
        if words and words[0] in MAGNITUDES:
            value *= 10 ** MAGNITUDES[words[0]]
            words = words[1:]
    if NOT_UNITS.intersection(words):
        return None
    unit = " ".join(words)
    unit = SAME_UNIT.get(unit, unit)
    return Quantity(value, "" if unit in NEUTRAL_UNITS else unit)


def _decimal(value: Fraction) -> str:
    """`value` as an integer, a short exact decimal, or a fraction in lowest terms."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**12
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    whole, part = divmod(abs(scaled.numerator), 10**12)
    return f"{'-' if value < 0 else ''}{whole}.{part:012d}".rstrip("0")
