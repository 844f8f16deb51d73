"""Sockets that share a port: the kernel spreads new connections over them."""

from __future__ import annotations

import socket


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to a port that nobody else has; OSError where somebody does."""
    sock = _socket(host)
    sock.bind((host, port))
    return sock


def sharing(host: str, port: int) -> socket.socket:
    """A socket bound to a port that others of this process' family may have as well.

    Each worker has one of its own. With one for them all, whoever wakes first takes a burst of
    connections as a whole, and the others have nothing to do.
    """
    sock = _socket(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


def shared(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets on a port that nobody else has yet; OSError where somebody does."""
    # Sharing alone would join another gateway of the same user's, and take half of its requests.
    with listener(host, port) as alone:
        port = alone.getsockname()[1]
    return [sharing(host, port) for _ in range(count)]


def _socket(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock
