"""Structured logs: one JSON object a line on standard error, without content."""

from __future__ import annotations

import logging
import logging.config
from datetime import UTC, datetime
from typing import Any

import orjson

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record's time, level, logger, message and `extra` as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told: dict[str, Any] | None = vars(record).get("fields")
        if told is None:
            told = {key: value for key, value in vars(record).items() if key not in STANDARD}
        entry |= told
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def log_request(logger: logging.Logger, fields: dict[str, Any]) -> None:
    """Log a served request at INFO.

    The record is made here because `Logger.info` would walk the stack, for each request, to find a
    caller's line that nobody reads.
    """
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, "request", None, None)
        record.__dict__ |= {"fields": fields, **fields}
        logger.handle(record)


def configure_logging(level: str) -> None:
    """Send all logs of this process, uvicorn's too, through `JsonFormatter`."""
    # What no line of ours tells need not be looked up for each (Python's logging how-to).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
        }
    )
