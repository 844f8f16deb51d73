"""Lessons in checking: gold answers with one token replaced by the model's own second choice.

A model that predicts a token in its last layer has no layer left to compare the prediction with
the token that came. So the trunk learns to check while it learns to write: the stream is read for
the next token early, which leaves the layers above it to compare, and every token of a spoiled
answer says whether a wrong one came before it.
"""

from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.demo_model.conversations import NO, SPECIALS, YES, token_id
from benchmarks.demo_model.descent import Batch
from benchmarks.demo_model.model import LanguageModel
from benchmarks.demo_model.turn import question

TOKENS = 1400  # of a batch of the trunk, told over as checks
SPOILED_SHARE = 0.5
CUT_SHARE = 0.5  # of the answers, cut at random so that the model can judge while it writes
LEAST_DOUBT = 0.02  # added to a token's own doubt, so that no place is safe


@dataclass(frozen=True, slots=True)
class Check:
    """A conversation's first tokens; those of answers from place `spoiled` on are no longer good.

    `answers` are the places of the answers' tokens; without a wrong one, `spoiled` is past the end.
    """

    ids: list[int]
    answers: list[int]
    spoiled: int


class Checker(nn.Module):  # type: ignore[misc]
    """A head of training alone that says at each token whether the answer is still good."""

    def __init__(self, hidden: int, tokenizer: Tokenizer, seed: int) -> None:
        super().__init__()
        self.good = nn.Linear(hidden, 1)
        self._turn = question(tokenizer)
        self._words = [token_id(tokenizer, YES), token_id(tokenizer, NO)]
        self._never = [token_id(tokenizer, special) for special in SPECIALS]
        self._random = Random(seed)

    def loss(self, model: LanguageModel, batch: Batch, written: Tensor) -> Tensor:
        """Return the loss of judging a part of a batch, token by token and in a word, in nats.

        `written` are the batch's own states, (rows, time - 1, hidden), without gradients.
        """
        checks = self.checks(model, batch, written)
        rows = [[*check.ids, *self._turn] for check in checks]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        states = model.hidden(ids)
        last = torch.tensor([len(row) - 1 for row in rows])
        fine = torch.tensor([int(check.spoiled >= len(check.ids)) for check in checks])
        words = model.logits(states[torch.arange(len(rows)), last])
        said = F.cross_entropy(words, torch.tensor(self._words)[fine])
        places = [(row, at) for row, check in enumerate(checks) for at in check.answers]
        row, at = torch.tensor(places).T
        good = torch.tensor([float(at < checks[row].spoiled) for row, at in places])
        judged = self.good(states[row, at])[:, 0]
        return said + F.binary_cross_entropy_with_logits(judged, good)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def checks(self, model: LanguageModel, batch: Batch, written: Tensor) -> list[Check]:
        """Return checks made of some of a batch's rows, `SPOILED_SHARE` of them spoiled."""
        ids, weights = batch
        rows = self._random.sample(range(len(ids)), k=min(len(ids), 1 + TOKENS // ids.shape[1]))
        return [
            self._check(model, own.tolist(), (weight == 1).nonzero()[:, 0].tolist(), state)
            for own, weight, state in zip(ids[rows], weights[rows], written[rows], strict=True)
        ]

    def _check(
        self, model: LanguageModel, ids: list[int], answers: list[int], states: Tensor
    ) -> Check:
        cut = self._random.random() < CUT_SHARE
        kept = (self._random.choice(answers) if cut else answers[-1]) + 1
        spoiled = kept
        if self._random.random() < SPOILED_SHARE:
            chances = model.logits(states[torch.tensor(answers) - 1]).softmax(-1)
            own = torch.tensor([ids[at] for at in answers])
            doubts = 1 - chances.gather(1, own[:, None])[:, 0] + LEAST_DOUBT
            (index,) = self._random.choices(range(len(answers)), doubts.tolist())
            chances[index, [ids[answers[index]], *self._never]] = 0
            (ids[answers[index]],) = self._random.choices(
                range(chances.shape[1]), chances[index].tolist()
            )
            spoiled = answers[index]
        return Check(ids[:kept], [at for at in answers if at < kept], spoiled)
