"""A server that speaks vLLM's dialect as far as it is told to: for what older ones lack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields

import orjson
from aiohttp import web

from gateway.types import Capabilities, Json

FIELDS = {
    "n": "n",
    "logprobs": "logprobs",
    "logprob_token_ids": "logprob_token_ids",
    "return_token_ids": "token_ids",
    "structured_outputs": "structured_outputs",
    "continue_final_message": "continuation",
    "prompt_logprobs": "prompt_logprobs",
}
"""Fields of a body, and the capability that a server must have to heed them."""
WORDS = ("4", " ", "two", "five")


@dataclass
class OldVLLM:
    """Passes over the fields of what it `lacks`, or refuses them where it is `strict`.

    `down` makes every answer that status. `bodies` are what it was sent, by path.
    """

    lacks: Collection[str] = ()
    strict: bool = False
    writes: bool = True
    down: int = 0
    port: int = 0
    bodies: list[tuple[str, Json]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def chats(self) -> list[Json]:
        return [body for path, body in self.bodies if path == "/v1/chat/completions"]

    async def answer(self, request: web.Request) -> web.Response:
        if self.down:
            return web.json_response({"error": {"message": "down"}}, status=self.down)
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "m", "owned_by": "vllm"}]})
        body = orjson.loads(await request.read())
        self.bodies.append((request.path, dict(body)))
        for name, needed in FIELDS.items():
            if name in body and needed in self.lacks:
                if self.strict:
                    return web.json_response({"error": {"message": name}}, status=400)
                del body[name]
        answers = {
            "/v1/chat/completions": self._chat if self.writes else None,
            "/v1/completions": self._completion if self.writes else None,
            "/tokenize": self._has("tokenize", _tokenized),
            "/pooling": self._reads("pooling", {"data": [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]}),
            "/classify": self._reads("classify", {"probs": [0.75]}),
            "/score": self._reads("score", {"score": 0.25}),
            "/v1/embeddings": self._reads("embed", {"embedding": [1.0, 0.0]}),
        }
        found = answers.get(request.path)
        if found is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        told = found(body)
        return web.json_response(told, status=400 if "error" in told else 200)

    def _has(self, name: str, answer):  # type: ignore[no-untyped-def]
        return None if name in self.lacks else answer

    def _reads(self, name: str, datum: Json):  # type: ignore[no-untyped-def]
        return None if self.writes else self._has(name, lambda body: {"data": [datum], **USAGE})

    def _chat(self, body: Json) -> Json:
        choices = [self._choice(body, index) for index in range(body.get("n", 1))]
        turns = len(body["messages"]) - bool(body.get("continue_final_message"))
        ids = {"prompt_token_ids": [1, 2]} if body.get("return_token_ids") else {}
        usage = {"prompt_tokens": 10 * turns + 3, "completion_tokens": len(choices)}
        return {"model": "m", "choices": choices, "usage": usage, **ids}

    def _choice(self, body: Json, index: int) -> Json:
        allowed = (body.get("structured_outputs") or {}).get("choice")
        said = allowed[0][:1] if allowed else "4"
        choice: Json = {"index": index, "finish_reason": "stop", "logprobs": None}
        choice["message"] = {"role": "assistant", "content": said}
        if body.get("return_token_ids"):
            choice["token_ids"] = [0]
        if body.get("logprobs"):
            named = body.get("logprob_token_ids")
            tokens = [f"token_id:{token}" for token in named] if named else WORDS
            top = [{"token": t, "logprob": -1.0 - at} for at, t in enumerate(tokens)]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return choice

    def _completion(self, body: Json) -> Json:
        choice: Json = {"index": 0, "finish_reason": "stop", "text": " more", "logprobs": None}
        wanted = body.get("prompt_logprobs")
        if wanted is not None:
            if wanted < 0 and "all_logprobs" in self.lacks:
                return {"error": {"message": "greater than max allowed: 20"}}
            after = body["prompt"][1:]
            choice["prompt_logprobs"] = [
                None,
                *({str(t): {"logprob": -0.5}, "99": {"logprob": -2.0}} for t in after),
            ]
        return {"model": "m", "choices": [choice], **USAGE}


USAGE = {"usage": {"prompt_tokens": 3, "completion_tokens": 0}}


def _tokenized(body: Json) -> Json:
    """A token a word, of a text; of a conversation, two for a turn and one a word."""
    if "prompt" in body:
        tokens = [WORDS.index(word) if word in WORDS else 9 for word in body["prompt"].split("|")]
    else:
        words = [message["content"].split(" ") for message in body["messages"]]
        tokens = [token for said in words for token in (1, 2, *range(20, 20 + len(said)))]
        tokens = tokens if body.get("continue_final_message") else [*tokens, 3]
    return {"tokens": tokens, "count": len(tokens), "max_model_len": 64}


@asynccontextmanager
async def serving(server: OldVLLM) -> AsyncIterator[OldVLLM]:
    """`server` on a free loopback port, or on its own if it has one."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", server.port).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


WRITING = frozenset({"pooling", "classify", "score", "embed"})
READING = frozenset(each.name for each in fields(Capabilities)) - WRITING - {"tokenize"}
"""What a server of the other kind lacks by its nature."""
