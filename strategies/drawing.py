"""Draws evidence: answers to the same question in another language, on the request's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway import (
    BudgetExhausted,
    Candidate,
    DeadlineExceeded,
    Message,
    ModelNotFound,
    Sampling,
    Session,
    UpstreamError,
    languages,
)
from strategies.evidence import Prompt, prompt_of, with_text, with_wish

ROLE = "translate"
SECONDS = 10.0
"""Time limit of detection."""
MOST_TRANSLATED = 4096
"""Most tokens of a translation."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Answers in `language`, as the prompt of that name asked for them; `so_many` of them are."""

    answers: Sequence[Candidate] = ()
    language: str = ""
    prompt: str = ""
    so_many: int = 0

    def told(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "prompt": self.prompt,
            "answers": len(self.answers),
            "in_language": self.so_many,
        }


async def draw(
    session: Session, n: int, language: str, sampling: Sampling, *, translated: bool
) -> Evidence:
    """Up to `n` answers in `language`; none, and `evidence` degraded, where none could be had.

    `prompt_language` is degraded where the language has no prompt, and English's stands in. The
    client's limit on tokens and its seed hold for evidence too.
    """
    prompt = prompt_of(language)
    if prompt.language != language:
        session.degrade("prompt_language")
    try:
        messages = await _messages(session, prompt, translated=translated)
        found = await session.sample(n, messages=messages, **_limited(session, sampling))
    except (UpstreamError, ModelNotFound, BudgetExhausted, DeadlineExceeded):
        session.degrade("evidence")
        return Evidence()
    return Evidence(found, prompt.language, prompt.name, await _in(session, found, prompt.language))


async def _messages(session: Session, prompt: Prompt, *, translated: bool) -> list[Message]:
    """The conversation, asking for an answer in the prompt's language."""
    messages = session.request.messages
    if not translated:
        return with_wish(messages, prompt.answer)
    text = f"{prompt.translate}\n\n{languages.asked(messages)}"
    [said] = await session.sample(
        1,
        messages=[{"role": "user", "content": text}],
        model=session.assigned(ROLE),
        temperature=0.0,
        max_tokens=MOST_TRANSLATED,
    )
    return with_text(messages, said.text)


def _limited(session: Session, sampling: Sampling) -> Sampling:
    fields = session.request.fields
    limit, seed = (
        fields.get("max_completion_tokens") or fields.get("max_tokens"),
        fields.get("seed"),
    )
    limited: Sampling = {**sampling}
    if isinstance(limit, int):
        limited["max_tokens"] = limit
    if isinstance(seed, int):
        limited["seed"] = seed
    return limited


async def _in(session: Session, found: Sequence[Candidate], language: str) -> int:
    """How many of `found` are surely in `language`: a model may not do as it is told."""
    texts = [candidate.text[: languages.MAX_TEXT] for candidate in found]
    try:
        verdicts = await session.compute(languages.are_in, texts, "", language, seconds=SECONDS)
    except TimeoutError:
        return 0
    return sum(verdict is True for verdict in verdicts)
