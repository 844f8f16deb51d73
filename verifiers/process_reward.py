"""A process reward model's view of an answer's steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import Candidate, Message, Score, Session, verifier
from verifiers import quoting, rewards, steps
from verifiers.asking import scored, served, unconfigured

ROLE = "process_reward"


@verifier(pointwise=True, check=served("process_reward", ROLE))
async def process_reward(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    aggregate: Annotated[
        rewards.Aggregate, Field(description="What the steps' values come to.")
    ] = "min",
    split: Annotated[
        steps.How,
        Field(
            description="Where a step ends: at each `line`, at blank lines (`paragraph`), or "
            "before lines that begin with 'Step 1', 'Step 2' … (`numbered`)."
        ),
    ] = "line",
    separator: Annotated[
        str, Field(max_length=64, description="Text that parts steps; goes before `split`.")
    ] = "",
    marker: Annotated[
        str,
        Field(
            max_length=64,
            description="Text put behind each step, for a model that tells a step's value there "
            "(such as `<extra_0>`).",
        ),
    ] = "",
    max_steps: Annotated[
        int, Field(ge=1, le=512, description="Of more steps, neighbours count as one.")
    ] = 64,
    scale: Annotated[rewards.Scale, Field(description=rewards.ABOUT_SCALE)] = "probability",
    center: Annotated[float, Field(allow_inf_nan=False, description=rewards.ABOUT_CENTER)] = 0.0,
    width: Annotated[float, Field(gt=0, le=1e6, description=rewards.ABOUT_WIDTH)] = 1.0,
    label: Annotated[int, Field(ge=-1000, le=1000, description=rewards.ABOUT_LABEL)] = -1,
) -> list[Score]:
    """Score each candidate, in [0, 1], by its steps, as the model of `process_reward` sees them.

    `steps` are P(good) at the last token of each step, what the model says of all up to there;
    `aggregate` makes one value of them. Normalised per model as in `reward_model`. Equal answers
    are judged once, all at the same time, for the server to batch. 400 without such a model, or
    where the parameters do not fit it; NaN for an answer without text, or where the model could
    not be asked.
    """
    read = rewards.Reading("process_reward", scale, center, width, label)

    async def judge(text: str) -> Score:
        places = steps.ends(text, split, separator, max_steps)
        if marker:
            text, places = steps.marked(text, places, marker)
        messages: list[Message] = [
            *session.request.messages,
            {"role": "assistant", "content": text},
        ]
        rows = await session.reward(messages, model=ROLE, ends=places)
        if len(rows) != len(places):
            raise unconfigured("process_reward", ROLE, "this one does not tell a row a step")
        values = tuple(map(read.value, rows))
        return Score(rewards.AGGREGATES[aggregate](values), steps=values)

    texts = [_text(candidate, marker) for candidate in candidates]
    return await scored(
        session,
        judge,
        [text or None for text in texts],
        verifier="process_reward",
        empty="no steps to judge",
        role=ROLE,
    )


def _text(candidate: Candidate, marker: str) -> str:
    """What is judged; a marker in it would be read as the end of a step."""
    text = candidate.text
    while marker and marker in text:
        text = text.replace(marker, "")
    return quoting.neutral(text).rstrip()
