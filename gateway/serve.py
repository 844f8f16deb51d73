"""`its-gateway serve`: one process that serves until SIGTERM, then drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from gateway.app import create_app
from gateway.backends import Backend
from gateway.backends.pool import Address
from gateway.backends.vllm import VLLMBackend
from gateway.host import Host
from gateway.logs import configure_logging
from gateway.registry import load as load_registry
from gateway.reload import Reload
from gateway.settings import EXAMPLE_KEY, ConfigError, Roles, Settings
from gateway.settings import load as load_settings

if TYPE_CHECKING:
    from gateway.tracing import Tracing

logger = logging.getLogger("its_gateway")


def main(argv: Sequence[str]) -> int:
    """Serve with the settings of `argv`; 2 where they cannot be used."""
    try:
        settings = load_settings(argv)
        configure_logging(settings.log_level)
        host = build_host(settings)
        if settings.upstreams():
            host.reload = Reload(
                settings.config, lambda: load_settings(argv), lambda fresh: apply(host, fresh)
            )
    except ConfigError as error:
        print(f"its-gateway: {error}", file=sys.stderr)
        return 2
    return uvloop.run(serve(host))


def build_host(settings: Settings) -> Host:
    """The host that `settings` describe; `ConfigError` where something it names is not there."""
    strategies = load_registry("strategy", "strategies", "its_gateway.strategies")
    verifiers = load_registry("verifier", "verifiers", "its_gateway.verifiers")
    if settings.upstreams() or settings.replay is not None:
        tracing = tracing_of(settings, "vllm")
        host = Host.build(settings, recorded(settings), strategies, verifiers, tracing)
        host.pool.members.follow(backends_of(settings), connection(settings, tracing))
        return host
    from gateway.backends.embedded import EmbeddedBackend

    embedded = EmbeddedBackend()
    roles = Roles(**{**embedded.roles, **settings.roles.assigned()})
    settings = settings.model_copy(update={"roles": roles})
    tracing = tracing_of(settings, "its_gateway.embedded")
    host = Host.build(settings, [embedded], strategies, verifiers, tracing)
    host.metrics.live(lambda: embedded.engine.live)
    return host


def tracing_of(settings: Settings, upstream: str) -> Tracing | None:
    """Tracing where `settings` ask for it; `ConfigError` where its packages are missing."""
    if not settings.tracing():
        return None
    try:
        version("opentelemetry-exporter-otlp-proto-http")
    except PackageNotFoundError as error:
        missing = f"{error.name} is not installed: pip install 'its-gateway[tracing]'"
        if settings.trace:
            raise ConfigError(f"trace: {missing}") from None
        logger.warning("no spans are exported", extra={"reason": missing})
        return None
    from gateway.tracing import Tracing

    return Tracing.exporting(upstream, content=settings.trace_content)


async def apply(host: Host, settings: Settings) -> None:
    """Make the backends those of `settings`, of which nothing else is read again."""
    addresses = backends_of(settings)
    if not addresses:
        raise ConfigError("backends: none is left")
    host.pool.members.follow(addresses, connection(settings, host.tracing))
    await host.pool.members.refresh(now=True)


def backends_of(settings: Settings) -> list[Address]:
    """Where the upstreams of `settings` are; `ConfigError` where one's key is not there."""
    upstreams = settings.upstreams()
    names = [each.name or f"backend-{number}" for number, each in enumerate(upstreams)]
    if len(set(names)) < len(names):
        raise ConfigError("backends.name: two backends have the same name")
    return [
        Address(name, each.base, each.secret(), each.models, each.probe)
        for name, each in zip(names, upstreams, strict=True)
    ]


def recorded(settings: Settings) -> list[Backend]:
    """The backend of recorded answers, if there is to be one; `ConfigError` without any."""
    if settings.replay is None:
        return []
    from gateway.backends.replay import ReplayBackend
    from gateway.backends.replay import load as load_recordings

    rate, seed = settings.replay_tokens_per_second, settings.replay_seed
    try:
        return [ReplayBackend(load_recordings(settings.replay), rate=rate, seed=seed)]
    except (OSError, ValueError) as error:
        raise ConfigError(f"replay: {error}") from None


def connection(settings: Settings, tracing: Tracing | None = None) -> Callable[[Address], Backend]:
    """How the upstream at an address is spoken to; it hears of the span that asks it."""

    def connect(address: Address) -> Backend:
        return VLLMBackend(
            address.url,
            name=address.name,
            key=address.key,
            silence_seconds=settings.upstream_timeout_seconds,
            probing=address.probed,
            headers=tracing.propagated if tracing else None,
        )

    return connect


async def serve(host: Host) -> int:
    """Listen until SIGTERM or SIGINT; then answer what was accepted, and stop."""
    settings = host.settings
    config = uvicorn.Config(
        create_app(host),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    server = _Server(config, host)
    try:
        sock = _listen(settings.host, settings.port)
    except OSError as error:
        print(f"its-gateway: {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    # What exists now lives as long as the process: the collector need not look at it again. And a
    # request leaves no cycles to speak of, so that looking after every 700 objects is too often.
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
    name, port = sock.getsockname()[:2]
    logger.info(
        "listening", extra={"host": name, "port": port, "keys": len(settings.client_keys())}
    )
    if EXAMPLE_KEY in settings.client_keys():
        logger.warning("the example's API key is accepted: anyone can know it; change it")
    if host.reload is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, host.reload.now)
    with contextlib.suppress(KeyboardInterrupt):
        await server.serve(sockets=[sock])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


class _Server(uvicorn.Server):
    """Turns away new requests on kept-alive connections once a signal has come."""

    def __init__(self, config: uvicorn.Config, host: Host):
        super().__init__(config)
        self._its_host = host

    def handle_exit(self, sig: int, frame: object) -> None:
        logger.info("draining", extra={"signal": signal.Signals(sig).name})
        self._its_host.draining = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]
        # Uvicorn raises what it caught again once it has stopped, and the exit would not be 0.
        self._captured_signals.clear()
