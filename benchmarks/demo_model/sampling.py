"""Sample a model's answers in torch, many rows at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.demo_model.model import LanguageModel

LONGEST_ANSWER = 192  # tokens


def draw(
    states: Tensor, model: LanguageModel, generator: torch.Generator, temperature: float
) -> Tensor:
    """Return one token (rows,) drawn from states (rows, hidden), the likeliest at temperature 0."""
    logits = model.logits(states)
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def sample(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    each: int,
    end: int,
    generator: torch.Generator,
    temperature: float,
) -> list[list[int]]:
    """Return `each` sampled token lists per prompt, in order, without their end token."""
    lengths = torch.tensor([len(p) for p in prompts]).repeat_interleave(each)
    longest, rows = int(lengths.max()), len(lengths)
    ids = torch.tensor([p + [0] * (longest - len(p)) for p in prompts]).repeat_interleave(
        each, dim=0
    )
    cache = model.empty_cache(rows, longest + LONGEST_ANSWER)
    states = model.hidden(
        ids, mask=torch.ones(longest, longest, dtype=torch.bool).tril(), cache=cache
    )
    chosen = draw(states[torch.arange(rows), lengths - 1], model, generator, temperature)
    seen = (
        torch.arange(longest)[None] < lengths[:, None]
    )  # the padding after a short prompt stays hidden
    drawn, done = [chosen], chosen == end
    while len(drawn) < LONGEST_ANSWER and not bool(done.all()):
        seen = torch.cat((seen, torch.ones(rows, 1, dtype=torch.bool)), dim=1)
        positions = (lengths + len(drawn) - 1)[:, None]
        states = model.hidden(chosen[:, None], positions, seen[:, None, None], cache)
        chosen = draw(states[:, -1], model, generator, temperature)
        drawn.append(chosen)
        done |= chosen == end
    table = torch.stack(drawn, dim=1).tolist()
    return [row[: row.index(end)] if end in row else row for row in table]
