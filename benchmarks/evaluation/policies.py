"""What a run compares: named policies, from the command line or a file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from gateway.wishes import Wishes

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,63}")
OWN = frozenset({"preset", "model", "body", "headers"})


class BadPolicy(Exception):
    """A policy cannot be used; the message says which and why."""


class Policy(Wishes):
    """How every problem of a run is asked: a preset, or wishes, or what another server takes."""

    preset: str | None = Field(None, description="Asked for as `model@preset`.")
    model: str | None = Field(None, description="Another model than the run's.")
    body: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request's body."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Further request headers.")

    def wishes(self) -> dict[str, Any]:
        """The `its` block that says what the policy wishes; empty where it wishes nothing."""
        return self.model_dump(exclude=set(OWN), exclude_none=True, mode="json")

    def needs_gateway(self) -> bool:
        """Whether a server that knows no `its` block would silently do something else."""
        return bool(self.wishes())


DIRECT = Policy(headers={"x-its-strategy": "direct"})
"""The model alone, whatever the operator's default is; other servers ignore the header."""


def parse(text: str) -> tuple[str, Policy]:
    """`NAME`, `NAME=PRESET`, `NAME=key=value,…` or `NAME={JSON}`: the name and its policy.

    A name alone is a preset, `direct` the model alone. Keys are the fields of `its`, `preset`,
    `model`, `params.KEY`, `body.KEY` and `headers.KEY`; values are JSON or words.
    """
    name, given, spec = text.partition("=")
    if not NAME.fullmatch(name):
        raise BadPolicy(f"policy {name!r}: a name has letters, digits and ._+@- (at most 64)")
    if not given:
        return name, _preset(name)
    if "=" not in spec and not spec.lstrip().startswith("{"):
        return name, _preset(spec)
    return name, _policy(name, _object(name, spec))


def _preset(name: str) -> Policy:
    if name == "direct":
        return DIRECT
    if not NAME.fullmatch(name):
        raise BadPolicy(f"policy: {name!r} is no preset's name")
    return Policy(preset=name)


def _object(name: str, spec: str) -> dict[str, Any]:
    if spec.lstrip().startswith("{"):
        try:
            whole: dict[str, Any] = json.loads(spec)
            return whole
        except ValueError as error:
            raise BadPolicy(f"policy {name}: not JSON: {error}") from None
    found: dict[str, Any] = {}
    for part in spec.split(","):
        key, given, value = part.strip().partition("=")
        if not given:
            raise BadPolicy(f"policy {name}: {part!r} is not key=value")
        group, dot, inner = key.partition(".")
        if dot:
            found.setdefault(group, {})[inner] = value if group == "headers" else _value(value)
        else:
            found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _policy(name: str, told: Mapping[str, Any]) -> Policy:
    try:
        policy = Policy.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"]
        if first["type"] == "extra_forbidden":
            message = f"unknown key; allowed: {', '.join(sorted(Policy.model_fields))}"
        raise BadPolicy(f"policy {name}: {where}: {message}") from None
    if policy.preset is not None and policy.preset == "direct":
        return policy.model_copy(update={"preset": None, "headers": DIRECT.headers})
    return policy


def read(path: Path) -> dict[str, Policy]:
    """The policies of a TOML or JSON file: a table `policies`, each entry by its name."""
    try:
        text = path.read_text()
        told = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise BadPolicy(f"{path}: {error}") from None
    table = told.get("policies") if isinstance(told, dict) else None
    if not isinstance(table, dict) or not table:
        raise BadPolicy(f"{path}: no table `policies`")
    for name in table:
        if not NAME.fullmatch(name):
            raise BadPolicy(f"{path}: policy {name!r}: a name has letters, digits and ._+@-")
    return {name: _policy(name, each) for name, each in table.items()}


def gather(files: Sequence[Path], specs: Sequence[str]) -> dict[str, Policy]:
    """All policies of a run in order; `BadPolicy` where a name stands twice."""
    found: dict[str, Policy] = {}
    listed = [pair for path in files for pair in read(path).items()]
    for name, policy in [*listed, *map(parse, specs)]:
        if name in found:
            raise BadPolicy(f"policy {name}: named twice")
        found[name] = policy
    return found
