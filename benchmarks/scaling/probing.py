"""What can be run on a bed at all, found by asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.evaluation.client import Answered, Client, Fatal
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.scaling.table import MANY

PROBED = 4
"""Candidates that a verifier is shown."""


async def refusals(
    client: Client, policies: Mapping[str, Policy], problem: Problem
) -> dict[str, str]:
    """The policies that cannot be run here, each with the gateway's reason."""
    found = {}
    for name, policy in policies.items():
        reply = await _asked(client, policy, problem)
        if isinstance(reply, str):
            found[name] = reply
    return found


async def useless(
    client: Client, verifiers: Sequence[str], problems: Sequence[Problem]
) -> dict[str, str]:
    """The verifiers that cannot select among candidates of these problems without a reference, each
    with why: refused, judged nothing, or told no candidate from another where some verifier did.
    """
    found: dict[str, str] = {}
    alike = []
    for verifier in verifiers:
        policy = Policy(strategy=MANY, budget=PROBED, verifier=verifier)
        replies = [await _asked(client, policy, problem) for problem in problems]
        scores = [_scores(reply) for reply in replies]
        refused = [reply for reply in replies if isinstance(reply, str)]
        if refused:
            found[verifier] = refused[0]
        elif not set().union(*scores) - {None}:
            found[verifier] = "it judged no candidate"
        elif all(len(each) == 1 for each in scores):
            alike.append(verifier)
    if len(alike) + len(found) < len(verifiers):
        found |= dict.fromkeys(alike, "it told no candidate from another")
    return found


def _scores(done: Answered | str) -> set[float | None]:
    return set() if isinstance(done, str) else {each.score for each in done.reply.drawn}


async def _asked(client: Client, policy: Policy, problem: Problem) -> Answered | str:
    """The answer, or why there is none."""
    try:
        done = await client.ask(policy, problem)
    except Fatal as error:
        return str(error)
    return done if isinstance(done, Answered) else done.error
