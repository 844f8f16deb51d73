"""What no candidate could satisfy is refused before any is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest

from gateway.sandbox.verdict import NoSandbox
from gateway.settings import Roles
from gateway.testing import FakeBackend, user
from tests.conftest import Serve

ASK: Any = {"model": "fake", "messages": user("2 + 2?")}


async def refused(serve: Serve, verifier: str, **settings: Any) -> tuple[FakeBackend, Any]:
    backend = FakeBackend(lambda *_: "Answer: 4")
    served = await serve(backend, **settings)
    served.host.means = _without_sandbox(served.host.means)
    headers = {"x-its-budget": "4", "x-its-verifier": verifier}
    with pytest.raises(openai.APIStatusError) as caught:
        await served.client().chat.completions.create(**ASK, extra_headers=headers)
    return backend, caught.value


def _without_sandbox(means: Any) -> Any:
    return replace(means, sandbox=NoSandbox())


@pytest.mark.parametrize("verifier", ["code", "all(math,code)", "first(math,all(code,agreement))"])
async def test_code_without_a_sandbox(serve: Serve, verifier: str) -> None:
    backend, error = await refused(serve, verifier)
    assert (error.status_code, error.code) == (501, "sandbox_unavailable")
    assert backend.begun == 0


@pytest.mark.parametrize("verifier", ["reward_model", "process_reward", "all(math,reward_model)"])
async def test_a_reward_model_that_nobody_was_given(serve: Serve, verifier: str) -> None:
    backend, error = await refused(serve, verifier)
    assert (error.status_code, error.code) == (400, "no_model")
    assert "roles." in error.message
    assert backend.begun == 0
    assert backend.inquiries == []


async def test_a_reward_model_that_nobody_serves(serve: Serve) -> None:
    roles = Roles(outcome_reward="gone")
    backend, error = await refused(serve, "reward_model", roles=roles)
    assert (error.status_code, error.code) == (400, "no_model")
    assert "gone" in error.message
    assert backend.begun == 0


async def test_one_that_is_served_is_asked(serve: Serve) -> None:
    backend = FakeBackend(lambda *_: "Answer: 4", models=("fake", "orm"))
    served = await serve(backend, roles=Roles(outcome_reward="orm"))
    headers = {"x-its-budget": "4", "x-its-verifier": "reward_model"}
    await served.client().chat.completions.create(**ASK, extra_headers=headers)
    assert (backend.begun, len(backend.inquiries)) == (4, 1)
