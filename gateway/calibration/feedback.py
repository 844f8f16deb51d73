"""What clients say of answers afterwards: remembered answers, and labels that are counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.backends.pool import Owner
from gateway.calibration.labels import Place, lines, of_answer, of_verdict
from gateway.errors import InvalidRequest, NotFound
from gateway.learned import Learned
from gateway.run import Answer
from gateway.stores import Store, StoreUnavailable
from gateway.types import Json
from gateway.validation import first_of

KIND = "answered"
KEPT_SECONDS = 24 * 3600.0
"""How long an answer can be told right or wrong."""
MOST_PLACES = 1000
"""Models, routes and verifiers that one gateway counts labels of: clients choose parameters."""


class Choice(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    index: int = Field(ge=0, description="Its place among the answer's choices.")
    right: bool


class Told(BaseModel):
    """`POST /v1/its/feedback`: whether an answer was right, or which of its choices were."""

    model_config = ConfigDict(strict=True, extra="forbid")

    request_id: str = Field(min_length=1, max_length=128, description="The `x-request-id`.")
    right: bool | None = Field(None, description="Whether the first choice is right.")
    choices: list[Choice] | None = Field(None, min_length=1, max_length=128)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.right is None) == (self.choices is None):
            raise ValueError("say either `right`, of the first choice, or `choices`")
        if len({choice.index for choice in self.choices or ()}) < len(self.choices or ()):
            raise ValueError("choices: an index is there twice")
        return self

    @property
    def labels(self) -> dict[int, bool]:
        """Right or wrong, by the choice's index."""
        if self.choices is None:
            return {0: bool(self.right)}
        return {choice.index: choice.right for choice in self.choices}


def parse_feedback(body: bytes) -> Told:
    """What `body` says; `InvalidRequest` names the first field that is wrong."""
    try:
        return Told.model_validate_json(body)
    except ValidationError as error:
        where, message = first_of(error)
        if error.errors()[0]["type"] == "extra_forbidden":
            message = "unknown field; allowed: " + ", ".join(Told.model_fields)
        told = f"{where[:100]}: {message}" if where else message
        raise InvalidRequest(told, param=where[:100] or None, code="invalid_value") from None


class Feedback:
    """Answers that can still be labelled, by the client that got them, and counts of labels."""

    def __init__(self, store: Store, learned: Learned):
        self._store = store
        self._learned = learned
        self._places: set[str] = set()
        self._one_by_one = asyncio.Lock()

    async def remember(self, owner: Owner, model: str, route: str, answer: Answer) -> None:
        """Keep what verifiers said of the answer; nothing where none was asked."""
        if not any(seen.numbers or seen.passed for seen in answer.signals):
            return
        record: Json = {
            "model": model,
            "route": route,
            "usual": answer.usual,
            "all": len(answer.signals) == answer.samples,
            "choices": [[dict(s.numbers), dict(s.passed)] for s in answer.signals],
            "told": {},
        }
        try:
            await self._keep(owner.client, owner.request, record)
        except StoreUnavailable:  # which the store itself counts and reports
            return

    async def tell(self, client: str, told: Told) -> int:
        """Count labels of an answer that `client` got; how many of them are new.

        `InvalidRequest` where there is no such answer, or it was told to be the opposite before;
        `StoreUnavailable` where that cannot be known now.
        """
        async with self._one_by_one:
            name = f"{client}:{told.request_id}"
            found = await self._store.get(KIND, name)
            if found is None:
                raise _unknown(told.request_id)
            record = orjson.loads(found)
            fresh = _fresh(record, told.labels)
            if not fresh:
                return 0
            counts = _counts(record, fresh)
            places = {by: Place(client, record["model"], record["route"], by).key for by in counts}
            self._admit(places.values())
            record["told"] |= {str(index): right for index, right in fresh.items()}
            await self._keep(client, told.request_id, record)
            for by, delta in counts.items():
                await self._learned.add(places[by], delta)
        return len(fresh)

    async def labels(self, client: str) -> AsyncIterator[Json]:
        """All that `client` has told, as counts."""
        async for key in self._store.states():
            place = Place.at(key)
            if place is not None and place.client == client:
                for line in lines(place, (await self._learned.read(key)).values):
                    yield line

    async def _keep(self, client: str, request_id: str, record: Json) -> None:
        name = f"{client}:{request_id}"
        await self._store.put(KIND, name, orjson.dumps(record), KEPT_SECONDS)

    def _admit(self, keys: Any) -> None:
        fresh = set(keys) - self._places
        if len(self._places) + len(fresh) > MOST_PLACES:
            message = f"labels of {MOST_PLACES} models, routes and verifiers are kept already"
            raise InvalidRequest(message, code="too_many_routes")
        self._places |= fresh


def _fresh(record: Mapping[str, Any], labels: Mapping[int, bool]) -> dict[int, bool]:
    """The labels that were not told before; `InvalidRequest` for those that cannot be taken."""
    last = len(record["choices"]) - 1
    for index, right in labels.items():
        if index > last:
            raise InvalidRequest(
                f"choices: the answer has no choice {index}; allowed: 0 to {last}",
                param="choices",
                code="invalid_value",
            )
        if record["told"].get(str(index), right) != right:
            told = InvalidRequest(
                f"choice {index} was told to be the opposite before", code="told_before"
            )
            told.status = 409
            raise told
    return {i: right for i, right in labels.items() if str(i) not in record["told"]}


def _counts(record: Mapping[str, Any], fresh: Mapping[int, bool]) -> dict[str, dict[str, float]]:
    """What to add, by verifier.

    Confidence is of first choices, as they were selected. Verdicts count only where every candidate
    that was drawn has its label: those selected pass more often than others.
    """
    counts: dict[str, dict[str, float]] = {}
    if 0 in fresh and record["usual"]:
        for by, number in record["choices"][0][0].items():
            counts[by] = {of_answer(number, right=fresh[0]): 1.0}
    known = {**{int(i): right for i, right in record["told"].items()}, **fresh}
    if record["all"] and len(known) == len(record["choices"]):
        _add_verdicts(counts, record["choices"], known)
    return counts


def _add_verdicts(
    counts: dict[str, dict[str, float]],
    choices: Sequence[Sequence[Mapping[str, bool]]],
    known: Mapping[int, bool],
) -> None:
    for index, (_, passed) in enumerate(choices):
        for by, verdict in passed.items():
            name = of_verdict(verdict, right=known[index])
            of = counts.setdefault(by, {})
            of[name] = of.get(name, 0.0) + 1


def _unknown(request_id: str) -> NotFound:
    return NotFound(
        f"request_id: no answer {request_id!r} of this client can be told right or wrong: it is "
        "unknown, older than a day, or no verifier had a part in it",
        param="request_id",
        code="unknown_request",
    )
