"""Answers in eleven languages: MGSM's numbers in generated forms, and what decides a doubt."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from gateway import answers
from tests.gateway.answer_forms import SENTENCES, chinese, forms

Data = Callable[[str], Path]


def gold(data: Data, language: str) -> list[int]:
    lines = data(f"mgsm/{language}.tsv").read_text().splitlines()
    return [int(line.split("\t")[1].replace(",", "")) for line in lines if line]


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_mgsm_numbers_are_recognised_as_each_language_writes_them(
    data: Data, language: str
) -> None:
    wrong: list[tuple[str, str | None]] = []
    asked = 0
    # Few of MGSM's numbers are long, and grouping begins at a thousand: so larger ones as well.
    for number in sorted({n * by for n in gold(data, language) for by in (1, 1234)}):
        for form in random.Random(number).sample(list(forms(language, number)), 15):
            asked += 1
            answer = answers.extract(form.text)
            found = answers.quantity(answer) if answer else None
            is_percent = found is not None and found.unit == "%"
            if found is None or found.value != form.value or is_percent != (form.unit == "%"):
                wrong.append((form.text, answer))
    assert asked > 1_500
    assert 1 - len(wrong) / asked >= 0.99, wrong[:: len(wrong) // 40 + 1]


@pytest.mark.parametrize("japanese", [True, False])
def test_chinese_numerals_are_read(japanese: bool) -> None:
    for number in [*range(1, 2_000), *range(2_000, 10**8, 1_234_567), 10_005, 20_300, 100_000]:
        assert answers.quantity(chinese(number, japanese=japanese)) == answers.Quantity(
            Fraction(number)
        )


SAME = [
    ["320", "三百二十", "３２０", "๓๒๐", "३२०", "৩২০", "౩౨౦", "3百2十", "三二〇"],
    ["35000", "3万5千", "3万5000", "三万五千", "35,000", "35 000", "35'000", "35’000", "3.5万"],
    ["1234567.5", "1.234.567,5", "1 234 567,5", "1\u202f234\u202f567,5", "1,234,567.5"],
    ["123456", "1,23,456", "১,২৩,৪৫৬", "123\u00a0456", "12万3456", "十二万三千四百五十六"],
    ["3/5", "五分之三", "5分の3", "0.6", "６/１０"],
    ["50%", "百分之五十", "50 %", "５０％", "50 Prozent", "asilimia 50", "ร้อยละ 50"],
    ["-7", "负七", "マイナス7", "−7", "minus 7", "－７"],
    ["2500000", "2.5 millones", "2,5 млн".replace(",", "."), "25 লাখ", "2.5 ล้าน", "250万"],
    ["123456789", "一亿二千三百四十五万六千七百八十九", "1億2345万6789", "12,34,56,789"],
    ["3.14", "三点一四"],
]  # fmt: skip


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_one_number_has_one_key_in_every_script(spellings: list[str]) -> None:
    keys = {spelling: answers.canonical(spelling) for spelling in spellings}
    assert set(keys.values()) == {spellings[0] if spellings[0] != "3/5" else "0.6"}, keys


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Die Antwort ist 1.234.", "1234"),
        ("The answer is 1.234.", "1.234"),
        ("Die Antwort ist 1,234.", "1.234"),
        ("The answer is 1,234.", "1,234"),
        ("La respuesta es 80,000.", "80,000"),
        ("12.50 + 3.75 = 16.25. La respuesta es 1,234.", "1,234"),
        ("12,50 + 3,75 = 16,25\n#### 1.234", "1234"),
        ("12.50 + 3.75 = 16.25\n#### 1.234", "1.234"),
        ("Sie kauft die Eier und das Brot für 5 Euro.\n#### 1.234", "1234"),
        ("Она купила яйца и хлеб.\n#### 1.234", "1234"),
        ("#### 1.234", "1.234"),
        ("Answer: 0.125", "0.125"),
        ("Antwort: 0,125", "0.125"),
        ("Antwort: (1,5)", "(1,5)"),
        ("The roots are 3,4. Answer: 3,4", "3,4"),
    ],
)
def test_what_decides_between_a_thousand_and_a_decimal(text: str, answer: str) -> None:
    assert answers.extract(text) == answer


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("#### 1.234", "1234", "1234"),
        ("#### 1.234", "1.234", "1.234"),
        ("#### 1,234", "1234", "1234"),
        ("Die Antwort ist 1,234.", "1234", "1234"),
        ("Die Antwort ist 1.234.", "99", "1234"),
        ("12.50 + 3.75 = 16.25\n#### 1.234", "1234", "1.234"),
    ],
)
def test_a_reference_decides_where_numbers_do_not(text: str, reference: str, value: str) -> None:
    answer = answers.extract(text, reference)
    assert answer is not None
    assert answers.canonical(answer) == value


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("所以答案是42。", "42"),
        ("答えは42です。", "42"),
        ("คำตอบคือ 42", "42"),
        ("คำตอบคือ42ครับ", "42"),
        ("সুতরাং উত্তর ৪২।", "৪২"),
        ("సమాధానం 42.", "42"),
        ("答案是B。", "B"),
        ("答えは東京です。", "東京"),
        ("Jibu ni Nairobi.", "Nairobi"),
        ("Ответ: Москва.", "Москва"),
        ("Die Antwort ist nicht bekannt", "nicht bekannt"),
    ],
)
def test_marks_in_scripts_with_and_without_spaces(text: str, answer: str) -> None:
    assert answers.extract(text) == answer


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Also 12,5 * 2 = 25 Euro und das ist alles.", True),
        ("Also 12,5 * 2 = 26 Euro und das ist alles.", False),
        ("Das sind 1.200 + 300 = 1.500 und nicht mehr, also 2,5 * 2 = 5.", True),
        ("১২ + ৩ = ১৫", True),
        ("１２×３＝３６", True),
        ("২ + ২ = ৫", False),
    ],
)
def test_equations_in_other_habits(text: str, holds: bool) -> None:
    assert {equation.holds for equation in answers.equations(text)} == {holds}


PIECES = ["三", "万", "3万", "1.234,", "1 234 ", "1,23,", "12,5 ", "分之", "答", "答案是",
          "คำตอบคือ ", "উত্তর ", "1'234'", "百分之", "asilimia ", "মোট ",
          "です", "а", "1.2 ", "్", "mayai 1 "]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("before", ["", "答案是", "Jibu ni "])
def test_hostile_texts_are_read_in_bounded_time(piece: str, before: str) -> None:
    readers: list[Callable[[str], object]] = [
        answers.extract, answers.canonical, answers.quantity, answers.equations,
        answers.last_number,
    ]  # fmt: skip
    for size in (1_900, 100_000):
        text = before + piece * (size // len(piece))
        for reader in readers:
            began = time.thread_time()
            reader(text)
            assert time.thread_time() - began < 0.1, (reader, size)
