"""The bed: the embedded model, whose draws all policies share, and a planted translator."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from benchmarks.problems import LANGUAGES
from gateway.backends.embedded.backend import EmbeddedBackend
from gateway.testing import FakeBackend
from gateway.types import (
    Call,
    Capabilities,
    Delta,
    Event,
    Finished,
    Passthrough,
    Relayed,
    Sample,
)
from strategies.evidence import prompt_of

TRANSLATOR = "planted-translator"


class Bed:
    """A backend: answers of the demo's model, each drawn once, and of a translator without error.

    Seeded draws of the same prompt with the same fields are the same, so that policies which ask
    for the same candidates are compared on the same ones, and cost their tokens all the same. The
    translator knows `translations`, by question; what a model would have to do for that is not
    measured here. Its words count as tokens.
    """

    def __init__(self, model: EmbeddedBackend, translations: Mapping[str, str], evidence: str):
        self.name = model.name
        self.wished = self.obeyed = 0
        """Answers that were asked for in the language `evidence`, and those that are in it."""
        self._wish = prompt_of(evidence).answer
        self._mark = LANGUAGES[evidence].answer.strip()
        self._model = model
        self._known: dict[str, list[Event]] = {}
        self._translator = FakeBackend(
            lambda sample, _: translations[_question(sample)], models=[TRANSLATOR]
        )

    def capabilities(self, model: str) -> Capabilities:
        return self._model.capabilities(model)

    async def models(self) -> list[str]:
        return [*await self._model.models(), TRANSLATOR]

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        if isinstance(request, Sample) and request.model == TRANSLATOR:
            async for event in self._translator.call(request):
                yield event
            return
        key = repr(request)
        if key not in self._known:
            events = [event async for event in self._model.call(request)]
            self._known[key] = [event for event in events if not isinstance(event, Delta)]
            self._note(request, self._known[key])
        for event in self._known[key]:
            yield event

    def _note(self, request: Call, events: Sequence[Event]) -> None:
        if isinstance(request, Sample) and self._wish in str(request.messages[-1]["content"]):
            texts = [event.candidate.text for event in events if isinstance(event, Finished)]
            self.wished += len(texts)
            self.obeyed += sum(self._mark in text for text in texts)

    def relay(self, request: Passthrough) -> AbstractAsyncContextManager[Relayed]:
        return self._model.relay(request)

    async def close(self) -> None:
        await self._model.close()

    def forget(self) -> None:
        """Keep nothing of the problem before."""
        self._known.clear()


def _question(sample: Sample) -> str:
    """What stands behind the wish for a translation."""
    text = str(sample.messages[-1]["content"])
    return text.partition("\n\n")[2]
