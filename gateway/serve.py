"""`its-gateway serve`: serves until SIGTERM, then drains; in one process, or in several."""

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
from gateway.processes.census import Census
from gateway.processes.frames import Kind
from gateway.processes.line import Line, Place
from gateway.processes.listeners import listener, shared
from gateway.processes.portion import portion
from gateway.processes.supervisor import Supervisor
from gateway.processes.written import page_of
from gateway.registry import Registry
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
        place = None
        if settings.workers > 1:
            born = supervised(settings)
            if isinstance(born, int):
                return born
            # From here on in each worker, of which there are several.
            place, settings = born, portion(settings)
            configure_logging(settings.log_level, born.number)
        host = hosted(settings, argv)
    except ConfigError as error:
        print(f"its-gateway: {error}", file=sys.stderr)
        return 2
    return uvloop.run(serve(host, place))


def hosted(settings: Settings, argv: Sequence[str]) -> Host:
    """The host of `settings`, which come from `argv` and are read again when they change."""
    host = build_host(settings)
    if settings.upstreams():
        host.reload = Reload(
            settings.config, lambda: load_settings(argv), lambda fresh: apply(host, fresh)
        )
    return host


def supervised(settings: Settings) -> int | Place:
    """Starts workers: in each its place, in the process that looks after them its exit status."""
    # Loaded once for all of them, as what is not changed is shared.
    guests()
    gc.freeze()
    try:
        listeners = shared(settings.host, settings.port, settings.workers)
    except OSError as error:
        return _not_ours(settings, error)
    if settings.redis is None:
        logger.warning(
            "without Redis each worker has samples, answers and learned state of its own, and "
            "none takes feedback"
        )

    def began() -> None:
        _tell(settings, listeners[0].getsockname(), workers=settings.workers)

    return Supervisor(listeners, Census(page_of), settings.drain_seconds, began).run()


def guests() -> tuple[Registry, Registry]:
    """The strategies and verifiers that there are."""
    return (
        load_registry("strategy", "strategies", "its_gateway.strategies"),
        load_registry("verifier", "verifiers", "its_gateway.verifiers"),
    )


def build_host(settings: Settings) -> Host:
    """The host that `settings` describe; `ConfigError` where something it names is not there."""
    strategies, verifiers = guests()
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


async def serve(host: Host, place: Place | None = None) -> int:
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
        sock = place.listener if place else listener(settings.host, settings.port)
    except OSError as error:
        return _not_ours(settings, error)
    # What exists now lives as long as the process: the collector need not look at it again. And a
    # request leaves no cycles to speak of, so that looking after every 700 objects is too often.
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
    if place is None:
        _tell(settings, sock.getsockname())
    else:
        await server.join(place)
    if host.reload is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, host.reload.now)
        if place is not None and not place.fresh and settings.config is not None:
            host.reload.now()  # the file may have changed since the supervisor read it
    with contextlib.suppress(KeyboardInterrupt):
        await server.serve(sockets=[sock])
    if host.line is not None:
        await host.line.goodbye()
    return 0


def _not_ours(settings: Settings, error: OSError) -> int:
    print(f"its-gateway: {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
    return 1


def _tell(settings: Settings, address: tuple[str, int], **more: int) -> None:
    keys, (name, port) = settings.client_keys(), address[:2]
    logger.info("listening", extra={"host": name, "port": port, "keys": len(keys), **more})
    if EXAMPLE_KEY in keys:
        logger.warning("the example's API key is accepted: anyone can know it; change it")


class _Server(uvicorn.Server):
    """Turns away new requests on kept-alive connections once a signal has come.

    As one of several it tells its supervisor what it does, and stops as that says.
    """

    def __init__(self, config: uvicorn.Config, host: Host):
        super().__init__(config)
        self._its_host = host

    async def join(self, place: Place) -> None:
        """Serve at `place`."""
        self._its_host.created = place.created
        self._its_host.line = await Line.open(place.line, self._its_host.counted, self._told)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._its_host.line is not None:
            self._its_host.line.tell(Kind.READY)

    def handle_exit(self, sig: int, frame: object) -> None:
        line = self._its_host.line
        if line is not None and sig == signal.SIGINT:
            return  # every process of a terminal gets it; the supervisor says what is to be done
        logger.info("draining", extra={"signal": signal.Signals(sig).name})
        self._its_host.draining = True
        if line is not None:
            line.tell(Kind.LEAVING)
        super().handle_exit(sig, frame)  # type: ignore[arg-type]
        # Uvicorn raises what it caught again once it has stopped, and the exit would not be 0.
        self._captured_signals.clear()

    def _told(self, at_once: bool) -> None:
        """The supervisor wants an end, or is gone, and nobody would add up what is counted here."""
        self.force_exit = self.force_exit or at_once
        if not self.should_exit:
            self.handle_exit(signal.SIGTERM, None)
