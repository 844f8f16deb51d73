"""No scaling: what the model alone would answer."""

from __future__ import annotations

from gateway import Outcome, Session, strategy


@strategy
async def direct(session: Session) -> Outcome:
    """As many candidates as the client wants choices, as they come; a stream is relayed."""
    return Outcome(candidates=await session.stream(session.request.choices))
