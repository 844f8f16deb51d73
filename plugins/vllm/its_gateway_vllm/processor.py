"""The logits processor that vLLM loads: requests come, move and go, and each draws its tokens."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from vllm.tokenizers import cached_tokenizer_from_config
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from gateway.grammar.constraint import GrammarError
from gateway.grammar.engine import Grammar, Vocabulary
from gateway.grammar.store import Tries, key_of
from gateway.grammar.walk import Walk
from its_gateway_vllm.sequence import Sequence
from its_gateway_vllm.wishes import Wish, checked, wish_of

logger = logging.getLogger(__name__)

KEPT = 64
"""Compiled grammars."""


class GrammarProcessor(LogitsProcessor):
    """Replaces the logits of requests that bring `its_grammar` by the token it drew for them.

    It draws itself, because vLLM tells it late, or not at all, what was drawn; so temperature is
    applied here, and what else shapes sampling is refused. Other requests pass untouched.
    """

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        checked(sampling_params)

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._model_config = vllm_config.model_config
        self._revision = f"{self._model_config.model}@{self._model_config.revision}"
        self._vocabulary: Vocabulary | None = None
        self._compiled: OrderedDict[str, Grammar] = OrderedDict()
        self._tries = Tries()
        self._rows: dict[int, Sequence] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        if batch_update is None:
            return
        for row in batch_update.removed:
            self._close(row)
        for row, params, prompt, output in batch_update.added:
            self._close(row)
            if (wish := wish_of(params)) is not None:
                self._open(row, wish, prompt or [], output)
        for source, target, direction in batch_update.moved:
            moving, other = self._rows.pop(source, None), self._rows.pop(target, None)
            if moving is not None:
                self._rows[target] = moving
            if other is not None and direction == MoveDirectionality.SWAP:
                self._rows[source] = other
            elif other is not None:
                other.close()

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        for row, sequence in self._rows.items():
            token = sequence.choose(logits[row].float().cpu().numpy())
            logits[row] = float("-inf")
            logits[row, token] = 0.0
        return logits

    def _close(self, row: int) -> None:
        gone = self._rows.pop(row, None)
        if gone is not None:
            gone.close()

    def _open(self, row: int, wish: Wish, prompt: list[int], output: list[int]) -> None:
        try:
            grammar = self._grammar(wish)
        except GrammarError as error:  # it was checked before, but over single bytes
            logger.warning("grammar not used: %s", error.message)
            return
        key = key_of(
            self._revision,
            prompt,
            wish.constraint.key,
            {"temperature": wish.temperature},
            wish.session,
        )
        # A seeded answer repeats, whatever was learned before it.
        trie = self._tries.get(key) if wish.seed is None else self._tries.fresh()
        walk = Walk(trie, wish.method, np.random.default_rng(wish.seed))
        self._rows[row] = Sequence(
            grammar.start(), walk, output, grammar.vocabulary, wish.temperature
        )

    def _grammar(self, wish: Wish) -> Grammar:
        key = wish.constraint.key
        if key not in self._compiled:
            self._compiled[key] = Grammar(wish.constraint, self._vocabulary_of())
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _vocabulary_of(self) -> Vocabulary:
        if self._vocabulary is None:
            tokenizer: Any = cached_tokenizer_from_config(self._model_config)
            generation = self._model_config.try_get_generation_config() or {}
            ends = generation.get("eos_token_id") or tokenizer.eos_token_id
            self._vocabulary = Vocabulary.of_json(
                tokenizer.backend_tokenizer.to_str(),
                self._model_config.get_vocab_size(),
                ends if isinstance(ends, list) else [ends],
            )
        return self._vocabulary
