"""Train the trunk from nothing: a language model of the training conversations."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from benchmarks.demo_model.conversations import (
    ASSISTANT,
    EASY,
    END,
    GENERAL,
    conversations,
    render,
    token_id,
    train_tokenizer,
)
from benchmarks.demo_model.descent import Batch, Descent, Progress, rate, split_parameters
from benchmarks.demo_model.files import write_directory
from benchmarks.demo_model.model import LanguageModel, Shape, save

VOCABULARY = 2048
TOKENIZER_PROBLEMS = 20_000
BATCH_TOKENS = 4096
POOL = 2048  # conversations sorted by length at a time, so that a batch's rows are of like length
PROMPT_WEIGHT = 0.05  # the loss of a prompt's tokens against an answer's, whose weight is 1
STEPS = 3000
EASY_POOLS = 8  # of the first pools, which hold short conversations only
CHECKPOINT_STEPS = 200


def weigh(ids: list[int], assistant: int, end: int) -> list[float]:
    """Return each token's weight in the loss: 1 in an answer and its end, little elsewhere."""
    weights, answering = [], False
    for token in ids:
        weights.append(1.0 if answering else PROMPT_WEIGHT)
        answering = token == assistant or (answering and token != end)
    return weights


def pad(rows: list[list[int]], tokenizer: Tokenizer) -> Batch:
    """Return ids and loss weights, both (rows, longest), padded on the right with weight 0."""
    assistant, end = token_id(tokenizer, ASSISTANT), token_id(tokenizer, END)
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    weights = torch.zeros(len(rows), longest)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        weights[index, : len(row)] = torch.tensor(weigh(row, assistant, end))
    return ids, weights


def grouped(lengths: list[int]) -> list[list[int]]:
    """Return the indices of rows in groups of like length, each at most a batch's tokens."""
    groups: list[list[int]] = [[]]
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups[-1] and (len(groups[-1]) + 1) * lengths[index] > BATCH_TOKENS:
            groups.append([])
        groups[-1].append(index)
    return groups


def batches(tokenizer: Tokenizer, seed: int, easy_pools: int = EASY_POOLS) -> Iterator[Batch]:
    """Yield batches without end, each row one conversation from position 0, as at inference."""
    random = Random(seed)
    for pool in count():
        lessons = EASY if pool < easy_pools else GENERAL
        drawn = conversations(POOL, random.getrandbits(48), lessons)
        texts = [render(messages) for messages in drawn]
        rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        groups = grouped([len(row) for row in rows])
        random.shuffle(groups)
        for group in groups:
            yield pad([rows[index] for index in group], tokenizer)


def loss_of(model: LanguageModel, batch: Batch) -> Tensor:
    """Return the weighted mean cross-entropy of a batch's next tokens, in nats."""
    ids, weights = batch
    states = model.hidden(ids[:, :-1])
    counted = weights[:, 1:] > 0
    losses = F.cross_entropy(model.logits(states[counted]), ids[:, 1:][counted], reduction="none")
    chosen = weights[:, 1:][counted]
    return (losses * chosen).sum() / chosen.sum()


def train_trunk(out: Path, seed: int) -> None:
    """Train from nothing and write a model directory for every checkpoint, `out/step-N`."""
    tokenizer = train_tokenizer(seed, VOCABULARY, TOKENIZER_PROBLEMS)
    torch.manual_seed(seed)
    model = LanguageModel(Shape(vocab=VOCABULARY))
    descent = Descent(*split_parameters(model))
    source = batches(tokenizer, seed)
    progress = Progress("trunk", STEPS)
    for step in range(1, STEPS + 1):
        progress.note(step, descent.step(loss_of(model, next(source)), rate(step - 1, STEPS)))
        if step % CHECKPOINT_STEPS == 0:
            write(out / f"step-{step}", model, tokenizer)


def write(directory: Path, model: LanguageModel, tokenizer: Tokenizer) -> None:
    """Write a whole model directory."""
    write_directory(directory, model.shape, tokenizer)
    save(model, directory)
