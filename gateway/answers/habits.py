"""Whether a text's comma is a decimal one: `1.234` is a thousand in German, and little in English.

Evidence, the strongest first; what follows is asked only where what precedes does not say:

1. the number's own form: `1.234,5`, `1.234.567`, `0,125` and `12,5` have one reading each;
2. the other numbers of the text that have one reading, by majority;
3. the reference, where there is one: the reading that equals it;
4. the language: of the word that introduces the answer, or else of the text by its letters and
   frequent words. German, Spanish, French and Russian have the decimal comma; in those, too, a
   `1,000` with nothing but noughts behind its comma is a thousand.

Without any, a number is read as English writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

from gateway.answers.locales import COMMA, COMMON, all_words

MAX_TEXT = 8_000
MAX_NUMBERS = 200

_NUMBER = re.compile(r"(?<![\d.,])\d+(?:[.,]\d+)+(?![\d.,]*\d)")
_COMMA_FORM = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}")
_POINT_FORM = re.compile(r"\d{1,3}(?:,\d{2,3})+\.\d+|\d{1,3}(?:,\d{2,3})*,\d{2,3},\d{3}")
_ONE_MARK = re.compile(r"(\d+)([.,])(\d+)")
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_WORD = re.compile(r"[^\W\d_]+")
_COMMON_WORDS = {word: [lang for lang in COMMON if word in COMMON[lang]]
                 for word in all_words(COMMON)}  # fmt: skip


def respelt(answer: str, text: str, language: str | None, reference: Fraction | None) -> str:
    """`answer`, marked in `text`, with its numbers as English writes them.

    Lists and pairs in brackets keep their commas.
    """
    found = _NUMBER.search(answer)
    if found is None or any(char in answer for char in "([{"):
        return answer
    comma = _majority(text.replace(answer, " ")[-MAX_TEXT:])
    if comma is None and reference is not None:
        comma = _by_reference(found[0], reference)
    if comma is None:
        comma = (language or language_of(text)) in COMMA
    return from_commas(answer) if comma else answer


def from_commas(answer: str) -> str:
    """`answer` read with decimal commas, as English writes it; lists in brackets stay."""
    if any(char in answer for char in "([{"):
        return answer
    return _NUMBER.sub(lambda match: _plain(match[0]), answer)


def plain_text(text: str) -> str:
    """`text` with all its numbers as English writes them, by evidence 1, 2 and 4."""
    if "," not in text and _NUMBER.search(text) is None:
        return text
    comma = _majority(text)
    if comma is None and _NUMBER.search(text):
        comma = language_of(text) in COMMA
    return _NUMBER.sub(lambda match: _plain(match[0]), text) if comma else text


def language_of(text: str) -> str | None:
    """A guess, for its numbers only: ru by letters, languages in Latin letters by their words."""
    counts: Counter[str] = Counter()
    for match in _WORD.finditer(text[-MAX_TEXT:].casefold()):
        word = match[0]
        if "а" <= word[0] <= "я":
            counts["ru"] += 1
        for language in _COMMON_WORDS.get(word, ()):
            counts[language] += 1
    return max(counts, key=lambda language: (counts[language], language)) if counts else None


def _majority(text: str) -> bool | None:
    """Whether the numbers with one reading have decimal commas; None where they do not say."""
    votes = 0
    for match in list(_NUMBER.finditer(text))[-MAX_NUMBERS:]:
        before = text[match.start() - 1 : match.start()]
        votes += 0 if before in ("(", "[", "{") else _vote(match[0])
    return None if votes == 0 else votes > 0


def _vote(number: str) -> int:
    if _COMMA_FORM.fullmatch(number):
        return 1
    if _POINT_FORM.fullmatch(number):
        return -1
    one = _ONE_MARK.fullmatch(number)
    if one is None or _AMBIGUOUS.fullmatch(number):
        return 0
    return 1 if one[2] == "," else -1


def _by_reference(number: str, reference: Fraction) -> bool | None:
    if _AMBIGUOUS.fullmatch(number) is None:
        return None
    whole = Fraction(re.sub("[.,]", "", number))
    part = Fraction(number.replace(",", "."))
    comma = {".": whole, ",": part}["," if "," in number else "."]
    point = part if comma is whole else whole
    if abs(reference) == comma:
        return True
    return False if abs(reference) == point else None


def _plain(number: str) -> str:
    """A number written with a decimal comma, as English writes it."""
    if _POINT_FORM.fullmatch(number):
        return number
    one = _ONE_MARK.fullmatch(number)
    if one and one[2] == ".":
        return number.replace(".", "") if _AMBIGUOUS.fullmatch(number) else number
    if one and _AMBIGUOUS.fullmatch(number) and one[3] == "000":
        return number
    if number.count(",") > 1:
        return number
    return number.replace(".", "").replace(",", ".")
