"""The verifier `code`: it judges, and leaves running to the session."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from gateway import Candidate, InvalidRequest, Limits, SandboxUnavailable, Score, Verdict
from gateway.registry import load
from gateway.testing import FakeBackend, answer_of, session_on, user
from gateway.types import Request
from gateway.wishes import Wishes

VERIFIERS = load("verifier", "verifiers", "test.none")
STRATEGIES = load("strategy", "strategies", "test.none")
TESTS = "assert f(1) == 2"


class Scripted:
    """An executor that says what it is told to, by program."""

    def __init__(self, **verdicts: Verdict | Exception):
        self.verdicts = verdicts
        self.asked: list[tuple[str, str, str, Limits]] = []

    async def execute(
        self, program: str, tests: str, limits: Limits, *, prompt: str = ""
    ) -> Verdict:
        self.asked.append((program, tests, prompt, limits))
        verdict = self.verdicts[program]
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    async def problem(self) -> str:
        return ""

    async def close(self) -> None:
        return None


async def _scores(
    sandbox: Scripted, *texts: str, tests: str | None = TESTS, prompt: str = "Write f.",
    by: str = "code",
) -> Sequence[Score]:  # fmt: skip
    request = Request("fake", user(prompt), tests=tests)
    session = session_on(
        FakeBackend(lambda s, n: ""), verifiers=VERIFIERS, request=request, sandbox=sandbox
    )
    candidates = [Candidate(str(n), text) for n, text in enumerate(texts)]
    return await session.score(candidates, by=by)


async def test_the_value_is_the_share_that_passes() -> None:
    sandbox = Scripted(
        good=Verdict("pass", 4, 4), part=Verdict("fail", 3, 4, "f(2)"), bad=Verdict("compile", 0, 4)
    )
    scores = await _scores(sandbox, "bad", "good", "part", "good")
    assert [(score.value, score.passed) for score in scores] == [
        (0.0, False), (1.0, True), (0.75, False), (1.0, True),
    ]  # fmt: skip
    assert [score.reason for score in scores] == [
        "compile: 0 of 4 tests passed",
        "pass: 4 of 4 tests passed",
        "fail: 3 of 4 tests passed; f(2)",
        "pass: 4 of 4 tests passed",
    ]
    assert len(sandbox.asked) == 3, "equal programs are run once"


async def test_parameters_become_limits() -> None:
    sandbox = Scripted(good=Verdict("pass", 1, 1))
    await _scores(sandbox, "good", by="code;seconds=0.5;memory_mb=64")
    assert sandbox.asked == [("good", TESTS, "Write f.", Limits(seconds=0.5, memory=64 << 20))]


@pytest.mark.parametrize("prompt", ["Write f.", "I assert that f is good", "a >> b"])
async def test_without_tests_nothing_is_run(prompt: str) -> None:
    [score] = await _scores(Scripted(), "good", tests=None, prompt=prompt)
    assert math.isnan(score.value)
    assert score.reason == "the request has no tests"


@pytest.mark.parametrize("prompt", ["Write f.\n\nassert f(1) == 2", "Write f:\n  >>> f(1)\n  2"])
async def test_tests_may_stand_in_the_prompt(prompt: str) -> None:
    sandbox = Scripted(good=Verdict("pass", 1, 1))
    [score] = await _scores(sandbox, "good", tests=None, prompt=prompt)
    assert score.passed
    assert sandbox.asked[0][:3] == ("good", "", prompt)


async def test_tests_without_any_test_judge_nothing() -> None:
    [score] = await _scores(Scripted(good=Verdict("pass", 0, 0)), "good", tests="x = 1")
    assert math.isnan(score.value)


@pytest.mark.parametrize(
    "error", [SandboxUnavailable("no bubblewrap"), InvalidRequest("its.tests: no")]
)
async def test_a_refusal_reaches_the_client(error: Exception) -> None:
    """Whatever was drawn by then, an unjudged answer is not passed off as the best."""
    with pytest.raises(type(error)):
        await _scores(Scripted(good=error, also=error), "good", "also")
    with pytest.raises(type(error)):
        await answer_of(
            STRATEGIES["best_of_n"],
            FakeBackend(lambda s, n: "good"),
            verifiers=VERIFIERS,
            wishes=Wishes(budget=2, verifier="code"),
            request=Request("fake", user("Write f."), tests=TESTS),
            sandbox=Scripted(good=error),
        )
