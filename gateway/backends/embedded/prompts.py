"""The prompt of each request, as token ids."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.backends.conversation import begun
from gateway.backends.embedded.chat import Chat
from gateway.backends.embedded.params import ChatParams, rejected
from gateway.inquiries import Likelihood, Pool, Probabilities
from gateway.types import Message, Sample


def of_sample(chat: Chat, request: Sample, params: ChatParams) -> list[int]:
    """What is continued by a candidate."""
    if isinstance(request.prefix, tuple) and request.prefix:
        known = list(request.prompt_token_ids)
        opened = known or chat.prompt(request.messages, generate=True, proceed=False)
        return [*opened, *request.prefix]
    prefix = request.prefix or ""
    assert isinstance(prefix, str)
    proceed = params.continue_final_message or bool(prefix)
    generate = params.add_generation_prompt
    return chat.prompt(
        begun(request.messages, prefix, joined=params.continue_final_message),
        generate=not proceed if generate is None or prefix else generate,
        proceed=proceed,
    )


def of_answer(chat: Chat, messages: Sequence[Message], text: str) -> list[int]:
    """A conversation and the beginning of its answer, which may be empty."""
    return chat.prompt(begun(messages, text, joined=False), generate=not text, proceed=bool(text))


def of_choices(chat: Chat, request: Probabilities) -> list[int]:
    """The token of each choice; 400 for one that is not one token."""
    tokens = [chat.encode(choice) for choice in request.choices]
    for choice, ids in zip(request.choices, tokens, strict=True):
        if len(ids) != 1:
            message = f"choices: {choice!r} is {len(ids)} tokens of this model, and must be one"
            raise rejected(message, param="choices")
    return [token for (token,) in tokens]


def of_likelihood(chat: Chat, request: Likelihood) -> tuple[list[int], list[int]]:
    """The prompt, and the tokens to be judged behind it."""
    if request.prompt_token_ids and request.token_ids:
        return list(request.prompt_token_ids), list(request.token_ids)
    prompt = of_answer(chat, request.messages, "")
    whole = of_answer(chat, request.messages, request.text)
    return whole[: shared(prompt, whole)], whole[shared(prompt, whole) :]


def of_pool(chat: Chat, request: Pool) -> tuple[list[int], list[int]]:
    """The whole conversation as the template ends it, and the place of the token at each end."""
    *before, last = request.messages
    content = last.get("content")
    if request.ends and not isinstance(content, str):
        raise rejected("messages: the last must be text, to have ends", param="messages")
    cut = [[*before, {**last, "content": str(content)[:end]}] for end in request.ends]
    places = [len(chat.prompt(each, generate=False, proceed=True)) - 1 for each in cut]
    return chat.prompt(request.messages, generate=False, proceed=False), places


def shared(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = zip(left, right, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
