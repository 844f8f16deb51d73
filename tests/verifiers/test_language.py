"""The verifier `language`: passed, failed, and unsure as NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway import Candidate, Session
from gateway.testing import FakeBackend, session_on
from gateway.types import Request
from gateway.workers import Workers
from verifiers.language import language

Said = Callable[..., list[Candidate]]

GERMAN = "Janets Enten legen 16 Eier pro Tag. Wie viel Dollar nimmt sie täglich ein?"


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    workers = Workers(1, preload=("gateway.languages:warm_up",))
    yield workers
    workers.close()


def session(workers: Workers, content: Any) -> Session:
    messages = [
        {"role": "system", "content": "Answer in English, whatever the user writes."},
        {"role": "user", "content": content},
    ]
    return session_on(FakeBackend(lambda *_: ""), request=Request("m", messages), compute=workers)


async def test_answers_in_the_users_language_pass(workers: Workers, said: Said) -> None:
    candidates = said(
        "Sie verdient damit jeden Tag achtzehn Dollar.", "She makes eighteen dollars a day.", "18"
    )
    scores = await language(session(workers, GERMAN), candidates)
    assert [score.passed for score in scores] == [True, False, None]
    assert [score.value for score in scores[:2]] == [1.0, 0.0]
    assert math.isnan(scores[2].value)


async def test_a_language_can_be_named(workers: Workers, said: Said) -> None:
    [score] = await language(
        session(workers, "18?"), said("She makes eighteen dollars a day."), code="en"
    )
    assert score.passed is True


@pytest.mark.parametrize(
    "content", ["17 * 23 = ?", None, [], [{"type": "image_url"}], [{"type": "text", "text": 3}]]
)
async def test_an_unsure_question_judges_nothing(
    workers: Workers, said: Said, content: Any
) -> None:
    [score] = await language(session(workers, content), said("She makes eighteen dollars a day."))
    assert math.isnan(score.value)
    assert score.passed is None


async def test_parts_of_a_message_are_read(workers: Workers, said: Said) -> None:
    content = [{"type": "text", "text": GERMAN}, {"type": "image_url", "image_url": {"url": "x"}}]
    [score] = await language(session(workers, content), said("She makes eighteen dollars a day."))
    assert score.passed is False
