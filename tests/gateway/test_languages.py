"""Which language a text is in, on MGSM's questions and on what must be unsure."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import languages

MGSM = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
Data = Callable[[str], Path]


def questions(data: Data) -> list[tuple[str, str]]:
    return [
        (code, line.split("\t")[0])
        for code in MGSM
        for line in data(f"mgsm/{code}.tsv").read_text().splitlines()
        if line
    ]


@pytest.mark.parametrize(("cut", "least"), [(None, 0.99), (40, 0.95)])
def test_mgsm_questions_are_recognised(data: Data, cut: int | None, least: float) -> None:
    asked = questions(data)
    assert len(asked) == 125 * len(MGSM)
    wrong = [(code, q[:cut]) for code, q in asked if languages.detect(q[:cut]) != code]
    assert 1 - len(wrong) / len(asked) >= least, wrong


def test_no_answer_in_another_language_is_taken_for_the_users(data: Data) -> None:
    asked = questions(data)
    wrong = [
        (code, text)
        for (code, _), (other, text) in zip(asked, asked[125:] + asked[:125], strict=True)
        if code != other and languages.is_in(text, code) is not False
    ]
    assert len(wrong) / len(asked) < 0.01, wrong


UNSURE = [
    "", "42", "3.14 + 2 = 5.14", "Paris", "OK", "{}",
    '{"answer": "forty two eggs", "unit": "eggs"}',
    "```python\ndef add(first, second):\n    return first + second\n```",
    "def f(x): return x+1",
    r"$\frac{1}{2} \times \sqrt{x}$",
    "https://example.org/the/answer/is/here",
    "The answer is 你好世界 很高兴认识你们大家 really",
    "Mujhe lagta hai ki answer 18 hai kyunki total eggs 16 the",
    "Ami bhalo achi tumi kemon acho",
    "Janet's ducks lay sixteen eggs and she eats three of them every single morning for breakfast. "
    "Sie verkauft die restlichen Eier jeden Tag auf dem Bauernmarkt und verdient damit achtzehn.",
]  # fmt: skip


@pytest.mark.parametrize("text", UNSURE)
def test_what_is_no_language_or_two_is_unsure(text: str) -> None:
    assert languages.detect(text) is None
    assert languages.is_in(text, "en") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("kyou wa tomodachi to issho ni eiga wo mimashita totemo tanoshikatta desu", "ja"),
        ("ya segodnya poshel v magazin i kupil hleba i moloka dlya semi", "ru"),
        ("wo jintian qu shangdian mai le yixie pingguo he xiangjiao", "zh"),
        ("nenu ivvala market ki velli konni pandlu konnanu", "te"),
        ("phom pai talat wannee lae sue phonlamai ma", "th"),
        ("La respuesta es correct because the total number of eggs is 18", "es"),
    ],
)
def test_romanised_and_mixed_text_is_never_wrong(text: str, language: str) -> None:
    assert languages.is_in(text, language) is not False


@pytest.mark.parametrize(
    ("text", "language", "verdict"),
    [
        ("Die Antwort ist 42, weil sie achtzehn Eier verkauft.", "de", True),
        ("Die Antwort ist 42, weil sie achtzehn Eier verkauft.", "fr", False),
        ("She sells eighteen eggs every day. `x = 1`", "en", True),
        ("答えは18です。", "ja", True),
        ("答案是18。", "zh", True),
        ("答案是18，因为她每天卖鸭蛋。", "ja", False),
    ],
)
def test_short_answers(text: str, language: str, verdict: bool) -> None:
    assert languages.is_in(text, language) is verdict


@pytest.mark.parametrize("piece", ["a", "`", "$", "\\a", "http://", "@", "```", "{", "你 a "])
def test_hostile_texts_are_read_in_bounded_time(piece: str) -> None:
    languages.warm_up()
    began = time.thread_time()
    languages.detect(piece * (200_000 // len(piece)))
    assert time.thread_time() - began < 0.2


ROMANISED = [
    "kyou wa tomodachi to issho ni eiga wo mimashita totemo tanoshikatta desu",
    "watashi wa kinou tomodachi to issho ni eiga o mimashita",
    "ya segodnya poshel v magazin i kupil hleba i moloka dlya semi",
    "wo jintian qu shangdian mai le yixie pingguo he xiangjiao",
    "nenu ivvala market ki velli konni pandlu konnanu",
    "phom pai talat wannee lae sue phonlamai ma",
    "Bhai mujhe batao ki total kitne apples bache hain agar 5 de diye",
]


@pytest.mark.parametrize("text", ROMANISED)
def test_a_romanised_question_is_taken_for_no_other_language(text: str) -> None:
    assert languages.detect(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hoje fui à loja e comprei pão e leite.", "pt"),
        ("Oggi sono andato al negozio e ho comprato pane e latte.", "it"),
        ("Danes sem šel v trgovino in kupil kruh ter mleko.", "sl"),
        ("Nhasi ndakaenda kuchitoro ndikatenga chingwa nemukaka.", "sn"),
    ],
)
def test_languages_in_latin_letters_are_still_recognised(text: str, language: str) -> None:
    assert languages.detect(text) == language


@pytest.mark.parametrize(
    ("text", "told"),
    [("42", True), ("$x^2$", True), ("```py\nprint(1)\n```", True), ('{"answer": "ja"}', True),
     ("", True), ("The answer is 42.", False), ("答えは18です。", False)],
)  # fmt: skip
def test_text_without_words_is_in_no_language(text: str, told: bool) -> None:
    assert languages.wordless(text) is told
