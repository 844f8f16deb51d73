"""The language that a text asks to be answered in, in so many words (pure).

`Please answer in French`, written in English, wants French; a detector of languages cannot know
that. Read are the eleven languages of MGSM, each with the names that it has for all eleven.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CODES = ("en", "de", "fr", "es", "ja", "ru", "zh", "sw", "th", "te", "bn")


@dataclass(frozen=True, slots=True)
class _Speech:
    """How a language says `in French` (`{}` is a name) and begins to say `answer`, as patterns."""

    within: str
    names: str
    verbs: str


_SPEECHES: Mapping[str, _Speech] = {
    "en": _Speech(
        r"\b(?:in|into|to)\s+(?:(?:plain|simple|good|proper|formal|fluent)\s+)?(?:{})\b",
        "english german french spanish japanese russian chinese|mandarin swahili thai telugu "
        "bengali|bangla",
        r"\b(?:answer|repl(?:y|ies)|respond|writ(?:e|ten)\b|translat|speak\b)",
    ),
    "de": _Speech(
        r"\b(?:auf|ins|in)\s+(?:{})\b",
        "englische?|englischer deutsche?|deutscher französische?|französischer spanische? "
        "japanische? russische? chinesische? suaheli|swahili thai|thailändisch telugu bengalische?",
        r"(?:antwort|schreib|übersetz|erwider)",
    ),
    "fr": _Speech(
        r"\ben\s+(?:{})\b",
        "anglais allemand français espagnol japonais russe chinois swahili thaï|thaïlandais "
        "télougou bengali",
        r"(?:répon|tradui|\bécri)",
    ),
    "es": _Speech(
        r"\b(?:en|al)\s+(?:{})\b",
        "inglés alemán francés español|castellano japonés ruso chino suajili|swahili tailandés "
        "telugu bengalí",
        r"(?:respond|respuest|contest|escrib|tradu)",
    ),
    "ja": _Speech(
        r"(?:{})(?:で|に)", "英語 ドイツ語 フランス語 スペイン語 日本語 ロシア語 中国語 スワヒリ語 "
        "タイ語 テルグ語 ベンガル語", r"(?:答|回答|返事|書|訳)",
    ),
    "ru": _Speech(
        r"(?:\bпо-|\bна\s+)(?:{})\w*",
        "английск немецк французск испанск японск русск китайск суахили тайск телугу бенгальск",
        r"(?:ответ|отвеч|напиш|переве)",
    ),
    "zh": _Speech(
        r"(?:用|以|成|为|為)(?:{})",
        "英语|英文|英語 德语|德文|德語 法语|法文|法語 西班牙语|西班牙文 "
        "日语|日文|日語 俄语|俄文|俄語 中文|汉语|漢語 斯瓦希里语 泰语|泰文 泰卢固语 孟加拉语",
        r"(?:答|写|寫|译|譯|回复|回覆)",
    ),
    "sw": _Speech(
        r"\bkwa\s+(?:{})\b", "kiingereza kijerumani kifaransa kihispania kijapani kirusi kichina "
        "kiswahili kithai kitelugu kibengali", r"(?:jib|andik|tafsiri)",
    ),
    "th": _Speech(
        r"ภาษา(?:{})", "อังกฤษ เยอรมัน ฝรั่งเศส สเปน ญี่ปุ่น รัสเซีย จีน สวาฮีลี ไทย เตลูกู เบงกาลี",
        r"(?:ตอบ|เขียน|แปล)",
    ),
    "te": _Speech(
        r"(?:{})(?:లో|లోకి)", "ఆంగ్లం|ఆంగ్ల|ఇంగ్లీష్|ఇంగ్లీషు జర్మన్ ఫ్రెంచ్ స్పానిష్ జపనీస్ రష్యన్ చైనీస్ స్వాహిలి థాయ్ "
        "తెలుగు బెంగాలీ", r"(?:సమాధాన|జవాబ|రాయ|అనువ)",
    ),
    "bn": _Speech(
        r"(?:{})(?:তে|য়|য়|\s*ভাষায়)", "ইংরেজি|ইংরাজি জার্মান ফরাসি স্প্যানিশ জাপানি রুশ|রাশিয়ান চীনা|চিনা "
        "সোয়াহিলি থাই তেলুগু বাংলা", r"(?:উত্তর|লেখ|লিখ|অনুবাদ)",
    ),
}  # fmt: skip
_SENTENCE = re.compile(r"[.!?\n。！？।]+")
_NOT = re.compile(
    r"\b(?:not|never|nicht|kein\w*|ne|pas|jamais|no|nunca|не|usi\w+)\b|n't|n’t"
    r"|ない|不要|别|勿|อย่า|కాదు|వద్దు|কোরো না|করবেন না",
    re.IGNORECASE,
)


_JOINED = re.compile(
    r"\s*(?:,|/|and|or|und|oder|et|ou|y|o|и|или|和|或|と)\s*(?:{})".format(
        "|".join(speech.names.replace(" ", "|") for speech in _SPEECHES.values())
    ),
    re.IGNORECASE,
)
"""A second language behind the first."""


def _compiled() -> list[tuple[str, re.Pattern[str], re.Pattern[str]]]:
    """Of each wished language in each speech: its code, how it is named, the verbs beside it."""
    return [
        (
            code,
            re.compile(speech.within.format(names), re.IGNORECASE),
            re.compile(speech.verbs, re.IGNORECASE),
        )
        for speech in _SPEECHES.values()
        for code, names in zip(CODES, speech.names.split(), strict=True)
    ]


_WISHES = _compiled()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a text says of the answer's language: it is `language`, or, with None, may be any."""

    language: str | None


def wish_in(text: str) -> Wish | None:
    """The wish in `text`; None where it has none.

    Sure is a language named beside a verb of answering, writing or translating, in one sentence,
    without a negation, and no second such language. One that is named otherwise (`how do they say
    it in French?`) leaves open which is wanted.
    """
    sure: set[str] = set()
    named: set[str] = set()
    for sentence in _SENTENCE.split(text):
        for code, within, verbs in _WISHES:
            if found := within.search(sentence):
                either = _JOINED.match(sentence, found.end()) or _NOT.search(sentence)
                (sure if verbs.search(sentence) and not either else named).add(code)
    if not sure | named:
        return None
    return Wish(next(iter(sure)) if len(sure) == 1 else None)
