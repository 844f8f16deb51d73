"""A problem as the evaluation knows it, and the JSONL record that describes one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Problem(BaseModel):
    """One line of a problem file: `question` or `messages`, and the `answer`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field("", description="Unique in a run; its place in the file where unset.")
    question: str | None = Field(None, description="The user's only message.")
    messages: list[dict[str, Any]] | None = Field(
        None, min_length=1, description="The conversation, instead of a question."
    )
    answer: str = Field(min_length=1, description="The right answer, to compare with.")
    language: str | None = Field(None, description="For the breakdown by language.")
    steps: int | None = Field(None, ge=0, description="For the breakdown by difficulty.")
    tests: str | None = Field(None, description="Sent as `its.tests` with --send-tests.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Kept, not looked at.")

    @model_validator(mode="after")
    def _one_prompt(self) -> Problem:
        if (self.question is None) == (self.messages is None):
            raise ValueError("a problem has either `question` or `messages`")
        return self

    def prompt(self, instruction: str | None = None) -> list[dict[str, Any]]:
        """The messages to send; `instruction` is a paragraph added to a question."""
        if self.messages is not None:
            return self.messages
        text = self.question or ""
        return [{"role": "user", "content": f"{text}\n\n{instruction}" if instruction else text}]


def digest(problems: Sequence[Problem]) -> str:
    """What tells one set of problems from another."""
    lines = "\n".join(problem.model_dump_json() for problem in problems)
    return hashlib.sha256(lines.encode()).hexdigest()[:32]
