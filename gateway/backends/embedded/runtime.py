"""A loaded model: prompts in, growing drafts out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from gateway.backends.embedded.chat import Chat
from gateway.backends.embedded.draft import Draft, Grown
from gateway.backends.embedded.engine import Engine
from gateway.backends.embedded.guides import Guides, Plan
from gateway.backends.embedded.model import Llama
from gateway.backends.embedded.params import Params, rejected
from gateway.backends.embedded.sampler import generator
from gateway.backends.embedded.text import Text
from gateway.errors import UpstreamUnavailable


class Runtime:
    """The weights, tokenizer and engine of a directory in HF's layout."""

    def __init__(self, directory: Path) -> None:
        # With two BLAS threads each of this model's small products ends in a wait for the other
        # core, which on a busy machine costs several times the work itself.
        threadpool_limits(1, user_api="blas")
        self.model = Llama(directory)
        self.chat = Chat(directory, self.model.config.vocab)
        self.engine = Engine(self.model)
        settings = json.loads((directory / "generation_config.json").read_text(encoding="utf-8"))
        ends = settings["eos_token_id"]
        self.ends: frozenset[int] = frozenset(ends if isinstance(ends, list) else [ends])
        self.guides = Guides(directory, self.model.config.vocab, self.ends)

    def drafts(
        self,
        prompt: Sequence[int],
        params: Params,
        *,
        n: int,
        alternatives: int | None,
        stream: bool,
        param: str,
        plan: Plan | None = None,
    ) -> list[Draft]:
        """`n` drafts of one prompt, not yet submitted; `param` names the prompt in a 400."""
        room = self._room(prompt, params, param)
        wanted = 0 if params.logprob_token_ids and alternatives is None else alternatives
        ends = frozenset(params.stop_token_ids) | (frozenset() if params.ignore_eos else self.ends)
        loop, inbox = asyncio.get_running_loop(), asyncio.Queue[Grown | UpstreamUnavailable]()
        ids, seed = np.array(prompt, np.int64), params.seed
        randoms = [generator(None if seed is None else seed + index) for index in range(n)]
        return [
            Draft(
                params=params,
                prompt=ids,
                ends=ends,
                alternatives=wanted,
                random=random,
                index=index,
                text=Text(
                    self.chat.pieces,
                    params.stops,
                    include_stop=params.include_stop_str_in_output,
                ),
                limit=min(params.limit or room, room),
                loop=loop,
                inbox=inbox,
                stream=stream,
                guide=None if plan is None else plan.guide(random),
                tool=None if plan is None else plan.tool,
            )
            for index, random in enumerate(randoms)
        ]

    async def grow(self, drafts: Sequence[Draft]) -> AsyncGenerator[Grown]:
        """Run drafts that share an inbox to their ends; leaving early aborts what is left."""
        try:
            self.engine.submit(drafts)
            unfinished = len(drafts)
            while unfinished:
                item = await drafts[0].inbox.get()
                if isinstance(item, UpstreamUnavailable):
                    raise item
                unfinished -= item.finish is not None
                yield item
        finally:
            self.engine.abort(drafts)

    def _room(self, prompt: Sequence[int], params: Params, param: str) -> int:
        """How many tokens the context has left; 400 where it cannot serve this at all."""
        config = self.model.config
        for name, token in params.named_ids:
            if token >= config.vocab:
                raise rejected(f"{name}: token {token} is not in the vocabulary", param=name)
        if not prompt:
            raise rejected("the prompt is empty", param=param)
        if len(prompt) >= config.context:
            raise rejected(
                f"the prompt has {len(prompt)} tokens, and this model's context holds "
                f"{config.context}, answer included",
                param=param,
                code="context_length_exceeded",
            )
        return config.context - len(prompt)
