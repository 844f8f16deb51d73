"""The seam's view of the embedded model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import UpstreamRejected
from gateway.types import (
    Capabilities,
    Event,
    Finished,
    Json,
    Message,
    Passthrough,
    Relayed,
    Sample,
    Spent,
    Usage,
)

if TYPE_CHECKING:
    from gateway.backends.embedded.draft import Draft
    from gateway.backends.embedded.engine import Engine

MODEL = Path(__file__).parent / "model"


class EmbeddedBackend:
    """Serves one small Llama from a directory in Hugging Face's layout, by default the demo's.

    Loading takes well under a second and happens here, at construction. Tools and response_format
    are ignored: the model knows nothing of them.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        directory: Path | None = None,
        name: str = "embedded",
        model_name: str = "its-demo",
    ) -> None:
        # Not at the top: whoever imports this package without using it need not load NumPy.
        from gateway.backends.embedded.runtime import Runtime

        self.name = name
        self._model = model_name
        self._runtime = Runtime(directory or MODEL)

    @property
    def engine(self) -> Engine:
        return self._runtime.engine

    async def models(self) -> list[str]:
        return [self._model]

    async def call(self, request: Sample) -> AsyncGenerator[Event]:
        """Candidates of one prompt; `UpstreamRejected` for fields or messages it cannot serve."""
        from gateway.backends.embedded.shapes import candidate, growth, opening

        drafts = self._drafts(request)
        names, told = self._runtime.chat.names, [0] * len(drafts)
        if request.stream:
            for index in range(len(drafts)):
                yield opening(index)
        async with aclosing(self._runtime.grow(drafts)) as growing:
            async for grown in growing:
                draft, index = grown.draft, grown.draft.index
                if request.stream:
                    yield growth(grown, names, told[index])
                    told[index] = grown.tokens
                if grown.finish is not None:
                    yield Finished(index, candidate(draft, names, self._model))
        yield Spent(Usage(len(drafts[0].prompt), sum(len(draft.tokens) for draft in drafts)))

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        """Text completions; no other endpoint."""
        from gateway.backends.embedded.completions import complete

        self._check(request.model)
        path = request.path.rstrip("/")
        if not path.endswith("/completions"):
            kind = path.rsplit("/", 1)[-1]
            raise missing(f"{self._model} has no {kind}", code=None)
        async with complete(self._runtime, request.body, self._model) as relayed:
            yield relayed

    async def close(self) -> None:
        """End the engine; calls under way fail with `UpstreamUnavailable`."""
        await asyncio.to_thread(self._runtime.engine.close)

    def _check(self, model: str) -> None:
        if model not in ("", self._model):
            raise missing(f"the model {model!r} does not exist here", code="model_not_found")

    def _drafts(self, request: Sample) -> list[Draft]:
        from gateway.backends.embedded.params import ChatParams, parse, rejected

        self._check(request.model)
        if request.n < 1:
            raise rejected("n: must be at least 1", param="n")
        params = parse(ChatParams, request.fields)
        proceed = params.continue_final_message or bool(request.prefix)
        generate = params.add_generation_prompt
        prompt = self._runtime.chat.prompt(
            begun(request.messages, request.prefix, joined=params.continue_final_message),
            generate=not proceed if generate is None or request.prefix else generate,
            proceed=proceed,
        )
        return self._runtime.drafts(
            prompt,
            params,
            n=request.n,
            alternatives=params.top_logprobs if params.logprobs else None,
            stream=request.stream,
            param="messages",
        )


def begun(messages: Sequence[Message], prefix: str, *, joined: bool) -> list[Message]:
    """The conversation with the beginning of the answer in it, as the last message.

    With `joined` the last message is that of the assistant already, and `prefix` lengthens it.
    """
    if not prefix:
        return list(messages)
    if joined and messages and isinstance(messages[-1].get("content"), str):
        return [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + prefix}]
    return [*messages, {"role": "assistant", "content": prefix}]


def missing(message: str, *, code: str | None) -> UpstreamRejected:
    """A 404 in OpenAI's shape."""
    error: Json = {"message": message, "type": "invalid_request_error", "code": code, "param": None}
    return UpstreamRejected(404, {"error": error})
