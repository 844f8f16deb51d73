"""Structured logs: one JSON object a line on standard error, without content."""

from __future__ import annotations

import logging
import logging.config
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import Any

import orjson

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record's time, level, logger, message and `extra` as one JSON object.

    Of several processes on one pipe each says its number, `worker`, and no line is longer than what
    the system writes in one piece: a long trace is cut at its beginning.
    """

    def __init__(self, worker: int | None = None):
        super().__init__()
        self._worker = worker

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
        if self._worker is not None:
            entry["worker"] = self._worker
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        line = orjson.dumps(entry, default=str)
        while self._worker is not None and len(line) >= PIPE_BUF and entry.get("exception"):
            # Each of its characters makes six bytes at most.
            entry["exception"] = entry["exception"][(len(line) - PIPE_BUF) // 6 + 1 :]
            line = orjson.dumps(entry, default=str)
        return line.decode()


def log_request(logger: logging.Logger, fields: dict[str, Any]) -> None:
    """Log a served request at INFO.

    The record is made here because `Logger.info` would walk the stack, for each request, to find a
    caller's line that nobody reads.
    """
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, "request", None, None)
        record.__dict__ |= {"fields": fields, **fields}
        logger.handle(record)


def configure_logging(level: str, worker: int | None = None) -> None:
    """Send all logs of this process, uvicorn's too, through `JsonFormatter`.

    `worker` is its number where it is one of several.
    """
    # What no line of ours tells need not be looked up for each (Python's logging how-to).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter, "worker": worker}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
        }
    )
