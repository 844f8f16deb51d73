"""Which language a text is in, as ISO 639-1 codes; pure but for the model, which is read once.

The detector is py3langid, a naive Bayes model over byte n-grams of 140 languages; it loads in a
second and takes 120 MB, and so belongs into a worker: `session.compute(languages.are_in, …)`.
Unsure is None and never a guess: numbers, code, JSON, single names, two languages in one text, and
mostly text in the letters of another script, give None.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gateway.answers import json_key
from gateway.language_wishes import wish_in

MAX_TEXT = 3_000
"""Characters at the beginning of a text that are read."""
LEAST = 0.3
"""The least probability, over all languages, of a language that is named."""
CERTAIN = 0.8
"""The least probability of another language at which a text is not in the one asked for."""
SURE = 0.9
"""The least probability of any other language in Latin letters than `COMMON`'s: romanised text of
other languages is else taken for it."""
COMMON: Mapping[str, float] = {"de": LEAST, "en": LEAST, "es": LEAST, "fr": LEAST, "sw": 0.6}
"""Their least probabilities; romanised Japanese looks like Swahili."""
DOMINANT = 0.75
"""The least share of the letters in one script."""
LONG = 80
"""Letters from which on both halves of a text must not be in two languages."""
FEWEST = 3
"""Letters."""

KIN: Mapping[str, str] = {
    "wuu": "zh", "yue": "zh", "an": "es", "ext": "es", "wa": "fr", "pcm": "en",
}  # fmt: skip
"""Varieties that the model tells apart and short texts do not, and what they count as."""

WORDLESS = "zxx"
"""What the model calls a text without any language."""

_LEFT_OUT = re.compile(
    r"`[^`\n]{0,300}`|\$[^$\n]{1,300}\$|\\[A-Za-z]{1,40}|https?://\S{1,300}|\S{1,60}@\S{1,60}"
)
_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})


def warm_up() -> None:
    """Read the model."""
    _model()


def detect(text: str) -> str | None:
    """The language of `text` as an ISO 639 code, or None where that is not sure."""
    prose = _prose(text)
    guess = _guess(prose) if prose else None
    if prose is None or guess is None or guess[0] == WORDLESS:
        return None
    name, probability = guess
    least = COMMON.get(name, SURE) if _is_latin(prose) else LEAST
    return name if probability >= least else None


def wordless(text: str) -> bool:
    """Whether `text` has no prose that could be in a language: numbers, code, JSON; no model."""
    text = text[:MAX_TEXT]
    if _is_json(text):
        return True
    return sum(map(str.isalpha, _plain(text))) < FEWEST


def wanted(question: str) -> str | None:
    """The language that the answer to `question` is wanted in; None where that is not sure.

    It is the one that the question asks for in so many words, or else the one that it is in. A
    question of several paragraphs of which the first or the last is in another language than the
    whole, as where a document is handed over with a wish, is in none for sure.
    """
    if (wish := wish_in(question)) is not None:
        return wish.language
    whole = detect(question)
    paragraphs = [line for line in question.splitlines() if line.strip()]
    if whole is None or len(paragraphs) < 2:
        return whole
    outer = (paragraphs[0], paragraphs[-1])
    return None if any(detect(each) not in (None, whole) for each in outer) else whole


def ends(text: str) -> str:
    """At most `MAX_TEXT` characters of `text`: where it is longer, as many of both its ends."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[: MAX_TEXT // 2]}\n{text[1 - MAX_TEXT // 2 :]}"


def asked(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message."""
    turns = [message for message in messages if message.get("role") == "user"]
    content = turns[-1].get("content") if turns else None
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def is_in(text: str, language: str) -> bool | None:
    """Whether `text` is in `language`; False only where it surely is in another; None: unsure."""
    prose = _prose(text)
    guess = _guess(prose) if prose else None
    if guess is None or guess[1] < LEAST:
        return None
    if guess[0] == language:
        return True
    return False if guess[1] >= CERTAIN else None


def are_in(texts: Sequence[str], question: str, language: str | None) -> list[bool | None]:
    """`is_in` for each of `texts`, for `language`, or else for the one that `question` wants."""
    code = language or wanted(question)
    return [None if code is None else is_in(text, code) for text in texts]


def _prose(text: str) -> str | None:
    """What people would read aloud, on one line; None where it is little, or of mixed scripts."""
    text = text[:MAX_TEXT]
    if _is_json(text):
        return None
    prose = _plain(text)
    scripts = Counter(_script(char) for char in prose if char.isalpha())
    letters = scripts.total()
    if letters < FEWEST or scripts.most_common(1)[0][1] < DOMINANT * letters:
        return None
    return prose


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and json_key(text) is not None


def _plain(text: str) -> str:
    return " ".join(_LEFT_OUT.sub(" ", " ".join(text.split("```")[::2])).split())


def _is_latin(prose: str) -> bool:
    scripts = Counter(_script(char) for char in prose if char.isalpha())
    return scripts.most_common(1)[0][0] == "LATIN"


@cache
def _script(char: str) -> str:
    name = unicodedata.name(char, "").split(" ", 1)[0]
    return "CJK" if name in _JAPANESE else name


def _guess(prose: str) -> tuple[str, float] | None:
    whole = _likeliest(prose)
    letters = sum(map(str.isalpha, prose))
    if letters >= LONG:
        middle = prose.find(" ", len(prose) // 2)
        cut = middle if middle > 0 else len(prose) // 2
        halves = [_likeliest(prose[:cut]), _likeliest(prose[cut:])]
        others = {name for name, probability in halves if probability >= CERTAIN}
        if len(others) > 1:
            return None
    return whole


def _likeliest(prose: str) -> tuple[str, float]:
    masses: Counter[str] = Counter()
    for name, probability in _model().rank(prose):
        masses[KIN.get(name, name)] += probability
    name, mass = masses.most_common(1)[0]
    return name, float(mass)


@cache
def _model() -> Any:
    # Imported here because only a worker needs it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
