"""Where a text marks its final answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from gateway.answers.quantities import INTEGER, quantity

TAIL = 4_000
"""Characters at the end of a text that are looked at: answers come last."""
MAX_LINE = 600
MAX_MARKS = 16
"""Marks of one kind that are read, the last ones."""

ANSWER_WORDS: Mapping[str, tuple[str, ...]] = {
    "en": ("final answer", "answer"),
    "de": ("antwort",),
    "es": ("respuesta",),
    "fr": ("réponse",),
    "ja": ("答え",),
    "ru": ("ответ",),
    "zh": ("答案",),
}
"""What introduces an answer, by language; longer words first."""
LINKS: Mapping[str, tuple[str, ...]] = {
    "en": ("is",),
    "de": ("ist", "lautet"),
    "es": ("es",),
    "fr": ("est",),
    "ja": ("は",),
    "zh": ("是", "为"),
}
"""What may stand between the word and the answer instead of a colon, by language."""
NOT_ANSWERS = (
    "not", "correct", "incorrect", "wrong", "consistent", "given", "obtained", "found", "based",
)  # fmt: skip
"""First words of a sentence about the answer, which does not state it."""
FILLERS = re.compile(
    r"(?:(?:therefore|thus|hence|indeed|simply|just|option|choice)\b[,:]?[ ]*){1,3}", re.I
)


def _alternatives(table: Mapping[str, tuple[str, ...]]) -> str:
    words = {word for words in table.values() for word in words}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_PHRASE = re.compile(
    rf"(?<![^\W_])(?:{_alternatives(ANSWER_WORDS)})[*_ \t]{{0,4}}"
    rf"(?P<link>[:：=]|(?:[ ]to[ ][^.:\n]{{1,80}}?[ ])?(?:{_alternatives(LINKS)})(?!\w)[ ]?:?"
    r"|(?=\n))",
    re.IGNORECASE,
)
_BRACES = re.compile(r"\\(?:boxed|fbox)\s{0,4}\{|\\[\\{}]|[{}]")
_HASHES = re.compile(r"^[ \t]{0,3}####[ \t]{1,4}(\S[^\n]{0,200})", re.MULTILINE)
_SHORT = re.compile(r"A:[ \t]{0,4}(\S.{0,200})")
_LETTER = re.compile(r"[*_]{0,3}\(([A-Za-z])\)[*_]{0,3}\.?")
_CHOICE = re.compile(r"[*_]{0,3}(?:\(([A-Za-z])\)|([A-J])(?:\)|\.(?![ ]?[A-Z]\.)|[*_]*$))(?=\W|$)")
_STOP = re.compile(r"(?<=[\w)\]}$%*!?])\.(?=[\s*]|$)|[!?](?=\s)|。")
_REASON = re.compile(
    r",?[ ](?:because|since|which|so|as|where|when|if|for)[ ]|[;—]|,[ ](?=[A-Za-z])"
)
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "st", "prof", "vs", "jr", "no", "mt"})
_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:[$€£][ ]?)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?%?"
)


def extract(text: str) -> str | None:
    """The final answer that `text` marks, or None; only the last 4,000 characters count.

    Marks are `\\boxed{x}`, `#### x`, `Answer: x`, `the answer is x`, a last line `(B)` or `A: x`,
    a JSON object's field `answer`, and a text that is a number or a letter and nothing else. The
    last mark wins, but one that is followed by prose gives way to any that states a bare answer.
    """
    if INTEGER.fullmatch(text):
        return text
    whole = text[:MAX_LINE].strip() if len(text) <= MAX_LINE else ""
    if whole and whole[0] in "0123456789$-" and _is_number(whole):
        return _clean(whole)
    if len(text) <= TAIL and text.rstrip().endswith("}") and (field := _field(text)) is not None:
        return field
    tail = text[-TAIL:]
    exact = [*_boxed(tail), *_hashes(tail)]
    prose: list[tuple[int, str]] = []
    for place, answer in _phrases(tail):
        (exact if _is_bare(answer) else prose).append((place, answer))
    for found in (exact, prose):
        if found:
            return max(found)[1]
    return _last_line(tail) or (_alone(whole) if whole else None)


def _field(text: str) -> str | None:
    """The field of a JSON object that an answer's word names, a number or a text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    words = {word for words in ANSWER_WORDS.values() for word in words}
    found = [v for name, v in value.items() if name.casefold().replace("_", " ") in words]
    plain = [v for v in found if isinstance(v, int | float | str) and not isinstance(v, bool)]
    return str(plain[-1]).strip() or None if plain else None


def last_number(text: str) -> str | None:
    """The last number in the end of `text`, marked or not; None where there is none."""
    numbers = _NUMBER.findall(text[-TAIL:])
    return numbers[-1] if numbers else None


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


def _phrases(tail: str) -> Iterator[tuple[int, str]]:
    for match in list(_PHRASE.finditer(tail))[-MAX_MARKS:]:
        rest = tail[match.end() : match.end() + MAX_LINE].lstrip(" \t\r\n*_:`")
        content = _statement(FILLERS.sub("", rest, count=1) if FILLERS.match(rest) else rest)
        first = content.split(None, 1)[0].casefold().strip(".,") if content else ""
        if content and first not in NOT_ANSWERS and (match["link"] or _is_bare(content)):
            yield match.start(), content


def _statement(rest: str) -> str:
    """The answer at the beginning of `rest`: a display, a choice's letter, or a sentence."""
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening) and (end := rest.find(closing, 2)) > 0:
            return _clean(rest[2:end])
    line = rest.split("\n", 1)[0]
    if choice := _CHOICE.match(line):
        return choice[1] or choice[2]
    for stop in _STOP.finditer(line):
        before = line[: stop.start()].split()
        if before and before[-1].casefold() not in _ABBREVIATIONS:
            line = line[: stop.start()]
            break
    head = _REASON.split(line, maxsplit=1)[0]
    return _clean(head if quantity(head) is not None else line)


def _clean(content: str) -> str:
    content = content.strip().strip("*_`").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        inner = content[len(opening) : -len(closing)]
        if content.startswith(opening) and content.endswith(closing) and opening not in inner:
            content = inner.strip()
    return content[:-1].rstrip() if content.endswith(".") else content


def _is_bare(answer: str) -> bool:
    return len(answer) == 1 or quantity(answer) is not None


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
