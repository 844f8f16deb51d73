"""The multilingual bed: parallel problems, shared draws, and what its report says."""

from __future__ import annotations

import re

import pytest

from benchmarks.multilingual.__main__ import main
from benchmarks.multilingual.bed import TRANSLATOR, Bed
from benchmarks.multilingual.measuring import Language, Told
from benchmarks.multilingual.policies import AUTO, ONE, policies
from benchmarks.multilingual.report import written
from benchmarks.problems import LANGUAGES
from benchmarks.problems.generator import split_of
from benchmarks.problems.parallel import parallel
from gateway.backends.embedded.backend import EmbeddedBackend
from gateway.testing import user
from gateway.types import Finished, Sample, Spent


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_problem_and_its_translation_tell_the_same_numbers(language: str) -> None:
    into = "zh" if language == "en" else "en"
    for problem, question in parallel(10, 3, language, into):
        assert sorted(re.findall(r"[0-9]+", problem.question)) == sorted(
            re.findall(r"[0-9]+", question)
        )
        assert problem.language == language
        assert split_of(problem.question) == split_of(question) == "test"
        assert problem.question != question
        assert problem.solution.endswith(problem.answer)
        assert all(eval_of(left) == int(right) for left, right in map(halves, problem.equations))


def halves(equation: str) -> tuple[str, str]:
    left, right = equation.split(" = ")
    return left, right


def eval_of(expression: str) -> float:
    a, operator, b = expression.split()
    x, y = int(a), int(b)
    return {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[operator]


async def test_the_same_draw_is_drawn_once_and_paid_each_time() -> None:
    model = EmbeddedBackend()
    bed = Bed(model, {"wie?": "how?"}, "en")
    try:
        call = Sample("its-demo", user("2 + 2 = ?"), fields={"seed": 1, "max_tokens": 4})
        first = [event async for event in bed.call(call)]
        again = [event async for event in bed.call(call)]
        assert first == again
        assert model.engine is not None
        assert isinstance(first[-1], Spent)
        assert first[-1].usage.completion_tokens == 4
        translating = Sample(TRANSLATOR, user("Translate.\n\nwie?"))
        told = [event async for event in bed.call(translating)]
        assert [e.candidate.text for e in told if isinstance(e, Finished)] == ["how?"]
    finally:
        await bed.close()


def planted(one: float, auto: float, evidence: float) -> Language:
    """Of 100 problems so many right; what has evidence costs as many tokens as n=8."""

    def told(name: str) -> Told:
        share = one if name == ONE else evidence if "evidence" in name else auto
        size = int(found[1]) if (found := re.search(r"n=(\d+)", name)) else 5
        tokens = 400.0 if "evidence" in name else 1.0 if name == ONE else 50.0 * size
        return Told([float(i < 100 * share) for i in range(100)], [tokens] * 100, [5.0] * 100)

    return Language({name: told(name) for name in policies()}, 6, 1)


def test_the_report_says_who_wins_and_who_does_not() -> None:
    found = {"en": planted(0.6, 0.7, 0.7), "ja": planted(0.4, 0.5, 0.2)}
    text = written(found, "command", 100, 7, "c0ffee")
    assert re.search(r"\*\*\+10\.0 \[.*\] points on average\*\*", text)
    assert "better in 2 of 2 languages" in text
    assert "Of 12 answers that were asked for in another language, 2 are in it" in text
    assert "| weak | -15.0 [" in text
    assert "loses" in text
    assert f"`{AUTO}`, n=5" in text


def test_one_problem_from_end_to_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("multilingual") / "report.md"
    arguments = ["--problems", "1", "--languages", "es", "--out", str(out)]
    assert main([*arguments, "--work", str(out.parent)]) == 0
    text = out.read_text()
    assert "| one sample |" in text
    assert main([*arguments, "--work", str(out.parent)]) == 0
    assert out.read_text() == text
