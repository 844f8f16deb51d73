"""One exception tree.

::

    GatewayError                 500 api_error
    ├── InvalidRequest           400 invalid_request_error   the client's fault; names the field
    │   ├── UnsatisfiableGrammar no answer was in the grammar that the body gives
    │   ├── PayloadTooLarge      413
    │   └── HeadersTooLarge      431
    ├── Unauthorized             401 authentication_error
    ├── ModelNotFound            404 invalid_request_error
    ├── BudgetExhausted          422 budget_exhausted        nothing could be sampled within it
    ├── Abstained                422 abstained               no answer is worth giving
    ├── DeadlineExceeded         504 timeout                 the deadline came before any text
    ├── StrategyFailed           500 api_error               a guest broke its contract
    ├── RateLimited              429 rate_limit_error        a quota of the key is used up
    ├── Draining                 503 service_unavailable     the gateway is shutting down
    ├── SandboxUnavailable       501 sandbox_unavailable     code cannot be run safely here
    ├── StateUnavailable         503 service_unavailable     the store that it needs is away
    └── UpstreamError            502 upstream_error
        ├── UpstreamRejected     the upstream's own 4xx status and body
        │   └── Unsupported      400 no backend of this model can do what was asked
        ├── UpstreamUnavailable  503 no connection, a time-out, or a 5xx
        └── Overloaded           429 rate_limit_error        every replica is at its limit
"""

from __future__ import annotations

from typing import Any


class GatewayError(Exception):
    """Root of all errors that the gateway raises on purpose; rendered in OpenAI's shape."""

    status = 500
    type = "api_error"
    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None):
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.headers: dict[str, str] = {}

    @property
    def label(self) -> str:
        """What metrics, logs and spans call it: one of few words, none of them an upstream's."""
        return self.code or self.type

    def body(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


class InvalidRequest(GatewayError):
    """The client's request cannot be served as it stands; `param` names the field."""

    status = 400
    type = "invalid_request_error"


class UnsatisfiableGrammar(InvalidRequest):
    """Nothing that the model can say to this prompt satisfies the grammar."""

    code = "unsatisfiable_grammar"


class NotFound(InvalidRequest):
    """What the request names is not here."""

    status = 404
    code = "not_found"


class PayloadTooLarge(InvalidRequest):
    status = 413
    code = "payload_too_large"


class HeadersTooLarge(InvalidRequest):
    status = 431
    code = "headers_too_large"


class Unauthorized(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ModelNotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class BudgetExhausted(GatewayError):
    """Nothing was left to spend before the first candidate was there."""

    status = 422
    type = "budget_exhausted"
    code = "budget_exhausted"


class Abstained(GatewayError):
    """The policy asks for an error where no answer is worth giving."""

    status = 422
    type = "abstained"
    code = "abstained"


class DeadlineExceeded(GatewayError):
    """The deadline came before there was any text to answer with."""

    status = 504
    type = "timeout"
    code = "deadline_exceeded"


class StrategyFailed(GatewayError):
    """A guest raised something that is not a `GatewayError`, or answered with nothing."""

    code = "strategy_failed"


class Draining(GatewayError):
    status = 503
    type = "service_unavailable"
    code = "draining"


class RateLimited(GatewayError):
    """A quota of the client's key has not enough left; `retry-after` tells when to come again."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class StateUnavailable(GatewayError):
    """What decides on this request is in a store that cannot be asked now."""

    status = 503
    type = "service_unavailable"
    code = "state_unavailable"

    def __init__(self, message: str):
        super().__init__(message)
        self.headers["retry-after"] = "1"


class SandboxUnavailable(GatewayError):
    """Code was to be run, and cannot be contained here; it is never run otherwise."""

    status = 501
    type = "sandbox_unavailable"
    code = "sandbox_unavailable"

    def __init__(self, reason: str):
        super().__init__(f"this gateway cannot run code: {reason}")
        self.reason = reason
        self.headers["x-should-retry"] = "false"  # which OpenAI's clients heed


class UpstreamError(GatewayError):
    """A backend failed; subclasses say how."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamRejected(UpstreamError):
    """The upstream answered 4xx: its status and its error body reach the client unchanged."""

    def __init__(self, status: int, body: dict[str, Any]):
        error = body.get("error")
        detail = error if isinstance(error, dict) else body
        message = str(detail.get("message") or detail.get("detail") or "the upstream rejected this")
        code, param = detail.get("code"), detail.get("param")
        super().__init__(
            message,
            param=param if isinstance(param, str) else None,
            code=str(code) if code is not None else "upstream_rejected",
        )
        self.status = status
        self.type = str(detail.get("type") or "invalid_request_error")

    @property
    def label(self) -> str:
        return "upstream_rejected"


class Unsupported(UpstreamRejected):
    """The model's server cannot do this, as probing it has shown; `param` names the field."""

    def __init__(self, message: str, *, param: str | None = None):
        error = {"message": message, "param": param, "code": "unsupported"}
        super().__init__(400, {"error": error})


class UpstreamUnavailable(UpstreamError):
    status = 503
    code = "upstream_unavailable"


class Overloaded(UpstreamError):
    """A call waited in line for a replica for as long as the operator allows; `retry-after`."""

    status = 429
    type = "rate_limit_error"
    code = "overloaded"
