"""A lesson beside the labels of the reward models: how surprised the base is by each token.

What the base thinks of an answer tells right from wrong better than a judge learns to from labels.
A judge has to compare each token with what was expected in its place, which labels hardly teach,
as they say little of where an answer went wrong. So it is taught in three steps, one a layer: what
the base expected in a token's place, how much the token surprised it, and the worst so far.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.demo_model.model import LanguageModel

MOST = 10.0  # nats; beyond that a token is as good as impossible
EXPECTED_LAYERS = 5  # after which what was expected in a token's place is read
COMPARED_LAYERS = 6  # after which a token's own surprise is read; the layer above looks back


class Lesson(nn.Module):  # type: ignore[misc]
    """Heads of training alone: the expected token, and roots of nats of each, of the worst."""

    def __init__(self, base: LanguageModel) -> None:
        super().__init__()
        self.expected = nn.Linear(base.shape.hidden, base.shape.hidden, bias=False)
        nn.init.eye_(self.expected.weight)  # towards the embedding, which is fixed
        self.own = nn.Linear(base.shape.hidden, 1)
        self.worst = nn.Linear(base.shape.hidden, 1)
        self._base = deepcopy(base).eval().requires_grad_(False)

    def heads(self) -> Iterator[nn.Parameter]:
        """Yield what is trained."""
        for head in (self.expected, self.own, self.worst):
            yield from head.parameters()

    def loss(self, each: Sequence[Tensor], ids: Tensor, answered: Tensor) -> Tensor:
        """Return the loss of telling what a batch's tokens are to the base.

        `each` are the states (rows, time, hidden) after each layer of `ids` (rows, time), and
        `answered` is True at the tokens to be judged, one answer a row.
        """
        chances, roots = self.teacher(ids, answered)
        worst = roots.cummax(1).values
        expected = self._base.logits(self.expected(each[EXPECTED_LAYERS - 1][answered]))
        own = self.own(each[COMPARED_LAYERS - 1][answered])[:, 0]
        so_far = self.worst(each[-1][answered])[:, 0]
        return (
            F.cross_entropy(expected, chances)
            + F.smooth_l1_loss(own, roots[answered])
            + F.smooth_l1_loss(so_far, worst[answered])
        )

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def teacher(self, ids: Tensor, answered: Tensor) -> tuple[Tensor, Tensor]:
        """Return the base's chances (answered, vocab) of each token, and roots (rows, time).

        The roots are of the surprise in nats, 0 outside of the answers.
        """
        row, at = answered.nonzero(as_tuple=True)
        logits = self._base.logits(self._base.hidden(ids)[row, at - 1])
        nats = F.cross_entropy(logits, ids[row, at], reduction="none")
        roots = torch.zeros(ids.shape)
        roots[row, at] = nats.clamp(max=MOST).sqrt()
        return logits.softmax(-1), roots
