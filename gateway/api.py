"""The routes of OpenAI's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from gateway import openai
from gateway.calibration.feedback import parse_feedback
from gateway.errors import Draining, GatewayError, InvalidRequest, StateUnavailable
from gateway.host import Host
from gateway.http import (
    Answering,
    Relaying,
    Streaming,
    check_headers,
    error_response,
    read_body,
    request_id,
)
from gateway.run import run
from gateway.serving import Exchange
from gateway.stores import StoreUnavailable
from gateway.types import Passthrough

Headers = dict[str, str]
MOST_FEEDBACK = 64 * 2**10

Route = Callable[[Host, Request, Headers], Awaitable[Response]]


def add_api(app: FastAPI, host: Host) -> None:
    """Add the API's routes; each needs a key, where keys are set."""
    for path, method, route in (
        ("/v1/chat/completions", "POST", chat_completions),
        ("/v1/models", "GET", models),
        ("/v1/completions", "POST", relay),
        ("/v1/embeddings", "POST", relay),
        ("/v1/its/feedback", "POST", feedback),
        ("/v1/its/feedback", "GET", labels),
    ):
        # Plain routes: bodies are read and checked here, so FastAPI need not do it again.
        app.router.add_route(path, _guarded(host, route), methods=[method])


def _guarded(host: Host, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        headers = {"x-request-id": request_id(request.headers)}
        try:
            check_headers(request.scope, host.settings.max_header_bytes)
            host.authenticate(request.headers)
            if host.draining:
                raise Draining("the gateway is shutting down")
            return await route(host, request, headers)
        except GatewayError as error:
            return error_response(error, headers)

    return guarded


async def chat_completions(host: Host, request: Request, headers: Headers) -> Response:
    """Answer a conversation under its policy."""
    body = await read_body(request, host.settings.max_body_bytes)
    members = host.pool.members
    await members.learned()
    chat = openai.parse_chat(body, is_model=members.knows)
    policy = host.rules.resolve(request.headers, chat.wishes, chat.alias, chat.request.choices)
    model = chat.request.model
    owner = host.owner(request.headers, headers["x-request-id"])
    exchange = Exchange(
        headers["x-request-id"],
        chat,
        policy,
        replace(host.means, backend=host.pool.on_behalf(owner)),
        host.metrics,
        host.receipts,
        # A name that no backend serves must not become a label: labels are for ever.
        model if members.knows(model) else "other",
        host.settings.keep_alive_seconds,
        host.tracing.runner(headers["x-request-id"]) if host.tracing else run,
        partial(host.feedback.remember, owner, model, policy.route),
    )
    headers["x-its-strategy"] = policy.strategy.name
    if chat.stream:
        return Streaming(exchange.events, headers)
    return Answering(exchange.whole, headers)


async def feedback(host: Host, request: Request, headers: Headers) -> Response:
    """Count what a client says of an answer that it got: right or wrong."""
    told = parse_feedback(await read_body(request, MOST_FEEDBACK))
    client = host.owner(request.headers, "").client
    try:
        recorded = await host.feedback.tell(client, told)
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from None
    body = orjson.dumps({"request_id": told.request_id, "recorded": recorded})
    return Response(body, headers={**headers, "content-type": "application/json"})


async def labels(host: Host, request: Request, headers: Headers) -> Response:
    """All that the client has told, as lines for `its-gateway calibrate`."""
    client = host.owner(request.headers, "").client
    try:
        lines = [orjson.dumps(each) + b"\n" async for each in host.feedback.labels(client)]
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from None
    return Response(b"".join(lines), headers={**headers, "content-type": "application/jsonl"})


async def models(host: Host, request: Request, headers: Headers) -> Response:
    """List the models, and each with every preset."""
    names = await host.pool.models()
    body = openai.model_list(names, sorted(host.rules.presets), host.created)
    return Response(body, headers={**headers, "content-type": "application/json"})


async def relay(host: Host, request: Request, headers: Headers) -> Response:
    """Pass a body through to a backend that serves its model."""
    body = await read_body(request, host.settings.max_body_bytes)
    model = openai.parse_json(body).get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("model: a string is required", param="model")
    passthrough = Passthrough(request.url.path, body, model)
    owner = host.owner(request.headers, headers["x-request-id"])
    return Relaying(lambda: host.pool.relay(passthrough, owner), headers)
