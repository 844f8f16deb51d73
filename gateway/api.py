"""The routes of OpenAI's API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import openai
from gateway.accounts.estimate import capped, costs_of, costs_of_relayed
from gateway.accounts.keys import Key
from gateway.backends import Backend
from gateway.backends.pool import Owner
from gateway.calibration.feedback import parse_feedback
from gateway.errors import Draining, GatewayError, InvalidRequest, NotFound, StateUnavailable
from gateway.host import Host
from gateway.http import (
    Answering,
    Asked,
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
from gateway.stores.guard import open_purse
from gateway.trace import Trace
from gateway.types import Passthrough, Relayed

Headers = dict[str, str]
MOST_FEEDBACK = 64 * 2**10

Route = Callable[[Host, Request, Headers, Key], Awaitable[Response]]
Guarded = Callable[[Asked], Awaitable[Response]]


def add_api(app: FastAPI, host: Host) -> dict[str, ASGIApp]:
    """Add the API's routes, each behind a key where keys are set; those of POST, by path."""
    posts: dict[str, ASGIApp] = {}
    for path, method, route in (
        ("/v1/chat/completions", "POST", chat_completions),
        ("/v1/models", "GET", models),
        ("/v1/its/requests/{id}", "GET", receipt),
        ("/v1/completions", "POST", relay),
        ("/v1/embeddings", "POST", relay),
        ("/v1/its/feedback", "POST", feedback),
        ("/v1/its/feedback", "GET", labels),
    ):
        # Plain routes: bodies are read and checked here, so FastAPI need not do it again.
        guarded = _guarded(host, route)
        app.router.add_route(path, _routed(guarded), methods=[method])
        if method == "POST":
            posts[path] = _answering(guarded)
    return posts


def _answering(guarded: Guarded) -> ASGIApp:
    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        response = await guarded(Asked(scope, receive))
        await response(scope, receive, send)

    return answering


def _routed(guarded: Guarded) -> Callable[[Request], Awaitable[Response]]:
    async def routed(request: Request) -> Response:
        return await guarded(Asked(request.scope, request.receive))

    return routed


def _guarded(host: Host, route: Route) -> Guarded:
    async def guarded(request: Asked) -> Response:
        headers = {"x-request-id": request_id(request.headers)}
        try:
            check_headers(request.scope, host.settings.max_header_bytes)
            if host.settings.redis is not None:
                open_purse(host.settings.redis_bound_ms / 1000)
            key = await host.keyring.identify(request.headers)
            if host.draining:
                raise Draining("the gateway is shutting down")
            return await route(host, request, headers, key)
        except GatewayError as error:
            return error_response(error, headers)

    return guarded


async def chat_completions(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """Answer a conversation under its policy."""
    body = await read_body(request, host.settings.max_body_bytes)
    members = host.pool.members
    await members.learned()
    chat = openai.parse_chat(body, is_model=members.knows)
    policy = host.rules.resolve(request.headers, chat.wishes, chat.alias, chat.request.choices)
    # A name that no backend serves must not become a label: labels are for ever.
    model = chat.request.model if members.knows(chat.request.model) else "other"
    booking = None
    if key.account:
        costs = costs_of(policy, chat.request, host.settings.assumed_tokens)
        booking = await host.desk.open(key, model, costs)
        policy = capped(policy, booking)
        headers.update(booking.headers)
    owner = Owner(key.id, headers["x-request-id"])
    trace = Trace()
    backend: Backend = host.pool.on_behalf(owner)
    runner = host.tracing.runner(headers["x-request-id"]) if host.tracing else run
    if policy.cache != "off":
        backend, runner = host.reuse.of(
            policy, chat.request.model, owner, trace, backend=backend, runner=runner
        )
    exchange = Exchange(
        headers["x-request-id"],
        chat,
        policy,
        host.means.through(backend),
        host.metrics,
        host.receipts,
        model,
        host.settings.keep_alive_seconds,
        runner,
        partial(host.feedback.remember, owner, model, policy.route),
        booking,
        trace,
        partial(host.history.keep, *owner) if host.history.kept else None,
    )
    headers["x-its-strategy"] = policy.strategy.name
    if chat.stream:
        return Streaming(exchange.events, headers, exchange.told)
    return Answering(exchange.whole, headers, exchange.sent)


async def feedback(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """Count what a client says of an answer that it got: right or wrong."""
    _takes_feedback(host)
    told = parse_feedback(await read_body(request, MOST_FEEDBACK))
    try:
        recorded = await host.feedback.tell(key.id, told)
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from None
    body = orjson.dumps({"request_id": told.request_id, "recorded": recorded})
    return Response(body, headers={**headers, "content-type": "application/json"})


async def labels(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """All that the client has told, as lines for `its-gateway calibrate`."""
    _takes_feedback(host)
    try:
        lines = [orjson.dumps(each) + b"\n" async for each in host.feedback.labels(key.id)]
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from None
    return Response(b"".join(lines), headers={**headers, "content-type": "application/jsonl"})


def _takes_feedback(host: Host) -> None:
    """`NotFound` where another worker may have answered, and nobody knows but that one."""
    if host.line is not None and host.settings.redis is None:
        raise NotFound(
            "this gateway takes no feedback: its workers share what they know only with --redis"
        )


async def receipt(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """What became of a request of the same key's."""
    id = request.path_params["id"]
    try:
        found = await host.history.get(key.id, id)
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from None
    if found is None:
        kept = "" if host.history.kept else "; this gateway keeps no receipts"
        raise NotFound(f"id: no such request{kept}", param="id")
    return Response(orjson.dumps(found), headers={**headers, "content-type": "application/json"})


async def models(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """List the models, and each with every preset."""
    names = await host.pool.models()
    body = openai.model_list(names, sorted(host.rules.presets), host.created)
    return Response(body, headers={**headers, "content-type": "application/json"})


async def relay(host: Host, request: Request, headers: Headers, key: Key) -> Response:
    """Pass a body through to a backend that serves its model."""
    body = await read_body(request, host.settings.max_body_bytes)
    parsed = openai.parse_json(body)
    model = parsed.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("model: a string is required", param="model")
    passthrough = Passthrough(request.url.path, body, model)
    owner = Owner(key.id, headers["x-request-id"])
    if not key.account:
        return Relaying(lambda: host.pool.relay(passthrough, owner), headers)
    label = model if host.pool.members.knows(model) else "other"
    booking = await host.desk.open(key, label, costs_of_relayed(request.url.path, parsed))
    headers.update(booking.headers)

    @asynccontextmanager
    async def booked() -> AsyncIterator[Relayed]:
        try:
            async with host.pool.relay(passthrough, owner) as relayed:
                yield relayed
        finally:
            booking.settle_later(booking.costs)

    return Relaying(booked, headers)
