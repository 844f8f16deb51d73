"""Where a text marks its final answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction

from gateway.answers.habits import from_commas, respelt
from gateway.answers.locales import (
    ANSWER_WORDS,
    COMMA,
    FILLERS,
    LINKS,
    SIGNS,
    TAILS,
    UNSPACED,
    Words,
    all_words,
)
from gateway.answers.numerals import GROUP_SPACES
from gateway.answers.quantities import INTEGER, quantity
from gateway.answers.scripts import MARKS

TAIL = 4_000
"""Characters at the end of a text that are looked at: answers come last."""
MAX_LINE = 600
MAX_MARKS = 16
"""Marks of one kind that are read, the last ones."""

NOT_ANSWERS = (
    "not", "correct", "incorrect", "wrong", "consistent", "given", "obtained", "found", "based",
)  # fmt: skip
"""First words of a sentence about the answer, which does not state it."""


def _alternatives(table: Words, *, spaced: bool) -> str:
    words = {word for lang, ws in table.items() for word in ws if spaced is (lang not in UNSPACED)}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def _either(table: Words) -> str:
    """A word of the table; one of a script with spaces ends where it ends."""
    spaced, unspaced = (_alternatives(table, spaced=spaced) for spaced in (True, False))
    return rf"(?:(?:{spaced})(?![^\W_]|[{MARKS}])|{unspaced})"


_LANGUAGES = {word: lang for lang, words in ANSWER_WORDS.items() for word in words}
_SOUGHT = sorted(
    word
    for word, lang in _LANGUAGES.items()
    # "final answer" is found by its "answer".
    if not any(
        word.endswith(f"{'' if lang in UNSPACED else ' '}{w}") for w in _LANGUAGES if w != word
    )
)
_SOUGHT_IN_ASCII = [word for word in _SOUGHT if word.isascii()]
_PHRASE = re.compile(
    rf"(?P<word>(?<![^\W_])(?:{_alternatives(ANSWER_WORDS, spaced=True)})"
    rf"|{_alternatives(ANSWER_WORDS, spaced=False)})[*_ \t]{{0,4}}"
    rf"(?:(?P<link>[:：=]|(?:[ ]to[ ][^.:\n]{{1,80}}?[ ])?{_either(LINKS)}[ ]?[:：]?)"
    rf"|(?=\n)|[—–-][ ]|(?=[-−(]?[{SIGNS}]?\d))",
    re.IGNORECASE,
)
_FILLERS = re.compile(rf"(?:{_either(FILLERS)}[,:]?[ ]*){{1,3}}", re.IGNORECASE)
_TAIL = re.compile(rf"[ ]?(?:{'|'.join(sorted(all_words(TAILS), key=len, reverse=True))})\Z")
_CLOSING = re.compile(r"(?<=[^*\s])\*\*(?![*\d(])")
_BRACES = re.compile(r"\\(?:boxed|fbox)\s{0,4}\{|\\[\\{}]|[{}]")
_HASHES = re.compile(r"^[ \t]{0,3}####[ \t]{1,4}(\S[^\n]{0,200})", re.MULTILINE)
_SHORT = re.compile(r"A:[ \t]{0,4}(\S.{0,200})")
_LETTER = re.compile(r"[*_]{0,3}\(([A-Za-z])\)[*_]{0,3}\.?")
_CHOICE = re.compile(r"[*_]{0,3}(?:\(([A-Za-z])\)|([A-J])(?:\)|\.(?![ ]?[A-Z]\.)|[*_]*$))(?=\W|$)")
_STOP = re.compile(
    rf"(?<=[\w)\]}}$%*!?{MARKS}])\.(?=[\s*]|$)|[!?](?=\s)|[。।॥！？]|(?<=[^\W\d_])．"
)
_REASON = re.compile(
    r",?[ ](?:because|since|which|so|as|where|when|if|for)[ ]|[;—]|,[ ](?=[^\W\d_])|[，、](?!\d)"
)
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "st", "prof", "vs", "jr", "no", "mt"})
_NUMBER = re.compile(
    r"(?<![\d._A-Za-z\u00c0-\u052f])[-+−]?(?:[$€£¥₹৳฿][ ]?)?"
    rf"(?:\d{{1,3}}(?:[{GROUP_SPACES}'’]\d{{3}})+(?!\d)|\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)"
    r"(?:[.,]\d+)*(?:/\d+)?[%％]?"
)


def extract(text: str, reference: str | None = None) -> str | None:
    """The final answer that `text` marks, or None; only the last 4,000 characters count.

    Marks are `\\boxed{x}`, `#### x`, `Answer: x`, `the answer is x` in eleven languages, a last
    line `(B)` or `A: x`, a JSON object's field `answer`, and a text that is a number or a letter
    and nothing else. The last mark wins, but one that is followed by prose gives way to any that
    states a bare answer. A number comes back as English writes its decimals; `habits`
    says how that is decided, and what part a `reference` has in it.
    """
    if INTEGER.fullmatch(text):
        return text
    marked = _marked(text)
    if marked is None:
        return None
    answer, language = marked
    return respelt(answer, text[-TAIL:], language, _value(reference))


def _value(reference: str | None) -> Fraction | None:
    found = quantity(reference) if reference else None
    return found.value if found else None


def _marked(text: str) -> tuple[str, str | None] | None:
    """The answer as it stands there, and the language of the word that marks it."""
    whole = text[:MAX_LINE].strip() if len(text) <= MAX_LINE else ""
    if whole and whole[0] in "0123456789$-" and _is_number(whole):
        return _clean(whole), None
    if len(text) <= TAIL and text.rstrip().endswith("}") and (field := _field(text)) is not None:
        return field, None
    tail = text[-TAIL:]
    exact: list[tuple[int, str, str | None]] = [
        (place, answer, None) for place, answer in (*_boxed(tail), *_hashes(tail))
    ]
    prose: list[tuple[int, str, str | None]] = []
    for phrase in _phrases(tail):
        (exact if _is_bare(phrase[1], phrase[2]) else prose).append(phrase)
    for found in (exact, prose):
        if found:
            _, answer, language = max(found, key=lambda mark: mark[0])
            return answer, language
    last = _last_line(tail) or (_alone(whole) if whole else None)
    return None if last is None else (last, None)


def _field(text: str) -> str | None:
    """The field of a JSON object that an answer's word names, a number or a text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    words = all_words(ANSWER_WORDS)
    found = [v for name, v in value.items() if name.casefold().replace("_", " ") in words]
    plain = [v for v in found if isinstance(v, int | float | str) and not isinstance(v, bool)]
    return str(plain[-1]).strip() or None if plain else None


