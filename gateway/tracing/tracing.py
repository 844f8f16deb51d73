"""Tracing as the host has it: where spans go, and `run` within them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from importlib.metadata import version

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.errors import GatewayError
from gateway.policy import Policy
from gateway.reading import Sink
from gateway.run import Answer, Run, run
from gateway.session import Means
from gateway.trace import Trace
from gateway.tracing import attributes
from gateway.tracing.layers import Evaluated, Traced
from gateway.tracing.spans import Spans
from gateway.types import Request

LIBRARY = "its_gateway"
PROPAGATOR = TraceContextTextMapPropagator()
FLUSH_MILLISECONDS = 3000
"""How long a shutdown waits for a collector that does not take the last spans."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Spans to `provider`; `upstream` is their `gen_ai.provider.name`.

    Prompts and answers are in them only with `content`.
    """

    provider: TracerProvider
    upstream: str = "vllm"
    content: bool = False

    @classmethod
    def exporting(cls, upstream: str, *, content: bool) -> Tracing:
        """Spans over OTLP/HTTP; the SDK takes where to and how from the `OTEL_*` variables."""
        named = Resource.create({"service.version": version("its-gateway")})
        if str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: "its-gateway"}))
        provider = TracerProvider(resource=named, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, upstream, content)

    def server(self) -> TelemetryConfig:
        """FastAPI's own server spans, for the API and nothing else, under the client's parent."""
        return {
            "tracer_provider": self.provider,
            "tracing": True,
            "operation_spans": False,
            "exclude": lambda scope: not str(scope.get("path", "")).startswith("/v1/"),
        }

    def propagated(self) -> dict[str, str]:
        """The headers that make an upstream's spans children of the current one.

        W3C's `traceparent` and `tracestate` alone: a client's baggage is not for the upstream.
        """
        headers: dict[str, str] = {}
        PROPAGATOR.inject(headers)
        return headers

    def runner(self, request_id: str) -> Run:
        """`run`, noted on the request's span and on one a candidate."""

        async def traced(
            request: Request, policy: Policy, means: Means, counts: Trace, sink: Sink | None = None
        ) -> Answer:
            spans = self._spans()
            spans.parent.set_attributes(
                attributes.of_request(request, policy.strategy.name, request_id, self.upstream)
            )
            lent = replace(
                means,
                backend=Traced(means.backend, spans),
                verifiers=Evaluated(means.verifiers, spans),
            )
            try:
                answer = await run(request, policy, lent, counts, sink)
                spans.parent.set_attributes(attributes.of_answer(answer, request.choices))
                _outcome(spans.parent, "ok")
                return answer
            except GatewayError as error:
                _outcome(spans.parent, error.label)
                raise
            except asyncio.CancelledError:
                _outcome(spans.parent, "client_gone")
                raise
            finally:
                spans.close()

        return traced

    def _spans(self) -> Spans:
        tracer = self.provider.get_tracer(LIBRARY, version("its-gateway"))
        return Spans(tracer, trace.get_current_span(), self.upstream, content=self.content)

    def close(self) -> None:
        """Hand in what is left; blocks for a few seconds where nobody takes it."""
        self.provider.force_flush(FLUSH_MILLISECONDS)
        self.provider.shutdown()


def _outcome(span: Span, outcome: str) -> None:
    span.set_attribute("its.outcome", outcome)
