"""One sequence as it grows: its tokens, its text, its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.backends.embedded.guide import Guide
from gateway.backends.embedded.sampler import Row, TokenLogprob
from gateway.backends.embedded.text import Text
from gateway.errors import UpstreamUnavailable


@dataclass(frozen=True, slots=True)
class Grown:
    """`draft` grew by `text`; it has `tokens` tokens now. `finish` says why it ended, if it did."""

    draft: Draft
    text: str
    logprobs: tuple[TokenLogprob, ...]
    tokens: int
    finish: str | None


Inbox = asyncio.Queue[Grown | UpstreamUnavailable]
Mail = tuple[Inbox, Grown | UpstreamUnavailable]


@dataclass(eq=False, slots=True, kw_only=True)
class Draft(Row):
    """A sequence under way. Only the engine's thread writes to it, until its last `Grown`.

    With `stream` each new text is reported to `inbox`, which belongs to `loop`; else the end only.
    `tool` is the tool that it has to call, "" for any.
    """

    index: int
    text: Text
    limit: int
    loop: asyncio.AbstractEventLoop
    inbox: Inbox
    stream: bool
    guide: Guide | None = None
    tool: str | None = None
    said: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    reported: int = 0
    finish: str | None = None
    aborted: bool = False

    def grow(self, token: int, logprob: TokenLogprob | None) -> None:
        """Take the next token, and see whether it is the last."""
        self.tokens.append(token)
        if logprob is not None:
            self.logprobs.append(logprob)
        stoppable = len(self.tokens) > self.params.min_tokens
        ended = token in self.ends
        fresh = "" if ended else self.text.push(token, stoppable=stoppable)
        if ended or self.text.stopped is not None:
            self.finish = "stop"
        elif len(self.tokens) >= self.limit:
            self.finish = "length"
        elif self.guide is not None:
            self.guide.take(token)
        self.said.append(fresh if self.finish is None else fresh + self.text.flush())

    def give_up(self) -> None:
        """End here, because the guide has rejected it."""
        self.finish = "stop"
        self.said.append(self.text.flush())

    def report(self) -> Grown | None:
        """What to tell the caller after this step."""
        text = self.said[-1]
        if self.finish is None and not (self.stream and text):
            return None
        fresh = tuple(self.logprobs[self.reported :])
        self.reported = len(self.logprobs)
        return Grown(self, text, fresh, len(self.tokens), self.finish)
