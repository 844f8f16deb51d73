"""Which language an answer is asked for in, in so many words, and when that is not sure."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import languages
from gateway.language_wishes import CODES, Wish, wish_in
from strategies.evidence import prompt_of

FRENCH = "What is the capital of Italy, and how many people live there? Please answer in French."
ENGLISH_PAGE = "The quick brown fox jumps over the lazy dog and then it runs away. "


@pytest.mark.parametrize("code", CODES)
def test_our_own_wishes_are_understood(code: str) -> None:
    prompt = prompt_of(code)
    assert wish_in(prompt.answer) == wish_in(prompt.translate) == Wish(code)


@pytest.mark.parametrize("code", CODES)
def test_no_question_of_mgsm_wishes_for_a_language(data: Callable[[str], Path], code: str) -> None:
    questions = data(f"mgsm/{code}.tsv").read_text().splitlines()
    assert len(questions) >= 125
    assert [q for q in questions if wish_in(q.split("\t")[0]) is not None] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (FRENCH, "fr"),
        ("Answer in French.", "fr"),
        ("Translate from German to English: Der Hund schläft.", "en"),
        ("Übersetze ins Englische: Der Hund schläft auf der Matte.", "en"),
        ("Réponds en anglais s'il te plaît", "en"),
        ("Traduce al alemán: el perro duerme", "de"),
        ("Отвечай по-английски, пожалуйста", "en"),
        ("犬とは何ですか。フランス語で答えて", "fr"),
        ("狗是什么？请用英语回答", "en"),
        ("WRITE IT IN GERMAN", "de"),
    ],
)
def test_what_is_asked_for_is_wanted(text: str, code: str) -> None:
    assert languages.wanted(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "How do you say dog in French?",
        "Don't answer in English.",
        "No respondas en inglés.",
        "Answer in English and French.",
        "Answer in German. Then answer in Spanish.",
        "请不要用英语回答",
    ],
)
def test_what_names_a_language_otherwise_leaves_it_open(text: str) -> None:
    assert wish_in(text) == Wish(None)
    assert languages.wanted(text) is None


@pytest.mark.parametrize(
    "text",
    ["How many people speak French in Canada?", "She buys French fries for 3 dollars.",
     "The answer is in the Spanish book.", ""],
)  # fmt: skip
def test_a_language_that_is_only_spoken_of_is_no_wish(text: str) -> None:
    assert wish_in(text) is None


@pytest.mark.parametrize("pages", [6, 60, 600])
@pytest.mark.parametrize("first", [True, False])
def test_a_document_in_another_language_than_its_wish_leaves_it_open(
    pages: int, first: bool
) -> None:
    wish, document = "Fasse diesen Text bitte in zwei Sätzen zusammen.", ENGLISH_PAGE * pages
    whole = f"{wish}\n\n{document}" if first else f"{document}\n\n{wish}"
    assert languages.wanted(languages.ends(whole)) is None


def test_a_long_question_of_one_language_is_in_it() -> None:
    whole = f"{ENGLISH_PAGE * 600}\n\nPlease summarise this text in two sentences."
    cut = languages.ends(whole)
    assert len(cut) == languages.MAX_TEXT
    assert languages.wanted(cut) == "en"


@pytest.mark.parametrize(
    "piece", ["in ", "kwa ", "in a ", "in\t", "по-", "用", ".", "not ", "ภาษา"]
)
def test_wishes_are_looked_for_in_bounded_time(piece: str) -> None:
    began = time.thread_time()
    wish_in(piece * (languages.MAX_TEXT // len(piece)))
    assert time.thread_time() - began < 0.5
