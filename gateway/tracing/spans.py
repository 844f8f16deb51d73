"""The spans of one request's candidates, and the verifiers' events on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from gateway.errors import GatewayError
from gateway.tracing import attributes
from gateway.types import Candidate, Sample, Score

EVALUATION = "gen_ai.evaluation.result"


@dataclass(slots=True)
class Drawn:
    """One candidate's span; `ended` is when the candidate did, in nanoseconds since the epoch."""

    span: Span
    begun: int = field(default_factory=time.time_ns)
    growing: bool = False
    ended: int | None = None


class Spans:
    """One span a candidate, below `parent`.

    They are handed in at `close`, with the time at which each candidate ended, because a verifier's
    event belongs to the span of the candidate that it judged.
    """

    def __init__(self, tracer: Tracer, parent: Span, upstream: str, *, content: bool):
        self.parent = parent
        self._tracer = tracer
        self._context = set_span_in_context(parent)
        self._upstream = upstream
        self._content = content
        self._drawn: list[Drawn] = []
        self._by_id: dict[str, Span] = {}

    def begin(self, call: Sample) -> list[Drawn]:
        """Spans for the candidates of `call`, in its order."""
        told = attributes.of_call(call, self._upstream)
        name = f"chat {told['gen_ai.request.model']}"
        drawn = []
        for index in range(call.n):
            span = self._tracer.start_span(
                name, context=self._context, kind=SpanKind.CLIENT, attributes=told
            )
            if self._content and index == 0:  # once a call: its candidates share the prompt
                span.set_attributes(attributes.inputs(call.messages))
            drawn.append(Drawn(span))
        self._drawn += drawn
        return drawn

    def grew(self, drawn: Drawn) -> None:
        """Note the first chunk of a stream."""
        if not drawn.growing:
            drawn.growing = True
            seconds = (time.time_ns() - drawn.begun) / 1e9
            drawn.span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)

    def finished(self, drawn: Drawn, candidate: Candidate) -> None:
        """Note what the candidate has come to."""
        drawn.ended = time.time_ns()
        drawn.span.set_attributes(attributes.of_candidate(candidate))
        if self._content:
            drawn.span.set_attributes(attributes.outputs(candidate))
        self._by_id[candidate.id] = drawn.span

    def left(self, drawn: Sequence[Drawn], error: GatewayError | None) -> None:
        """Note that a call is over: what has not finished failed with `error`, or was aborted."""
        for each in drawn:
            if each.ended is not None:
                continue
            each.ended = time.time_ns()
            if error is None:
                each.span.set_attribute("its.aborted", True)
            else:
                each.span.set_attribute("error.type", error.label)
                each.span.set_status(Status(StatusCode.ERROR))

    def evaluated(self, verifier: str, candidate: Candidate, score: Score) -> None:
        """An event on the candidate's span, or on the request's where it has none.

        It has none where a strategy wrote it, or where the deadline cut it.
        """
        told = attributes.of_evaluation(verifier, candidate, score, content=self._content)
        self._by_id.get(candidate.id, self.parent).add_event(EVALUATION, told)

    def close(self) -> None:
        """Hand in all spans; none can be added to afterwards."""
        for each in self._drawn:
            each.span.end(each.ended)
        self._drawn.clear()
