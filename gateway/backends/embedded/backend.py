"""The seam's view of the embedded models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import Unsupported, UpstreamRejected, UpstreamUnavailable
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities
from gateway.types import (
    Call,
    Capabilities,
    Event,
    Finished,
    Json,
    Passthrough,
    Relayed,
    Sample,
    Spent,
    Usage,
)

if TYPE_CHECKING:
    from gateway.backends.embedded.draft import Draft
    from gateway.backends.embedded.engine import Engine
    from gateway.backends.embedded.inquiries import Told

HERE = Path(__file__).parent
MODEL = HERE / "model"
REWARDS = {"outcome_reward": "its-demo-orm", "process_reward": "its-demo-prm"}
"""The reward models' names by their roles; each lies in a directory called ROLE_model."""
WRITES = Capabilities(aligned=True, pooling=False, classify=False, score=False, embed=True)
JUDGES = Capabilities(
    n=False,
    logprobs=False,
    logprob_token_ids=False,
    prompt_logprobs=False,
    all_logprobs=False,
    token_ids=False,
    continuation=False,
    structured_outputs=False,
    masked_logprobs=False,
    score=False,
    embed=False,
)


def shipped() -> dict[str, Path]:
    """Directories of the reward models that came with the package, by role."""
    found = {role: HERE / f"{role}_model" for role in REWARDS}
    return {role: path for role, path in found.items() if (path / "model.safetensors").is_file()}


class EmbeddedBackend:
    """Serves one small Llama from a directory in Hugging Face's layout, by default the demo's.

    `rewards` are directories of reward models in the same layout, by their roles. Loading takes
    well under a second and happens here, at construction. Grammars (response_format,
    structured_outputs, and the schemas of a tool call that is forced) are kept to; the model itself
    knows nothing of tools, so a call that is not forced is never made.
    """

    def __init__(
        self,
        directory: Path | None = None,
        name: str = "embedded",
        model_name: str = "its-demo",
        rewards: Mapping[str, Path] | None = None,
    ) -> None:
        # Not at the top: whoever imports this package without using it need not load NumPy.
        from gateway.backends.embedded.inquiries import Reader
        from gateway.backends.embedded.runtime import Runtime

        self.name = name
        self._model = model_name
        self._runtime = Runtime(directory or MODEL)
        found = shipped() if rewards is None else rewards
        self.roles = {role: REWARDS[role] for role in found}
        self._readers = {REWARDS[role]: Reader.load(path) for role, path in found.items()}
        self._readers[model_name] = Reader(self._runtime.model, self._runtime.chat)
        # One thread, beside the engine's: a text is read at once, and what waits can be dropped.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="embedded-read")

    @property
    def engine(self) -> Engine:
        return self._runtime.engine

    def capabilities(self, model: str) -> Capabilities:
        return WRITES if model == self._model else JUDGES

    async def models(self) -> list[str]:
        return [self._model, *(name for name in self._readers if name != self._model)]

    async def call(self, request: Call) -> AsyncGenerator[Event]:
        """Candidates or numbers; `UpstreamRejected` for fields or messages it cannot serve."""
        if not isinstance(request, Sample):
            rows, usage = await self._told(request)
            yield rows
            yield Spent(usage)
            return
        async with aclosing(self._grown(request)) as events:
            async for event in events:
                yield event

    async def _grown(self, request: Sample) -> AsyncGenerator[Event]:
        from gateway.backends.embedded.shapes import candidate, growth, opening
        from gateway.backends.embedded.toolcalls import told as told_whole

        drafts = await self._drafts(request)
        names, told = self._runtime.chat.names, [0] * len(drafts)
        if request.stream:
            for index in range(len(drafts)):
                yield opening(index)
        async with aclosing(self._runtime.grow(drafts)) as growing:
            async for grown in growing:
                draft, index = grown.draft, grown.draft.index
                if request.stream and draft.tool is None:
                    yield growth(grown, names, told[index])
                    told[index] = grown.tokens
                if grown.finish is not None:
                    done = candidate(draft, names, self._model)
                    if request.stream and draft.tool is not None:
                        yield told_whole(index, done)
                    yield Finished(index, done)
        yield Spent(Usage(len(drafts[0].prompt), sum(len(draft.tokens) for draft in drafts)))

    async def _told(self, request: Probabilities | Likelihood | Pool | Embed) -> Told:
        self._check(request.model)
        if isinstance(request, Pool) is (request.model in ("", self._model)):
            raise Unsupported(f"{request.model} cannot answer a {type(request).__name__}")
        reader = self._readers[request.model or self._model]
        ask: dict[type, Callable[[Any], Told]] = {
            Probabilities: reader.probabilities,
            Likelihood: reader.likelihood,
            Pool: reader.reward,
            Embed: reader.embed,
        }
        try:
            waiting = self._reading.submit(ask[type(request)], request)
        except RuntimeError:  # the pool of threads has been shut down
            raise UpstreamUnavailable("the embedded model is closed") from None
        return await asyncio.wrap_future(waiting)

    @asynccontextmanager
    async def relay(self, request: Passthrough) -> AsyncIterator[Relayed]:
        """Text completions; no other endpoint."""
        from gateway.backends.embedded.completions import complete

        self._check(request.model)
        path = request.path.rstrip("/")
        if not path.endswith("/completions") or request.model in self.roles.values():
            kind = path.rsplit("/", 1)[-1]
            raise missing(f"{request.model or self._model} has no {kind}", code=None)
        async with complete(self._runtime, request.body, self._model) as relayed:
            yield relayed

    async def close(self) -> None:
        """End the engine; calls under way fail with `UpstreamUnavailable`."""
        await asyncio.to_thread(self._runtime.engine.close)
        await asyncio.to_thread(self._reading.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._runtime.guides.close)

    def _check(self, model: str) -> None:
        if model and model not in self._readers:
            raise missing(f"the model {model!r} does not exist here", code="model_not_found")

    async def _drafts(self, request: Sample) -> list[Draft]:
        from gateway.backends.embedded.params import ChatParams, parse, rejected
        from gateway.backends.embedded.prompts import of_sample

        self._check(request.model)
        if request.model not in ("", self._model):
            raise Unsupported(
                f"{request.model} is a reward model, and writes nothing", param="model"
            )
        if request.n < 1:
            raise rejected("n: must be at least 1", param="n")
        params = parse(ChatParams, request.fields)
        prompt = of_sample(self._runtime.chat, request, params)
        return self._runtime.drafts(
            prompt,
            params,
            n=request.n,
            alternatives=params.top_logprobs if params.logprobs else None,
            stream=request.stream,
            param="messages",
            plan=await self._runtime.guides.plan(request.fields, prompt, params),
        )


def missing(message: str, *, code: str | None) -> UpstreamRejected:
    """A 404 in OpenAI's shape."""
    error: Json = {"message": message, "type": "invalid_request_error", "code": code, "param": None}
    return UpstreamRejected(404, {"error": error})
