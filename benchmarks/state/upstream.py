"""An upstream that counts: every candidate is another, and `/drawn` tells how many there were.

python -m benchmarks.state.upstream PORT [SECONDS]
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiohttp import web


def app(seconds: float) -> web.Application:
    """An upstream that takes `seconds` to answer."""
    drawn = 0

    async def chat(request: web.Request) -> web.Response:
        nonlocal drawn
        asked: dict[str, Any] = await request.json()
        n = asked.get("n") or 1
        first = drawn
        drawn += n
        await asyncio.sleep(seconds)
        choices = [
            {
                "index": i, "finish_reason": "stop", "logprobs": None,
                "message": {"role": "assistant", "content": f"draw {first + i}"},
            }
            for i in range(n)
        ]  # fmt: skip
        usage = {"prompt_tokens": 5, "completion_tokens": 2 * n, "total_tokens": 5 + 2 * n}
        return web.json_response(
            {"id": "x", "object": "chat.completion", "created": 0, "model": asked["model"],
             "choices": choices, "usage": usage}
        )  # fmt: skip

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "counted"}]})

    async def told(request: web.Request) -> web.Response:
        return web.json_response({"drawn": drawn})

    server = web.Application()
    server.router.add_post("/v1/chat/completions", chat)
    server.router.add_get("/v1/models", models)
    server.router.add_get("/drawn", told)
    return server


if __name__ == "__main__":
    took = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    web.run_app(app(took), host="127.0.0.1", port=int(sys.argv[1]), print=lambda *_: None)
