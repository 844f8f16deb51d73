"""Answers: what a text marks, which spellings are one answer, and whether working computes."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import answers

MARKED = [
    (r"so it is \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
    (r"\boxed{3} and then \boxed{4}", "4"),
    (r"\boxed{\boxed{7}}", "7"),
    (r"The final answer is $\boxed{12}$. I hope it is correct.", "12"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{5} but cut \boxed{6", "5"),
    ("work\n#### 18", "18"),
    ("#### Step 1\nnothing", None),
    ("**Answer:** 5.", "5"),
    ("Answer: $1,234.50", "$1,234.50"),
    ("Final answer: \\(x^2\\)", "x^2"),
    ("**Final Answer**\n\n42", "42"),
    ("Answer:\n\n\\[ x=5 \\]", "x=5"),
    ("The answer is 42 because 6 * 7 = 42.", "42"),
    ("the answer to the question is 7. Done", "7"),
    ("The answer is therefore **8**.", "8"),
    ("The answer is consistent with the above.", None),
    ("The answer is 5. The answer is not 6.", "5"),
    (r"It is \boxed{5}. Answer: as computed above", "5"),
    ("Answer: 3. Wait, Answer: 4", "4"),
    ("Answer: (B) Paris", "B"),
    ("The answer is Dr. Smith.", "Dr. Smith"),
    ("I choose\n(C)", "C"),
    ("B", "B"),
    ("reasons\nA: 18", "18"),
    (" -3.5 ", "-3.5"),
    ("Paris", None),
    ("There are 12 eggs and 3 hens.", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "answer"), MARKED)
def test_extracts_the_marked_answer(text: str, answer: str | None) -> None:
    assert answers.extract(text) == answer


def test_only_the_end_of_a_text_counts() -> None:
    assert answers.extract("Answer: 1" + " filler" * 1000) is None
    assert answers.extract("filler " * 1000 + "Answer: 1") == "1"


@pytest.mark.parametrize(
    ("text", "number"), [("from 3 to 1,250.", "1,250"), ("x2 is -4", "-4"), ("none", None)]
)
def test_last_number(text: str, number: str | None) -> None:
    assert answers.last_number(text) == number


SAME = [
    ["0.5", "1/2", r"\frac{1}{2}", r"\dfrac12", "+.5", "$0.50", r"\frac{ 1 }{ 2 }", "x = 1/2", "½"],
    ["1234.5", "1,234.50", "$1,234.50", "1234.5 dollars", r"1{,}234.5", r"\$1,\!234.5"],
    ["-5", "−5", "-5.0", "$-5$", "**-5**", "-$5", r"\frac{-10}{2}", r"-\frac{10}{2}"],
    ["50%", r"50\%", "50 percent", "50.0 %"],
    ["3500000", "3.5 million", "3.5e6", r"3.5 \times 10^6", r"3.5\times10^{6}"],
    ["7/2", r"3\frac{1}{2}", "3 1/2", "3.5"],
    ["90", r"90^\circ", "90°", "90 degrees"],
    ["b", "(B)", "B.", r"\text{B}"],
    ["paris", "Paris", r"\text{Paris}", " paris. "],
    [r"(3,\frac{\pi}{2})", r"\left( 3, \frac{\pi}{2} \right)", r"$(3, \frac{\pi}{2})$"],
    ["12 cm", r"12\text{ cm}", "12cm"],
    ["32348", r"32\,348", "32,348"],
    ["x^2+a_1", r"x^{2} + a_{1}"],
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda s: s[0])
def test_spellings_of_one_answer_share_a_key(spellings: list[str]) -> None:
    assert len({answers.canonical(spelling) for spelling in spellings}) == 1


DIFFERENT = ["50", "50%", "0.5", "50 cm", "50 m", "50 cents", "2x", "3 am", "3 pm", "1/3", "0.333",
             "x=2, y=5", "5 or 6", "12,34", "(1,234)", "1/0", "5 more", "5 less"]  # fmt: skip


def test_different_answers_have_different_keys() -> None:
    assert len({answers.canonical(answer) for answer in DIFFERENT}) == len(DIFFERENT)


fractions = st.builds(Fraction, st.integers(-(10**9), 10**9), st.integers(1, 10**4))


@given(fractions, st.integers(1, 50))
def test_a_fraction_has_one_key_however_it_is_written(value: Fraction, factor: int) -> None:
    above, below = value.numerator * factor, value.denominator * factor
    forms = [
        f"{above}/{below}",
        f"\\frac{{{above}}}{{{below}}}",
        f"$\\dfrac{{{above}}}{{{below}}}$",
        f"{above:,}/{below}",
    ]
    keys = {answers.canonical(form) for form in forms}
    assert keys == {answers.canonical(str(value))}
    assert answers.is_numeric_key(keys.pop())
    assert answers.quantity(forms[0]) == answers.Quantity(value)


@given(st.decimals(-(10**12), 10**12, places=4))
def test_a_decimal_has_one_key_however_it_is_written(value: object) -> None:
    forms = [f"{value:f}", f"{value:,f}", f"${value:,f}$", f"{value:f}00", f"x = {value:f}"]
    assert len({answers.canonical(form) for form in forms}) == 1


@given(fractions, fractions)
def test_different_fractions_have_different_keys(first: Fraction, second: Fraction) -> None:
    same = answers.canonical(str(first)) == answers.canonical(str(second))
    assert same == (first == second)


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    key = answers.text_key(text)
    assert len(key) <= 200
    assert answers.text_key(key) == key


HOLDS = [
    ("5 apples * 3 = 15 apples", True),
    ("$5 * 3 = $15", True),
    ("48/2 = <<48/2=24>>24 clips", True),
    ("48/2 = <<48/2=25>>25 clips", False),
    ("10 / 3 = 3.33", True),
    ("10 / 3 = 3.34", False),
    ("7/2 = 4", False),
    ("7/2 ≈ 4", True),
    ("2 + 3 × 4 = 14", True),
    ("(2 + 3) × 4 = 20", True),
    (r"\frac{1}{2} \times 4 = 2", True),
    (r"$5 \cdot 3 = \boxed{15}$", True),
    ("5x3=15", True),
    ("**5 * 3 = 15**", True),
    ("- 3 + 4 = 7", True),
    ("2^10 = 1024 and 2**3 = 8", True),
    ("1,000 * 3 = 3,000", True),
    ("3*8\n= 24", True),
    ("1+1=2=3", False),
    ("10/40 = 25%", True),
    ("10/40 * 100 = 25%", True),
    ("3 hours = 3 * 60 = 180 minutes", True),
    ("2 * 30 minutes = 60 minutes = 1 hour", True),
    ("After 3 / 2 = 1 1/2 hours", True),
    ("5 * 3 = 16 apples", False),
    ("2*12 = $24/month", True),
    ("9**9**9 = 5", None),
    ("2^(2^(2^(2^9))) = 1", None),
    ("5/0 = 3", None),
    ("400 000 * 2 = 800 000", None),
]
NO_EQUATION = [
    "x + 3 = 5", "2x + 3 = 7", "f(3) + 2 = 8", "x_1 + 3 = 7", "5! = 120", "3 + 4 = x",
    r"\sqrt{16} + 5 = 9", "7 = 7", "a = b", "3 <= 4 + 1", "week 2 = great", "=", "= = 4 + = 8",
]  # fmt: skip


@pytest.mark.parametrize(("text", "holds"), HOLDS)
def test_shown_equations_are_checked(text: str, holds: bool | None) -> None:
    found = answers.equations(text)
    assert found
    verdicts = {equation.holds for equation in found}
    assert verdicts == {holds}


@pytest.mark.parametrize("text", NO_EQUATION)
def test_what_is_no_arithmetic_gives_no_equation(text: str) -> None:
    assert answers.equations(text) == []


def test_an_equation_shown_often_counts_once() -> None:
    assert len(answers.equations("1 + 1 = 2\n" * 1000)) == 1


@given(st.integers(-999, 999), st.integers(1, 999), st.sampled_from("+-*/"), st.integers(-2, 2))
def test_an_equation_holds_just_when_it_is_true(a: int, b: int, op: str, off: int) -> None:
    exact = {
        "+": Fraction(a + b), "-": Fraction(a - b), "*": Fraction(a * b), "/": Fraction(a, b)
    }[op]  # fmt: skip
    [equation] = answers.equations(f"so ({a}) {op} {b} = {exact + off}.")
    assert equation.holds is (off == 0)


@given(st.text(alphabet="0123456789+-*/^()=%., x$<>\\{}ab\n", max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    for equation in answers.equations(text):
        assert equation.holds in (True, False, None)
    answers.extract(text)
    answers.canonical(text)
    answers.json_key(text, fenced=True)


PIECES = ["\\boxed{", "{", "(", "1", "9**", "1 ", "=", "=\n", "1=", "1+1=", "<<1", "\\frac{1}{",
          "**", "answer is ", "Answer: ", "answer to ", "####  ", " ", "\n", "$", "\\[", "*_",
          "1/2 ", "5 apples * ", "\\\\", "\\text{", "१", "```json\n", "[",
          "1+1=2\n", "- ", "1x"]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_long_hostile_texts_are_read_in_bounded_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    readers: list[Callable[[str], object]] = [
        answers.extract, answers.canonical, answers.equations, answers.last_number,
        answers.looks_mathematical, answers.json_key,
    ]  # fmt: skip
    for reader in readers:
        began = time.thread_time()
        reader(text)
        # 50 ms on an idle machine; thread time, as others may be using this one.
        assert time.thread_time() - began < 0.1, reader


def test_json_is_compared_by_content() -> None:
    key = answers.json_key('{"b": 1.0, "a": [1, 2]}')
    assert key == answers.json_key('```json\n{"a":[1,2],"b":1}\n```', fenced=True)
    assert key != answers.json_key('{"a":[2,1],"b":1}')


@pytest.mark.parametrize("text", ["", "{", "NaN", "1e999", "[" * 100_000, "1" * 5000, "{'a': 1}"])
def test_what_is_not_json_has_no_key(text: str) -> None:
    assert answers.json_key(text) is None
