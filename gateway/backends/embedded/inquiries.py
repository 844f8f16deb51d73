"""Numbers that a model tells without writing: probabilities, likelihoods, rewards, vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.backends.embedded import prompts
from gateway.backends.embedded.cache import Floats, Ints
from gateway.backends.embedded.chat import Chat
from gateway.backends.embedded.model import Llama
from gateway.backends.embedded.params import rejected
from gateway.backends.embedded.sampler import log_softmax
from gateway.backends.embedded.weights import SEQUENCE
from gateway.inquiries import Embed, Likelihood, Pool, Probabilities, Rows
from gateway.types import Usage

Told = tuple[Rows, Usage]


class Reader:
    """A model that is only read: a language model's weights, or a reward model's own directory."""

    def __init__(self, model: Llama, chat: Chat) -> None:
        self.model = model
        self.chat = chat

    @classmethod
    def load(cls, directory: Path) -> Reader:
        model = Llama(directory)
        return cls(model, Chat(directory, model.config.vocab))

    def probabilities(self, request: Probabilities) -> Told:
        """Of one token each."""
        tokens = prompts.of_choices(self.chat, request)
        ids = self._checked(prompts.of_answer(self.chat, request.messages, request.prefix))
        line = log_softmax(self.model.logits(self.model.read(ids)[-1:]))[0]
        return Rows((tuple(np.exp(line[tokens]).tolist()),)), Usage(len(ids))

    def likelihood(self, request: Likelihood) -> Told:
        """Of each token of an answer, in nats."""
        prompt, answer = prompts.of_likelihood(self.chat, request)
        if not prompt or not answer:
            raise rejected("there is no token to judge")
        ids = self._checked([*prompt, *answer])
        logits = self.model.logits(self.model.read(ids[:-1])[len(prompt) - 1 :])
        table = log_softmax(logits / np.float32(request.temperature))
        row = table[np.arange(len(answer)), answer]
        return Rows((tuple(row.tolist()),)), Usage(len(ids))

    def reward(self, request: Pool) -> Told:
        """Of a sequence, from its last token; of a process, from each."""
        prompt, places = prompts.of_pool(self.chat, request)
        ids = self._checked(prompt)
        hidden = self.model.read(ids)
        if self.model.config.architecture == SEQUENCE:
            hidden = hidden[-1:]
        elif places:
            hidden = hidden[places]
        table = probable(self.model.logits(hidden) + self.model.weights.bias)
        return Rows(tuple(map(tuple, table.tolist()))), Usage(len(ids))

    def embed(self, request: Embed) -> Told:
        """The last token's vector of each text, of length 1."""
        texts = [self._checked(self.chat.encode(text)) for text in request.texts]
        rows = [self.model.vectors(self.model.read(ids)[-1:])[0] for ids in texts]
        unit = [tuple((row / np.linalg.norm(row)).tolist()) for row in rows]
        return Rows(tuple(unit)), Usage(sum(map(len, texts)))

    def _checked(self, ids: Sequence[int]) -> Ints:
        config = self.model.config
        if not 0 < len(ids) <= config.context:
            message = f"{len(ids)} tokens, and this model's context holds 1 to {config.context}"
            raise rejected(message, code="context_length_exceeded")
        if max(ids) >= config.vocab:
            raise rejected("a token is not in the vocabulary")
        return np.array(ids, np.int64)


def probable(logits: Floats) -> Floats:
    """Logits [T, labels] -> probabilities: a single label's by itself, else of one among them."""
    if logits.shape[1] == 1:
        single: Floats = 1 / (1 + np.exp(-logits.clip(-80, 80)))
        return single
    classes: Floats = np.exp(log_softmax(logits))
    return classes