def last_number(text: str) -> str | None:
    """The last number in the end of `text`, marked or not; None where there is none."""
    tail = text[-TAIL:]
    numbers = _NUMBER.findall(tail)
    return respelt(numbers[-1], tail, None, None) if numbers else None


def _boxed(tail: str) -> Iterator[tuple[int, str]]:
    """Place and content of each complete box, in one pass however the braces nest."""
    if "\\boxed" not in tail and "\\fbox" not in tail:
        return  # a search for a word costs a hundredth of reading the braces
    open_braces: list[tuple[int, int, bool]] = []
    for token in _BRACES.finditer(tail):
        if token[0].endswith("{") and token[0] != "\\{":
            open_braces.append((token.start(), token.end(), token[0] != "{"))
        elif token[0] == "}" and open_braces:
            place, start, is_box = open_braces.pop()
            if is_box and (content := tail[start : token.start()].strip()):
                yield place, _clean(content)


def _hashes(tail: str) -> Iterator[tuple[int, str]]:
    if "####" not in tail:
        return
    for match in list(_HASHES.finditer(tail))[-MAX_MARKS:]:
        content = _clean(match[1])
        # `####` also begins a Markdown heading: a number, or nothing after it, tells them apart.
        if content and (quantity(content) is not None or not tail[match.end() :].strip()):
            yield match.start(), content


