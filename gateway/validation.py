"""What pydantic found wrong, in words for the person who wrote it; never the value, nor a link."""

from __future__ import annotations

from pydantic import ValidationError


def first_of(error: ValidationError) -> tuple[str, str]:
    """Where the first thing that is wrong stands, dotted ("" for the whole), and what it is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return where, first["msg"].removeprefix("Value error, ")


def told(error: ValidationError) -> str:
    """The first thing that is wrong, as `where: what`."""
    where, message = first_of(error)
    return f"{where}: {message}" if where else message
