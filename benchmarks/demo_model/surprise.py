"""A lesson beside the judging ones: how surprised the model is by an answer so far.

The sum of a model's own surprise tells its right answers from its wrong ones better than it learns
to from their labels alone, and it is known at every token, so that a judge learns it first.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST = 10.0  # nats; beyond that an answer is as good as lost


class Surprise(nn.Module):  # type: ignore[misc]
    """A head of training alone that tells the surprise so far, as the root of its nats."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.root = nn.Linear(hidden, 1)

    def loss(self, states: Tensor, nats: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return the loss at the tokens of several answers, one answer after another.

        `states` are (tokens, hidden), `nats` (tokens,) each token's own surprise, and `lengths` how
        many tokens each answer has.
        """
        so_far = torch.cat([part.cumsum(0) for part in nats.detach().split(list(lengths))])
        return F.smooth_l1_loss(self.root(states)[:, 0], so_far.clamp(max=MOST).sqrt())
