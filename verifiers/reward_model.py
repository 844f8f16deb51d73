"""An outcome reward model's view of whole answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import Candidate, Message, Score, Session, verifier
from verifiers import quoting, rewards
from verifiers.asking import scored, served, unconfigured

ROLE = "outcome_reward"


@verifier(pointwise=True, check=served("reward_model", ROLE))
async def reward_model(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    scale: Annotated[rewards.Scale, Field(description=rewards.ABOUT_SCALE)] = "probability",
    center: Annotated[float, Field(allow_inf_nan=False, description=rewards.ABOUT_CENTER)] = 0.0,
    width: Annotated[float, Field(gt=0, le=1e6, description=rewards.ABOUT_WIDTH)] = 1.0,
    label: Annotated[int, Field(ge=-1000, le=1000, description=rewards.ABOUT_LABEL)] = -1,
) -> list[Score]:
    """Score each candidate, in [0, 1], by the model of the role `outcome_reward`.

    The model reads the conversation with the candidate as its answer. What it tells is put on
    one scale by parameters that belong to the model, never by the candidates at hand, so that a
    candidate's value does not depend on the others: `scale=logit` is
    sigmoid((reward − center) / width). Equal answers are judged once, all at the same time, for the
    server to batch. 400 without such a model, or where a `probability` lies outside [0, 1]; NaN
    where it could not be asked.
    """
    read = rewards.Reading("reward_model", scale, center, width, label)

    async def judge(text: str) -> Score:
        messages: list[Message] = [
            *session.request.messages,
            {"role": "assistant", "content": text},
        ]
        rows = await session.reward(messages, model=ROLE)
        if len(rows) != 1:
            raise unconfigured("reward_model", ROLE, "this one tells a row a token")
        return Score(read.value(rows[0]))

    texts = [quoting.neutral(quoting.shown(candidate)) for candidate in candidates]
    return await scored(
        session,
        judge,
        [text or None for text in texts],
        verifier="reward_model",
        empty="nothing to judge",
        role=ROLE,
    )
