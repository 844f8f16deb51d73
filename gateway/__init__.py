"""ITS Gateway: all that a strategy or a verifier may import."""

from gateway import answers, selection
from gateway.drafts import Draft, Drafts
from gateway.errors import (
    BudgetExhausted,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    SandboxUnavailable,
    Unsupported,
    UpstreamError,
    UpstreamRejected,
)
from gateway.naming import VerifierName
from gateway.registry import strategy, verifier
from gateway.sandbox.verdict import Limits, Verdict
from gateway.session import Session
from gateway.types import (
    UNJUDGED,
    Budget,
    Candidate,
    Message,
    Outcome,
    Prefix,
    Sampling,
    Score,
    Usage,
)

__all__ = [
    "UNJUDGED",
    "Budget",
    "BudgetExhausted",
    "Candidate",
    "DeadlineExceeded",
    "Draft",
    "Drafts",
    "GatewayError",
    "InvalidRequest",
    "Limits",
    "Message",
    "ModelNotFound",
    "Outcome",
    "Prefix",
    "Sampling",
    "SandboxUnavailable",
    "Score",
    "Session",
    "Unsupported",
    "UpstreamError",
    "UpstreamRejected",
    "Usage",
    "Verdict",
    "VerifierName",
    "answers",
    "selection",
    "strategy",
    "verifier",
]
