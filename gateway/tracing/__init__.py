"""OpenTelemetry spans of requests and candidates; imported only where tracing is on.

It wraps what the host lends to a request (the backend, the verifiers, `run` itself), so that the
code of an untraced request has no trace of it. The conventions are OpenTelemetry's for generative
AI, still in development: https://github.com/open-telemetry/semantic-conventions-genai.
"""

from gateway.tracing.tracing import Tracing

__all__ = ["Tracing"]
