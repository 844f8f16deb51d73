"""What stands before the upstream: nothing, nginx, our gateway, and peers where they can be had."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.overhead.processes import SERVED
from benchmarks.scaling.peers import known
from benchmarks.scaling.peers.environments import environment

KEY = "overhead"  # that every client presents and our gateway checks

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_body_buffer_size 1m; keepalive_requests 1000000000;
    upstream mock {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""

Command = Callable[[int, int, Path], Sequence[str]]
"""(port, the upstream's port, a folder of its own) -> what to start."""


class Missing(Exception):
    """A target cannot be had here; the message says why."""


@dataclass(frozen=True)
class Target:
    """A server; `strategies` says whether it knows our fields, `ready` a path that it answers."""

    name: str
    command: Command
    ready: str = "/v1/models"
    strategies: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str, str, str], None] = lambda base, upstream, model: None
    """Called once it answers, with its URL, the upstream's and the model."""
    core: str = SERVED
    """Where it may run: a core, or several with commas between them."""


def _nginx(port: int, upstream: int, folder: Path) -> Sequence[str]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
    if program is None:
        raise Missing("nginx is not installed (Debian: nginx-light)")
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    return [program, "-c", str(file), "-p", str(folder)]


def _ours(*more: str) -> Command:
    def command(port: int, upstream: int, folder: Path) -> Sequence[str]:
        flags = ("--port", str(port), "--backend", f"http://127.0.0.1:{upstream}")
        return [sys.executable, "-m", "gateway", "serve", *flags, "--api-key", KEY, *more]

    return command


def _floor(port: int, upstream: int, folder: Path) -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.overhead.floor", str(port), str(upstream)]


def ours(name: str, *flags: str, core: str = SERVED) -> Target:
    """Our gateway as shipped, with a client's key to check and `flags` besides."""
    return Target(name, _ours(*flags), strategies=True, core=core)


def _from_pip(name: str, requirement: str, *words: str) -> Command:
    """A peer's program from an environment of its own, which is kept between runs."""

    def command(port: int, upstream: int, folder: Path) -> Sequence[str]:
        programs = environment(name, ((requirement,),))
        program, *flags = (word.format(port=port, upstream=upstream) for word in words)
        return [str(programs / program), *flags]

    return command


def _known(peer: known.Peer) -> Target:
    """A peer that `make peers` compares too, here for one sample a request."""

    def command(port: int, upstream: int, folder: Path) -> Sequence[str]:
        programs = environment(f"{peer.name}-{peer.version}", peer.installs)
        return peer.command(programs, f"http://127.0.0.1:{upstream}/v1", port, 1)

    return Target(
        peer.name, command, peer.ready, environment=peer.environment, prepare=peer.prepare
    )


NGINX_TARGET = Target("nginx", _nginx)
OURS = ours("its-gateway")
FLOOR = Target("uvicorn and aiohttp alone", _floor)
PEERS = {
    "floor": FLOOR,
    "vllm-router": Target(
        "vllm-router",
        _from_pip(
            "vllm-router", "vllm-router", "vllm-router", "--host", "127.0.0.1",
            "--port", "{port}", "--worker-urls", "http://127.0.0.1:{upstream}",
        ),
        ready="/health",
    ),
    "litellm": Target(
        "litellm",
        _from_pip(
            "litellm", "litellm[proxy]", "litellm", "--host", "127.0.0.1", "--port", "{port}",
            "--model", "openai/mock", "--alias", "mock",
            "--api_base", "http://127.0.0.1:{upstream}/v1",
        ),
        ready="/health/liveliness",
        environment={"OPENAI_API_KEY": "none"},
    ),
    **{peer.name: _known(peer) for peer in known.PEERS},
}  # fmt: skip
"""By the name that `--peers` takes; each is asked for one sample a request."""
