"""The HTTP application: routes, authentication, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import add_api
from gateway.errors import GatewayError, InvalidRequest, StateUnavailable
from gateway.host import Host
from gateway.http import error_response, request_id
from gateway.openapi import describe

UNTOLD: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "auto_configure": False,
}  # fmt: skip
"""FastAPI would export by itself on a word in the environment, and exceptions with their text."""


class Application(FastAPI):
    """FastAPI, but for the paths in `direct`, to which a POST goes past it.

    Its layers are for routes that it knows the arguments of, and cost as much as the work of a
    relayed request that they do nothing for.
    """

    direct: Mapping[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            known = self.direct.get(scope["path"])
            if known is not None:
                return await known(scope, receive, send)
        return await super().__call__(scope, receive, send)


def create_app(host: Host) -> FastAPI:
    """The application on `host`, which it closes when it shuts down."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # In the background: a backend that hangs must not keep the gateway from starting.
        tasks = [asyncio.create_task(work) for work in host.background()]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await host.close()

    app = Application(
        title="ITS Gateway",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={**UNTOLD, **(host.tracing.server() if host.tracing else {})},
    )
    if host.settings.cors_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(host.settings.cors_origin),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    _add_errors(app)
    posts = add_api(app, host)
    # What wraps every request, which is CORS and spans, is not to be gone past.
    if not host.settings.cors_origin and host.tracing is None:
        app.direct = {p: ServerErrorMiddleware(post, handler=_broken) for p, post in posts.items()}
    _add_operations(app, host)
    describe(app, host.rules)
    return app


def _add_operations(app: FastAPI, host: Host) -> None:
    @app.get("/health")
    async def health() -> Response:
        """The process is alive."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    @app.get("/ready")
    async def ready() -> Response:
        """At least one backend answers, it is known who may ask, and nothing is shutting down.

        `models` tells what is known of each: what all its servers can do.
        """
        members = host.pool.members
        await members.refresh()
        answering = any(each.is_usable for each in members.replicas)
        is_ready = answering and host.keyring.known and not host.draining
        body = {
            "status": "ready" if is_ready else "not ready",
            "draining": host.draining,
            "backends": {each.name: each.is_usable for each in members.replicas},
            "states": {each.name: each.state for each in members.replicas},
            "models": {m: host.pool.capabilities(m).able() for m in members.models()},
            "sandbox": host.sandbox_state,
            "store": host.store.state,
        }
        status = 200 if is_ready else 503
        return Response(orjson.dumps(body), status, media_type="application/json")

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """The page that Prometheus scrapes."""
        try:
            page = await host.page()
        except StateUnavailable as error:
            return error_response(error, {"x-request-id": request_id(request.headers)})
        return Response(page, media_type="text/plain; version=1.0.0; charset=utf-8")


def _add_errors(app: FastAPI) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        plain = InvalidRequest(
            f"{request.method} {request.url.path}: "
            + ("no such endpoint" if status == 404 else "this method is not allowed here"),
            code="not_found" if status == 404 else "method_not_allowed",
        )
        plain.status = status
        return error_response(plain, {"x-request-id": request_id(request.headers)})

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, _broken)


async def _broken(request: Request, error: Exception) -> Response:
    identity = {"x-request-id": request_id(request.headers)}
    return error_response(GatewayError("the gateway failed; see its log"), identity)
