"""One problem under one policy, asked over HTTP until it is answered or has failed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.reply import BadReply, Json, Reply, read

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
FATAL = frozenset({401, 403, 404, 405})
"""Statuses that the next problem would meet too."""


class Fatal(Exception):
    """The run cannot go on: nobody answers, or the server refuses the policy as such."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was given up."""

    error: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, the seconds that its last attempt took, and how many attempts there were."""

    reply: Reply
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Asking:
    """What all requests of a run have in common."""

    model: str
    seed: int
    fields: Mapping[str, Any]
    seeded: bool = True
    instruction: str | None = None
    send_reference: bool = False
    send_tests: bool = False
    attempts: int = 5
    patience: float = 900.0
    """Most seconds that one request waits because the server said `retry-after`."""


def seed_of(seed: int, problem: str) -> int:
    """The seed, 53 bits, of a problem's request: the same under every policy."""
    digest = hashlib.blake2b(f"{seed}:{problem}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 11


def body_of(asking: Asking, policy: Policy, problem: Problem) -> Json:
    """The request's body; the right answer is in it only with `send_reference`."""
    its = policy.wishes()
    if asking.send_reference:
        its["reference"] = problem.answer
    if asking.send_tests and problem.tests is not None:
        its["tests"] = problem.tests
    model = policy.model or asking.model
    return {
        "model": model if policy.preset is None else f"{model}@{policy.preset}",
        "messages": problem.prompt(asking.instruction),
        **({"seed": seed_of(asking.seed, problem.id)} if asking.seeded else {}),
        **asking.fields,
        **policy.body,
        **({"its": its} if its else {}),
    }


class Client:
    """Asks one server, whose base URL has no path behind `/v1`."""

    def __init__(self, session: aiohttp.ClientSession, base: str, asking: Asking):
        self._session = session
        self._base = base
        self._asking = asking

    async def ask(self, policy: Policy, problem: Problem) -> Answered | Failed:
        """The reply, or why there is none; `Fatal` where the run cannot go on.

        What may pass is tried again: at once a few times, further apart each time, and as long as
        patience lasts where the server says when.
        """
        body = body_of(self._asking, policy, problem)
        headers = {"x-its-detail": "candidates", **policy.headers}
        waited, failures, attempts = 0.0, 0, 0
        while True:
            attempts += 1
            started = time.perf_counter()
            done = await self._once(body, headers, seed_of(self._asking.seed, problem.id))
            if isinstance(done, Reply):
                if policy.needs_gateway() and not done.is_gateway:
                    raise Fatal(f"{self._base} ignores `its`: it is no ITS gateway")
                return Answered(done, time.perf_counter() - started, attempts)
            if not done.again:
                return Failed(done.error, attempts)
            if done.after is not None and waited + done.after <= self._asking.patience:
                waited += done.after
                await asyncio.sleep(done.after)
                continue
            failures += 1
            if failures >= self._asking.attempts:
                if done.unreachable:
                    raise Fatal(f"{self._base} does not answer: {done.error}")
                return Failed(done.error, attempts)
            # Spread in time, so that those who failed together do not come back together.
            await asyncio.sleep(0.25 * 2**failures * random.uniform(0.5, 1.0))

    async def _once(self, body: Json, headers: Mapping[str, str], seed: int) -> Reply | _Miss:
        url = f"{self._base}/chat/completions"
        try:
            async with self._session.post(url, json=body, headers=headers) as response:
                raw = await response.read()
                if response.status != 200:
                    return _miss(response, raw)
                told = {name.lower(): value for name, value in response.headers.items()}
                return read(json.loads(raw), told, seed)
        except TimeoutError:
            return _Miss("timed out", again=True)
        except aiohttp.ClientConnectorError as error:
            return _Miss(str(error), again=True, unreachable=True)
        except (aiohttp.ClientError, ValueError, BadReply) as error:
            return _Miss(f"{type(error).__name__}: {error}", again=True)


@dataclass(frozen=True, slots=True)
class _Miss:
    error: str
    again: bool = False
    after: float | None = None
    unreachable: bool = False


def _miss(response: aiohttp.ClientResponse, raw: bytes) -> _Miss:
    """What an error status means; `Fatal` where every other problem would meet it too."""
    message, param = _error(raw)
    told = f"{response.status}: {message}"
    of_policy = param is not None and param.casefold().startswith(("its", "x-its-", "model"))
    if response.status in FATAL or (response.status == 400 and of_policy):
        raise Fatal(f"the server refused the policy: {told}")
    after = _seconds(response.headers.get("retry-after"))
    return _Miss(told, again=response.status in AGAIN, after=after)


def _error(raw: bytes) -> tuple[str, str | None]:
    """Message and field of an error in OpenAI's shape, as far as it has that."""
    try:
        error = json.loads(raw)["error"]
        return str(error["message"])[:500], error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError):
        return raw[:200].decode(errors="replace"), None


def _seconds(text: str | None) -> float | None:
    """A `retry-after` in seconds; its other form, a date, is not waited for."""
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


async def model_of(
    session: aiohttp.ClientSession, base: str, wanted: str | None, usual: str | None = None
) -> str:
    """The model to ask: `wanted`, or `usual` where it is served, or the only one that is.

    `Fatal` where nobody answers or there are several.
    """
    try:
        async with session.get(f"{base}/models") as response:
            raw = await response.read()
            if response.status in (401, 403):
                raise Fatal(f"{base}: {response.status}: {_error(raw)[0]}")
            listed = json.loads(raw).get("data", []) if response.status == 200 else []
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Fatal(f"{base} does not answer: {error or type(error).__name__}") from None
    except (ValueError, AttributeError):
        listed = []
    names = [str(each["id"]) for each in listed if "@" not in str(each["id"])]
    if wanted is not None:
        return wanted
    if usual in names:
        return str(usual)
    if len(names) != 1:
        raise Fatal(f"{base} serves {', '.join(names) or 'no model that it lists'}: say --model")
    return names[0]