def _phrases(tail: str) -> Iterator[tuple[int, str, str | None]]:
    for place in _places(tail):
        match = _PHRASE.match(tail, place)
        if match is None:
            continue
        rest = tail[match.end() : match.end() + MAX_LINE].lstrip(" \t\r\n*_:：、，,`")
        language = _LANGUAGES[match["word"].casefold()]
        if (filler := _FILLERS.match(rest)) is not None:
            rest = rest[filler.end() :].lstrip(" *_")
        content = _statement(rest, language)
        first = content.split(None, 1)[0].casefold().strip(".,") if content else ""
        if content and first not in NOT_ANSWERS and (match["link"] or _is_bare(content, language)):
            yield match.start(), content, language


def _places(tail: str) -> list[int]:
    """Where the last answer words begin; looking for each word is faster than for all at once."""
    # The only letter that becomes two in lower case would shift all places behind it.
    lowered = tail.replace("İ", "I").lower()
    places: set[int] = set()
    for word in _SOUGHT_IN_ASCII if tail.isascii() else _SOUGHT:
        place = len(lowered)
        for _ in range(MAX_MARKS):
            place = lowered.rfind(word, 0, place)
            if place < 0:
                break
            places.add(place)
    return sorted(places)[-MAX_MARKS:]


def _noun_last(content: str) -> str:
    """Swahili `mayai 18` as `18 mayai`, which is read as a number with its unit."""
    words = content.replace("**", "").split()
    if 2 <= len(words) <= 4 and words[-1][-1].isdecimal() and quantity(content) is None:
        turned = f"{words[-1]} {' '.join(words[:-1])}"
        return turned if quantity(turned) is not None else content
    return content


def _statement(rest: str, language: str) -> str:
    """The answer at the beginning of `rest`: a display, a choice's letter, or a sentence."""
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening) and (end := rest.find(closing, 2)) > 0:
            return _clean(rest[2:end])
    line = rest.split("\n", 1)[0]
    if line.count("**") % 2:  # the end of a bold number, whose beginning has been read over
        line = _CLOSING.sub("", line, count=1)
    if choice := _CHOICE.match(line):
        return choice[1] or choice[2]
    for stop in _STOP.finditer(line):
        before = line[: stop.start()].split()
        if before and before[-1].casefold() not in _ABBREVIATIONS:
            line = line[: stop.start()]
            break
    head = _clean(_REASON.split(line, maxsplit=1)[0])
    head = _noun_last(head) if language == "sw" else head
    return head if _is_quantity(head, language) else _clean(line)


def _clean(content: str) -> str:
    content = content.strip().strip("*_`").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        inner = content[len(opening) : -len(closing)]
        if content.startswith(opening) and content.endswith(closing) and opening not in inner:
            content = inner.strip()
    content = content[:-1].rstrip() if content.endswith((".", "。", "।")) else content
    bare = _TAIL.sub("", content) if not content.isascii() else content
    return bare or content


def _is_bare(answer: str, language: str | None) -> bool:
    return len(answer) == 1 or _is_quantity(answer, language)


def _is_quantity(answer: str, language: str | None) -> bool:
    return quantity(from_commas(answer) if language in COMMA else answer) is not None


def _last_line(tail: str) -> str | None:
    line = tail.rstrip()[-MAX_LINE:].rsplit("\n", 1)[-1].strip()
    if letter := _LETTER.fullmatch(line):
        return letter[1]
    if short := _SHORT.fullmatch(line.strip("*_ ")):
        return _clean(short[1])
    return None


def _alone(whole: str) -> str | None:
    choice = _CHOICE.fullmatch(whole)
    if choice:
        return choice[1] or choice[2]
    return _clean(whole) if _is_number(whole) else None


def _is_number(whole: str) -> bool:
    # "2 + 2 = 4" is working, not an answer.
    return "=" not in whole and quantity(whole) is not None
