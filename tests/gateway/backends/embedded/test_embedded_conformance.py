"""The suite that every backend passes, on the embedded models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.backends.embedded import EmbeddedBackend
from gateway.inquiries import Embed
from tests import reward_models
from tests.conformance import LAWS, Law, Served, rows_of


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    backend = EmbeddedBackend(rewards=reward_models.write(tmp_path))
    yield Served(backend)
    await backend.close()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
async def test_it_conforms(served: Served, law: Law) -> None:
    await law(served)


async def test_vectors_have_length_one_and_tell_texts_apart(served: Served) -> None:
    call = Embed(served.model, ("12 + 30", "12 + 30", "a cat"))
    rows, usage = await rows_of(served.backend, call)
    same, again, other = rows.values
    assert sum(value * value for value in same) == pytest.approx(1, abs=1e-5)
    assert same == again
    assert sum(a * b for a, b in zip(same, other, strict=True)) < 0.99
    assert usage.prompt_tokens > 6
    assert usage.completion_tokens == 0
