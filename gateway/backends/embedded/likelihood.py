"""How likely the tokens of a prompt are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateway.backends.embedded.cache import Ints
from gateway.backends.embedded.model import Llama
from gateway.backends.embedded.sampler import log_softmax
from gateway.types import Json

Place = dict[int, tuple[float, int]]
"""At one place: tokens, with their logprobs (nats) and ranks (1 is the likeliest)."""


def prompt_logprobs(model: Llama, prompt: Ints, alternatives: int) -> list[Place]:
    """For each token of `prompt` but the first: itself, and the likeliest `alternatives`."""
    if len(prompt) < 2:
        return []
    table = log_softmax(model.logits(model.read(prompt[:-1])))
    places: list[Place] = []
    for token, line in zip(prompt[1:].tolist(), table, strict=True):
        top = np.argsort(-line, kind="stable")[:alternatives].tolist()
        rank = int((line > line[token]).sum()) + 1
        place = {token: (float(line[token]), rank)}
        place |= {other: (float(line[other]), at) for at, other in enumerate(top, start=1)}
        places.append(place)
    return places


def named(places: Sequence[Place], names: Sequence[bytes]) -> list[Json | None]:
    """vLLM's shape: nothing can be said of the first token."""
    return [
        None,
        *(
            {
                str(token): {
                    "logprob": logprob,
                    "rank": rank,
                    "decoded_token": names[token].decode(errors="replace"),
                }
                for token, (logprob, rank) in place.items()
            }
            for place in places
        ),
    ]
