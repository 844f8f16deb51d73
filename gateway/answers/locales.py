"""How eleven languages introduce an answer, dress a number, and write decimals: tables, no code."""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, tuple[str, ...]]
"""Language (ISO 639-1) -> words, in lower case."""

UNSPACED = frozenset({"ja", "th", "zh"})
"""Written without spaces: a word may stand within a run of letters."""

COMMA = frozenset({"de", "es", "fr", "ru"})
"""Languages with a decimal comma (CLDR 48); the others have a decimal point."""

ANSWER_WORDS: Words = {
    "bn": ("চূড়ান্ত উত্তর", "উত্তরটি", "উত্তর"),
    "de": ("endgültige antwort", "endergebnis", "antwort", "ergebnis"),
    "en": ("final answer", "answer"),
    "es": ("respuesta final", "respuesta"),
    "fr": ("réponse finale", "réponse"),
    "ja": ("最終的な答え", "最終回答", "答え", "答", "回答", "解答"),
    "ru": ("окончательный ответ", "ответ"),
    "sw": ("jibu la mwisho", "jibu"),
    "te": ("తుది సమాధానం", "సమాధానం", "సమాధానము", "జవాబు"),
    "th": ("คำตอบสุดท้าย", "คำตอบ"),
    "zh": ("最终答案", "最終答案", "答案", "答"),
}
"""What introduces an answer."""
LINKS: Words = {
    "bn": ("হল", "হলো", "হচ্ছে", "হবে"),
    "de": ("ist", "lautet", "beträgt"),
    "en": ("is",),
    "es": ("es",),
    "fr": ("est",),
    "ja": ("は",),
    "ru": ("это", "равен", "составляет", "будет"),
    "sw": ("ni",),
    "te": ("అంటే", "ఏమిటంటే"),
    "th": ("คือ", "เท่ากับ", "เป็น"),
    "zh": ("应该是", "就是", "等于", "等於", "是", "为", "為"),
}
"""What may stand between the word and the answer instead of a colon."""
FILLERS: Words = {
    "bn": ("মোট",),
    "de": ("also", "daher", "somit", "insgesamt", "genau", "gleich"),
    "en": ("therefore", "thus", "hence", "indeed", "simply", "just", "option", "choice"),
    "es": ("entonces", "por lo tanto", "de", "igual a"),
    "fr": ("donc", "alors", "de", "égale à"),
    "ja": ("合計で", "合計", "全部で"),
    "ru": ("равно", "всего", "это"),
    "sw": ("jumla ya",),
    "te": ("మొత్తం",),
    "th": ("ทั้งหมด", "เท่ากับ", "จำนวน"),
    "zh": ("一共", "总共", "總共", "等于", "共"),
}
"""Words before an answer that say nothing about it."""
TAILS: Words = {
    "bn": ("হবে", "হয়"),
    "ja": ("になります", "となります", "になる", "となる", "である", "でした", "です"),
    "te": ("అవుతుంది", "అవుతాయి"),
    "th": ("ครับ", "ค่ะ"),
}
"""Words after an answer that say nothing about it."""

DOLLARS: Words = {
    "bn": ("ডলার", "মার্কিন ডলার"),
    "de": ("us-dollar",),
    "en": ("$", "dollar", "dollars", "usd", "us dollars", "us$", "$us"),
    "es": ("dólar", "dólares", "dólares estadounidenses"),
    "fr": ("dollars américains",),
    "ja": ("ドル", "米ドル"),
    "ru": ("доллар", "доллара", "долларов", "доллары", "долларов сша"),
    "sw": ("dola", "dola za marekani"),
    "te": ("డాలర్", "డాలర్లు", "డాలర్ల", "డాలరు"),
    "th": ("ดอลลาร์", "ดอลลาร์สหรัฐ", "เหรียญ"),
    "zh": ("美元", "美金"),
}
"""A dollar sign often is TeX's, and so a dollar is no unit that tells answers apart."""
COUNTERS: Words = {
    "bn": ("টি", "টা", "খানা"),
    "ja": ("個", "つ", "こ"),
    "zh": ("个", "個"),
}
"""Counting words that go with any noun."""
PERCENT: Words = {
    "bn": ("শতাংশ",),
    "de": ("prozent",),
    "en": ("percent", "per cent", "٪"),
    "es": ("por ciento",),
    "fr": ("pour cent", "pourcent"),
    "ja": ("パーセント",),
    "ru": ("процент", "процента", "процентов"),
    "te": ("శాతం",),
    "th": ("เปอร์เซ็นต์",),
}
PERCENT_BEFORE: Words = {"sw": ("asilimia",), "th": ("ร้อยละ",), "zh": ("百分之",)}
"""Words for percent that stand before the number."""
CURRENCY_BEFORE: Words = {
    "bn": ("tk",),
    "en": ("us$", "usd", "eur", "gbp"),
    "sw": ("shilingi", "dola", "tsh", "ksh", "sh"),
    "te": ("rs", "inr"),
    "th": ("thb",),
    "zh": ("rmb", "cny"),
}
"""Words for money that stand before the number; signs do in every language."""
SIGNS = "$€£¥₹৳฿₽₩"
MINUS: Words = {
    "de": ("minus",),
    "es": ("menos",),
    "fr": ("moins",),
    "ja": ("マイナス",),
    "ru": ("минус",),
    "sw": ("hasi",),
    "th": ("ลบ",),
    "zh": ("负", "負"),
}
MAGNITUDES: Mapping[str, int] = {
    "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12,
    "lakh": 5, "lakhs": 5, "crore": 7, "crores": 7,
    "হাজার": 3, "লাখ": 5, "লক্ষ": 5, "কোটি": 7,
    "tausend": 3, "millionen": 6, "milliarde": 9, "milliarden": 9,
    "mil": 3, "millón": 6, "millones": 6,
    "mille": 3, "millions": 6, "milliard": 9, "milliards": 9,
    "тыс": 3, "тысяча": 3, "тысячи": 3, "тысяч": 3, "миллион": 6, "миллиона": 6, "миллионов": 6,
    "млн": 6, "миллиард": 9, "миллиарда": 9, "миллиардов": 9, "млрд": 9,
    "elfu": 3, "milioni": 6, "bilioni": 9,
    "వేలు": 3, "వేల": 3, "లక్ష": 5, "లక్షలు": 5, "లక్షల": 5, "కోటి": 7, "కోట్లు": 7, "కోట్ల": 7,
    "ร้อย": 2, "พัน": 3, "หมื่น": 4, "แสน": 5, "ล้าน": 6,
}  # fmt: skip
"""Words after a number, as powers of ten, in the short scale where it is English."""
COMMON: Words = {
    "de": ("der", "die", "das", "und", "ist", "sind", "nicht", "mit", "ein", "eine", "für", "also"),
    "en": ("the", "and", "is", "are", "of", "to", "with", "for", "so", "he", "she", "that"),
    "es": ("el", "los", "las", "y", "es", "son", "que", "con", "por", "para", "una", "entonces"),
    "fr": ("le", "les", "des", "et", "est", "sont", "que", "avec", "pour", "une", "donc", "du"),
    "sw": ("na", "ya", "wa", "ni", "kwa", "kila", "za", "katika", "hivyo", "jumla", "la", "cha"),
}
"""Frequent words of the languages in Latin letters, to tell which one a text is in."""


def all_words(*tables: Words) -> frozenset[str]:
    """Every word of the tables, of all languages."""
    return frozenset(word for table in tables for words in table.values() for word in words)
