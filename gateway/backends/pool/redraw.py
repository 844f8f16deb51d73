"""A call for several candidates that goes on elsewhere after its upstream was lost (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

from gateway.errors import UpstreamError
from gateway.types import NO_USAGE, Delta, Event, Finished, Restarted, Sample, Spent, Usage

R = TypeVar("R")


class Progress(Generic[R]):
    """What has come of `request` over its attempts; `request` is what is left to ask for.

    Of a `Sample`, candidates that had ended are kept and counted, and the others begun anew. Any
    other request is asked again only while nothing has come.
    """

    def __init__(self, request: R):
        self.request: R = request
        self._of_attempt = list(range(request.n)) if isinstance(request, Sample) else []
        self._grown: dict[int, Delta] = {}
        self._ended: dict[int, Usage] = {}
        self._banked = NO_USAGE
        self._moved = False
        self._opaque = False
        self.begun = False

    def take(self, event: Event) -> Event:
        """`event` under the indices of the first attempt; `Spent` with all that was kept."""
        self.begun = True
        if isinstance(event, Delta):
            self._grown[event.index] = event
            return self._delta(event) if self._moved else event
        match event:
            case Finished():
                grown = self._grown.get(event.index)
                own = event.candidate.usage
                if own is None and grown is not None:
                    own = Usage(grown.prompt_tokens, grown.tokens)
                self._ended[event.index] = own or NO_USAGE
                return replace(event, index=self._of_attempt[event.index]) if self._moved else event
            case Spent():
                return Spent(self._banked + event.usage) if self._moved else event
            case _:
                self._opaque = True
                return event

    def _delta(self, event: Delta) -> Delta:
        index = self._of_attempt[event.index]
        return replace(event, index=index, choice={**event.choice, "index": index})

    @property
    def can_go_on(self) -> bool:
        return isinstance(self.request, Sample) and not self._opaque if self.begun else True

    @property
    def lost_tokens(self) -> int:
        """Completion tokens of this attempt's candidates that had not ended."""
        return sum(d.tokens for index, d in self._grown.items() if index not in self._ended)

    def lose(self, error: UpstreamError) -> list[Event]:
        """This attempt ended with `error`: what the reader has to know, and what is next.

        With a last `Spent`, there is no next attempt: all candidates had ended.
        """
        if not isinstance(self.request, Sample) or not self.begun:
            return []
        lost = [self._of_attempt[index] for index in self._grown if index not in self._ended]
        left = [place for at, place in enumerate(self._of_attempt) if at not in self._ended]
        self._banked += self._spent()
        self._of_attempt, self._moved = left, True
        self._grown, self._ended, self.begun = {}, {}, False
        if not left:
            return [Spent(self._banked)]
        self.request = replace(self.request, n=len(left))
        return [Restarted(tuple(sorted(lost)), error)] if lost else []

    def _spent(self) -> Usage:
        """What the ended candidates cost; the prompt, which they share, once."""
        return Usage(
            prompt_tokens=max((used.prompt_tokens for used in self._ended.values()), default=0),
            completion_tokens=sum(used.completion_tokens for used in self._ended.values()),
            reasoning_tokens=sum(used.reasoning_tokens for used in self._ended.values()),
        )
