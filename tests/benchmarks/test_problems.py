"""The generated problems are reproducible, split cleanly, and right."""

import json
import re

import pytest

from benchmarks.problems import LANGUAGES, Problem, Split, generate, split_of
from benchmarks.problems.generator import (
    FEWEST_STEPS,
    LARGEST,
    MOST_STEPS,
    TEST_SHARE,
    TWO_STEP_KINDS,
)
from benchmarks.problems.languages.ru import form
from gateway import answers

KINDS = {"gain", "lose", "gain_groups", "lose_groups", "times", "share"}
SPLITS: tuple[Split, ...] = ("train", "test")
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return [
        problem
        for code in LANGUAGES
        for split in SPLITS
        for problem in generate(200, 3, split=split, language=code)
    ]


def test_the_same_arguments_give_the_same_problems() -> None:
    assert list(generate(50, 7, split="test")) == list(generate(50, 7, split="test"))


def test_another_seed_gives_other_problems() -> None:
    assert list(generate(50, 7, split="test")) != list(generate(50, 8, split="test"))


def test_fewer_problems_are_a_prefix_of_more() -> None:
    assert list(generate(60, 7, split="train"))[:20] == list(generate(20, 7, split="train"))


def test_no_question_is_in_both_splits() -> None:
    train = {p.question for seed in range(3) for p in generate(3000, seed, split="train")}
    test = {p.question for seed in range(3) for p in generate(3000, seed, split="test")}
    assert not train & test


def test_a_question_belongs_to_the_split_that_yields_it() -> None:
    for split in SPLITS:
        assert {split_of(p.question) for p in generate(200, 5, split=split)} == {split}


def test_about_one_question_in_sixteen_is_a_test_question() -> None:
    shares = [split_of(f"question {i}") == "test" for i in range(16_000)]
    assert abs(sum(shares) * TEST_SHARE / len(shares) - 1) < 0.1


def test_the_split_of_a_question_never_changes() -> None:
    assert [split_of(f"question {i}") for i in range(40)].index("test") == 3


def test_every_equation_computes(problems: list[Problem]) -> None:
    compute = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    for problem in problems:
        assert len(problem.equations) == problem.steps
        for line in problem.equations:
            match = EQUATION.fullmatch(line)
            assert match, line
            a, operator, b, c = int(match[1]), match[2], int(match[3]), int(match[4])
            assert compute[operator](a, b) == c, line
            assert operator != "/" or a % b == 0, line


def test_no_value_is_negative_or_too_large(problems: list[Problem]) -> None:
    for problem in problems:
        values = [int(v) for v in re.findall(r"-?\d+", problem.solution)]
        assert min(values) >= 0, problem.solution
        assert max(values) <= LARGEST, problem.solution


def test_the_answer_is_the_last_result(problems: list[Problem]) -> None:
    for problem in problems:
        *equations, last = problem.solution.split("\n")
        assert last == f"{LANGUAGES[problem.language].answer}{problem.answer}"
        assert equations[-1].endswith(f"= {problem.answer}")


def test_steps_count_the_equations(problems: list[Problem]) -> None:
    for problem in problems:
        assert problem.steps == problem.solution.count("=")
    assert {p.steps for p in problems} == set(range(FEWEST_STEPS, MOST_STEPS + 1))


def test_the_gateway_reads_answer_and_working_in_every_language(problems: list[Problem]) -> None:
    for problem in problems:
        for solution in (problem.solution, problem.json_solution):
            assert answers.extract(solution) == problem.answer
            shown = answers.equations(solution)
            assert [e.text for e in shown] == list(dict.fromkeys(problem.equations))
            assert all(e.holds for e in shown)


def test_json_asks_in_the_language_of_the_story(problems: list[Problem]) -> None:
    for problem in problems:
        assert problem.json_question.startswith(problem.question)
        assert problem.json_question.endswith(LANGUAGES[problem.language].json)
        assert json.loads(problem.json_solution) == {
            "steps": list(problem.equations),
            "answer": int(problem.answer),
        }


def test_a_noun_takes_the_form_of_its_number() -> None:
    assert [form(n) for n in (1, 2, 5, 11, 12, 21, 22, 25, 111, 101)] == [
        *(0, 1, 2, 2, 2, 0, 1, 2, 2, 0)
    ]


def test_each_new_number_of_the_working_stands_in_the_question(problems: list[Problem]) -> None:
    for problem in problems:
        known = set(re.findall(r"\d+", problem.question))
        for line in problem.equations:
            a, _, b, _, c = line.split(" ")
            assert {a, b} <= known, problem
            known.add(c)


def test_every_story_has_its_placeholders() -> None:
    for language in LANGUAGES.values():
        for story in language.stories:
            assert "{n}" in story.opening
            for kind, sentences in story.events.items():
                for sentence in sentences:
                    assert "{n}" in sentence
                    assert ("{m}" in sentence) == (kind in TWO_STEP_KINDS)


def test_every_language_tells_every_kind_of_event() -> None:
    for language in LANGUAGES.values():
        assert {kind for story in language.stories for kind in story.events} == KINDS
        assert len(language.stories) >= 7
        assert len(set(language.names)) == len(language.names) >= 18
    assert len(LANGUAGES["en"].stories) >= 12
