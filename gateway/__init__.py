"""ITS Gateway: all that a strategy, a rule or a verifier may import."""

from gateway import answers, grammar, selection
from gateway.composition import Misnamed, guest_of
from gateway.drafts import Draft, Drafts
from gateway.errors import (
    Abstained,
    BudgetExhausted,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    SandboxUnavailable,
    UnsatisfiableGrammar,
    Unsupported,
    UpstreamError,
    UpstreamRejected,
)
from gateway.naming import VerifierName
from gateway.registry import Registry, load, rule, strategy, verifier
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
    "Abstained",
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
    "Misnamed",
    "ModelNotFound",
    "Outcome",
    "Prefix",
    "Registry",
    "Sampling",
    "SandboxUnavailable",
    "Score",
    "Session",
    "UnsatisfiableGrammar",
    "Unsupported",
    "UpstreamError",
    "UpstreamRejected",
    "Usage",
    "Verdict",
    "VerifierName",
    "answers",
    "grammar",
    "guest_of",
    "load",
    "rule",
    "selection",
    "strategy",
    "verifier",
]
