"""Answers as eleven languages write them: a generator of forms of one number.

Grouping, decimals, percent and money are CLDR's (babel); digits, sentences and units are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from babel.numbers import format_currency, format_decimal, format_percent

SENTENCES = {
    "bn": ("উত্তর: {}", "উত্তর হল {}।", "সুতরাং, উত্তরটি হলো {}।", "**উত্তর:** {}",
           "চূড়ান্ত উত্তর: {}"),
    "de": ("Antwort: {}", "Die Antwort ist {}.", "Die endgültige Antwort lautet also {}.",
           "**Antwort:** {}", "Das Ergebnis ist {}, weil er es so will."),
    "en": ("Answer: {}", "The answer is {}.", "So the final answer is {}.", "**Answer:** {}",
           "The answer is {}, since she sold the rest."),
    "es": ("Respuesta: {}", "La respuesta es {}.", "Por lo tanto, la respuesta final es {}.",
           "**Respuesta:** {}", "La respuesta es {}, porque vende el resto."),
    "fr": ("Réponse : {}", "La réponse est {}.", "La réponse finale est donc {}.",
           "**Réponse :** {}", "La réponse est de {}, car elle vend le reste."),
    "ja": ("答え: {}", "答えは{}です。", "したがって、答えは{}になります。", "**答え：**{}",
           "よって最終的な答えは、{}です。"),
    "ru": ("Ответ: {}", "Ответ — {}.", "Таким образом, окончательный ответ: {}.", "**Ответ:** {}",
           "Ответ: {}, так как остальное она продала."),
    "sw": ("Jibu: {}", "Jibu ni {}.", "Kwa hivyo, jibu la mwisho ni {}.", "**Jibu:** {}",
           "Jibu ni {}, kwa sababu aliuza zilizobaki."),
    "te": ("సమాధానం: {}", "సమాధానం {}.", "కాబట్టి, తుది సమాధానం {}.", "**సమాధానం:** {}",
           "జవాబు: {}"),
    "th": ("คำตอบ: {}", "คำตอบคือ {}", "ดังนั้นคำตอบคือ{}", "**คำตอบ:** {}",
           "คำตอบสุดท้ายคือ {} ครับ"),
    "zh": ("答案：{}", "所以答案是{}。", "因此，最终答案是 {}。", "**答案：**{}",
           "答案是{}，因为她卖掉了其余的。"),
}  # fmt: skip
ANYWHERE = (r"\boxed{{{}}}", "#### {}")
UNITS = {
    "bn": ("{} টি", "{}টি ডিম", "{} টাকা", "৳{}", "{} ডলার"),
    "de": ("{} Eier", "{} Euro", "{} €", "{} US-Dollar", "{} km"),
    "en": ("{} eggs", "${}", "{} dollars", "{} km", "US${}"),
    "es": ("{} huevos", "{} €", "{} dólares", "${}", "{} km"),
    "fr": ("{} œufs", "{} €", "{} dollars", "{} $", "{} pièces d'or"),
    "ja": ("{}個", "{}円", "{}ドル", "{} 人", "¥{}"),
    "ru": ("{} яиц", "{} рублей", "{} $", "{} долларов", "{} ₽"),
    "sw": ("mayai {}", "dola {}", "shilingi {}", "${}", "{} km"),
    "te": ("{} గుడ్లు", "{} రూపాయలు", "₹{}", "{} డాలర్లు", "${}"),
    "th": ("{} ฟอง", "{} บาท", "฿{}", "{} ดอลลาร์", "{} คน"),
    "zh": ("{}个", "{} 美元", "{}元", "¥{}", "{} 公里"),
}
ZEROS = {"bn": "০", "te": "౦", "th": "๐", "zh": "０", "ja": "０"}
PERCENTS = {
    "bn": "{} শতাংশ", "de": "{} Prozent", "en": "{} percent", "es": "{} por ciento",
    "fr": "{} pour cent", "ja": "{}パーセント", "ru": "{} процентов", "sw": "asilimia {}",
    "te": "{} శాతం", "th": "ร้อยละ {}", "zh": "百分之{}",
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """A text that marks `value`; `unit` is "%" where it is a percentage."""

    text: str
    value: Fraction
    unit: str = ""


def forms(language: str, number: int) -> Iterator[Form]:
    """All forms of `number`, of `number` and a half, and of `number` percent."""
    numbers = [(text, Fraction(number)) for text in _whole(language, number)]
    half = format_decimal(number + 0.5, locale=language)
    numbers += [
        (half, Fraction(2 * number + 1, 2)),
        (_native(language, half), Fraction(2 * number + 1, 2)),
    ]
    for text, value in dict.fromkeys(numbers):
        for sentence in SENTENCES[language]:
            yield Form(sentence.format(text), value)
            for unit in UNITS[language]:
                dressed = unit.format(text)
                yield Form(sentence.format(dressed), value)
                yield Form(sentence.format(f"**{dressed}**"), value)
        # A mark without words says no language; the text before it does.
        opening = SENTENCES[language][1].format("x")
        for mark in ANYWHERE:
            yield Form(f"{_story(language)}\n{opening}\n{mark.format(text)}", value)
    for sentence in SENTENCES[language]:
        yield Form(sentence.format(f"${number}$"), Fraction(number))
        yield Form(sentence.format(UNITS[language][0].format(f"**{number}**")), Fraction(number))
    percents = [format_percent(number / 100, locale=language), PERCENTS[language].format(number)]
    for text in percents:
        for sentence in SENTENCES[language]:
            yield Form(sentence.format(text), Fraction(number), "%")
    money = format_currency(number, "USD", locale=language)
    for sentence in SENTENCES[language]:
        yield Form(sentence.format(money), Fraction(number))


def _whole(language: str, number: int) -> Iterator[str]:
    grouped = format_decimal(number, locale=language)
    yield from (str(number), grouped, _native(language, grouped))
    if language in ("de", "es", "fr", "ru"):
        spaced = f"{number:,}".replace(",", " ")
        yield from (spaced, f"{number:,}".replace(",", "."), f"{number:,}".replace(",", "\u202f"))
        yield f"{number:,}".replace(",", ".") + ",00"
    if language == "de":
        yield f"{number:,}".replace(",", "’")
    if language in ("ja", "zh") and number < 10**8:
        yield chinese(number, japanese=language == "ja")
        if number >= 10**4:
            whole, rest = divmod(number, 10**4)
            yield f"{whole}万{rest or ''}"
    if language in ("bn", "te", "en"):
        yield _indian(number)


def _native(language: str, text: str) -> str:
    zero = ord(ZEROS.get(language, "0"))
    return "".join(chr(zero + int(char)) if char.isdecimal() else char for char in text)


def _indian(number: int) -> str:
    return str(format_decimal(number, locale="en_IN"))


def _story(language: str) -> str:
    return {
        "de": "Sie verkauft die Eier und behält den Rest.",
        "es": "Ella vende los huevos y guarda el resto.",
        "fr": "Elle vend les œufs et garde le reste.",
        "ru": "Она продает яйца и оставляет остальное себе.",
    }.get(language, "")


def chinese(number: int, *, japanese: bool = False) -> str:
    """Whole numbers below 10**8 in Chinese numerals, formally."""
    if not number:
        return "〇" if japanese else "零"
    whole, rest = divmod(number, 10**4)
    text = f"{_four(whole, japanese)}万" if whole else ""
    if whole and 0 < rest < 1000 and not japanese:
        text += "零"
    return text + _four(rest, japanese)


def _four(number: int, japanese: bool) -> str:
    text, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if not digit:
            gap = bool(text)
            continue
        if gap and not japanese:
            text += "零"
        gap = False
        one = digit == 1 and name and (japanese or (name == "十" and not text))
        text += ("" if one else "〇一二三四五六七八九"[digit]) + name
    return text
