"""Where a gateway runs code, by its settings."""

from __future__ import annotations

from gateway.sandbox.local import Books, LocalSandbox
from gateway.sandbox.verdict import Executor
from gateway.settings import ConfigError, Settings


def executor_of(settings: Settings, books: Books) -> Executor:
    """The executor that `settings` ask for; `ConfigError` where its package is not installed."""
    if settings.sandbox == "local":
        return LocalSandbox(books, concurrency=settings.sandbox_concurrency)
    try:
        from gateway.sandbox.queued import QueuedSandbox
    except ImportError as error:
        raise ConfigError(f"sandbox: {error}: pip install 'its-gateway[queue]'") from None
    return QueuedSandbox(books, settings.redis or "")
