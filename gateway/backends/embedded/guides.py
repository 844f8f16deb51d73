"""Grammars of requests, compiled once, and the tries that their answers teach."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from gateway.backends.embedded.guide import Guide
from gateway.backends.embedded.params import Params, parse, rejected
from gateway.errors import UpstreamUnavailable
from gateway.grammar import Constraint, GrammarError, checking, constraint_of, tools_constraint
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.grammar.store import Tries, key_of
from gateway.grammar.trie import Trie
from gateway.grammar.walk import Method, Walk
from gateway.workers import Workers

KEPT = 64
"""Compiled grammars."""
INVALID = "invalid_grammar"


class Aligned(BaseModel):
    """The gateway's own field `its_aligned`: how to sample given the grammar, and whose tries."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    method: Method = "cars"
    session: str = ""


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    its_aligned: Aligned | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a call's drafts are guided; `tool` is the tool that each must call, "" any, None none."""

    grammar: Grammar
    method: Method
    trie: Trie | None
    tries: Tries
    tool: str | None

    def guide(self, random: np.random.Generator) -> Guide:
        """A draft's own."""
        state = self.grammar.start()
        if self.method == "mask":
            return Guide(state)
        return Guide(state, Walk(self.trie or self.tries.fresh(), self.method, random))


class Guides:
    """One model's grammars. Each is judged in a worker process before it is compiled here."""

    def __init__(self, directory: Path, size: int, ends: frozenset[int]) -> None:
        self._directory, self._size, self._ends = directory, size, ends
        self._compiled: OrderedDict[str, Grammar] = OrderedDict()
        self._workers = Workers(1, preload=("gateway.grammar.checking:warm_up",))
        self.tries = Tries()

    async def plan(
        self, fields: Mapping[str, Any], prompt: Sequence[int], params: Params
    ) -> Plan | None:
        """How `fields` guide an answer to `prompt`; a 400 where their grammar cannot be used."""
        try:
            forced = tools_constraint(fields)
            constraint = forced or constraint_of(fields)
            if constraint is None:
                return None
            grammar = await self._grammar(constraint)
        except GrammarError as error:
            raise rejected(error.message, param=error.param, code=INVALID) from None
        aligned = parse(_Fields, fields).its_aligned
        method: Method = aligned.method if aligned else "mask"
        trie = None
        if aligned and params.seed is None:  # a seeded draft repeats, whatever was learned before
            trie = self.tries.get(self._key(constraint, prompt, params, aligned.session))
        return Plan(grammar, method, trie, self.tries, _tool(fields) if forced else None)

    async def _grammar(self, constraint: Constraint) -> Grammar:
        key = constraint.key
        if key not in self._compiled:
            try:
                wrong = await self._workers.run(
                    checking.problem, constraint, seconds=checking.SECONDS
                )
            except TimeoutError:
                wrong = f"{constraint.param}: {checking.TOO_LONG}"
            except RuntimeError:  # the workers have been closed
                raise UpstreamUnavailable("the embedded model is closed") from None
            if wrong:
                raise GrammarError(wrong, constraint.param)
            grammar = await asyncio.to_thread(Grammar, constraint, self._vocabulary)
            self._compiled[key] = grammar
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _key(
        self, constraint: Constraint, prompt: Sequence[int], params: Params, session: str
    ) -> str:
        shaping = params.model_dump(exclude={"seed", "max_tokens", "max_completion_tokens"})
        sampling = {name: str(value) for name, value in shaping.items()}
        return key_of(self._revision, prompt, constraint.key, sampling, session)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        text = (self._directory / "tokenizer.json").read_text(encoding="utf-8")
        return Vocabulary.of_json(text, self._size, self._ends)

    @cached_property
    def _revision(self) -> str:
        weights = (self._directory / "model.safetensors").read_bytes()
        return hashlib.blake2b(weights, digest_size=16).hexdigest()

    def close(self) -> None:
        self._workers.close()


def _tool(fields: Mapping[str, Any]) -> str:
    choice = fields["tool_choice"]
    return str(choice["function"]["name"]) if isinstance(choice, Mapping) else ""
