"""Whether a text ends in the right answer; compared here, never by the server."""

from __future__ import annotations

from gateway import answers


def answer_of(text: str) -> str | None:
    """The canonical form of the answer that `text` marks, or None."""
    found = answers.extract(text)
    return None if found is None else answers.canonical(found)


def is_right(answer: str | None, reference: str) -> bool:
    """Whether a canonical `answer` is that of the `reference`, which is an answer and no more."""
    return answer is not None and answer == answers.canonical(reference)
