"""An upstream that keeps what reaches it, to see what a peer passes on and how it takes a fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.evaluation.policies import Policy

MODEL = "its-demo"
FIELDS: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 77,
    "seed": 5,
    "stop": ["stop-here"],
    "presence_penalty": 0.25,
    "logit_bias": {"5": -1},
    "top_k": 7,
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
}
"""What a client asks for; each should reach the upstream as it is."""
REJECTED = {
    "error": {"message": "bad field", "type": "invalid_request_error", "param": "x", "code": None}
}
PATIENCE = aiohttp.ClientTimeout(total=60)


@dataclass
class Recorder:
    """`fault(k)` is the status of the k-th call, 200 for an answer, which ends for `finish`."""

    base: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    fault: Callable[[int], int] = lambda number: 200
    finish: str = "stop"

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        number = len(self.bodies)
        self.bodies.append(body)
        if (status := self.fault(number)) != 200:
            return web.json_response(REJECTED, status=status)
        message = {"role": "assistant", "content": "1 + 1 = 2\nAnswer: 2"}
        choices = [
            {"index": i, "message": message, "finish_reason": self.finish}
            for i in range(body.get("n") or 1)
        ]
        usage = {"prompt_tokens": 3, "completion_tokens": 9 * len(choices), "total_tokens": 12}
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 1, "model": MODEL,
             "choices": choices, "usage": usage}
        )  # fmt: skip


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """A recorder that listens on loopback."""
    recorder = Recorder()
    app = web.Application()
    app.router.add_get("/v1/models", recorder.models)
    app.router.add_post("/v1/chat/completions", recorder.chat)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        recorder.base = f"http://{host}:{port}/v1"
        yield recorder
    finally:
        await runner.cleanup()


async def findings(peer: str, recorder: Recorder, policy: Policy) -> list[str]:
    """What `policy` of the peer at base URL `peer` does with fields and faults, a sentence each."""
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:

        async def ask(**fields: Any) -> tuple[int, str]:
            recorder.bodies.clear()
            body = {
                "model": policy.model or MODEL,
                "messages": [{"role": "user", "content": "1 + 1?"}],
                **policy.body,
                **({"its": policy.wishes()} if policy.needs_gateway() else {}),
                **fields,
            }
            url = f"{peer}/v1/chat/completions"
            async with session.post(url, json=body, headers=policy.headers) as response:
                return response.status, await response.text()

        return [
            await _fields(ask, recorder),
            *[await _fault(ask, recorder, words, fault) for words, fault in FAULTS.items()],
        ]


def _second(status: int) -> Callable[[int], int]:
    return lambda number: status if number == 1 else 200


FAULTS: dict[str, Callable[[int], int]] = {
    "an upstream that refuses with 400": lambda number: 400,
    "an upstream whose second call alone fails with 500": _second(500),
    "an upstream whose second call alone is refused with 429": _second(429),
}


async def _fields(ask: Any, recorder: Recorder) -> str:
    recorder.fault, recorder.finish = (lambda number: 200), "length"
    status, text = await ask(**FIELDS)
    seen = recorder.bodies
    lost = [name for name, value in FIELDS.items() if not any(_has(b, name, value) for b in seen)]
    cut = (
        ""
        if '"length"' in text or status != 200
        else "; a `finish_reason` of length is told as stop"
    )
    dropped = ", ".join(f"`{name}`" for name in lost) or "none"
    return f"fields that never reach the upstream: {dropped} (answered {status}){cut}"


async def _fault(ask: Any, recorder: Recorder, words: str, fault: Callable[[int], int]) -> str:
    recorder.fault, recorder.finish = fault, "stop"
    try:
        status, text = await ask(seed=5)  # with which our samples are calls of their own
    except (TimeoutError, aiohttp.ClientError) as error:
        return f"{words}: no answer ({type(error).__name__})"
    spoken = json.loads(text)["choices"][0]["message"]["content"] if status == 200 else text
    told = " ".join(str(spoken).replace("`", "'").split())[:160]
    return f"{words}: {status}, `{told}`, after {len(recorder.bodies)} calls"


def _has(body: dict[str, Any], name: str, value: Any) -> bool:
    also = {"max_tokens": "max_completion_tokens"}.get(name, name)
    return value in (body.get(name), body.get(also))
