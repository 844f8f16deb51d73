"""Gold answers with digits replaced at random: much to be surprised by, and no sampling needed."""

from collections.abc import Iterator
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks.demo_model.conversations import ASSISTANT, token_id
from benchmarks.demo_model.trunk import batches

WHOLE_SHARE = 0.25  # of the answers, left as they are
MOST_REPLACED = 0.3  # of an answer's digits; the share is drawn per answer


def spoiled(tokenizer: Tokenizer, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ids (rows, time) without end, and which of them are of a row's last answer.

    The answer's end counts as a token of it.
    """
    random = Random(seed)
    assistant = token_id(tokenizer, ASSISTANT)
    digits = [token_id(tokenizer, str(digit)) for digit in range(10)]
    for ids, weights in batches(tokenizer, seed, easy_pools=0):
        turns = (ids == assistant).cumsum(1)
        answered = (weights == 1) & (turns == turns[:, -1:])
        for row, places in zip(ids, answered, strict=True):
            if random.random() < WHOLE_SHARE:
                continue
            share = MOST_REPLACED * random.random()
            for at in (places & torch.isin(row, torch.tensor(digits))).nonzero()[:, 0].tolist():
                if random.random() < share:
                    row[at] = random.choice([d for d in digits if d != int(row[at])])
        yield from zip(ids.chunk(2), answered.chunk(2), strict=True)  # the rewards' smaller steps
