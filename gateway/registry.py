"""Names of strategies and verifiers, and what each accepts.

A guest is an async function whose keyword-only parameters, each
`Annotated[type, Field(description=…)]`, are its configuration. The decorators `strategy` and
`verifier` mark it and return it untouched; a `Registry` collects the marked functions of packages
and of entry points, so that nothing is global and a third party's package adds its own.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, TypeVar, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

logger = logging.getLogger(__name__)

MARK = "__its_guest__"
F = TypeVar("F", bound=Callable[..., Any])
Check = Callable[[Any], Awaitable[None]]
"""Given a session, raises what the verifier would raise of any candidate whatever."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A registered guest: `run` is the function, `params` validates its keyword-only parameters.

    `needs` are sampling fields that candidates must carry for it (such as `logprobs`);
    `order_sensitive` is a listwise judge's own admission; `binary` says that its scores carry
    `passed`, so that a strategy may stop at the first that passes; `pointwise` that a score depends
    on its candidate alone, so that it stands when others come; `check` is awaited with the session
    before anything is drawn, and raises what would be raised of any candidate; `preload` are
    modules, or `module:function`, that worker processes import, or call, before they take work;
    `members` are the texts that a combination of verifiers puts together, none for a guest.
    """

    name: str
    kind: str
    run: Callable[..., Any]
    params: type[BaseModel]
    doc: str
    needs: tuple[str, ...] = ()
    order_sensitive: bool = False
    binary: bool = False
    pointwise: bool = False
    check: Check | None = None
    preload: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@overload
def strategy(function: F) -> F: ...
@overload
def strategy(*, preload: tuple[str, ...]) -> Callable[[F], F]: ...


def strategy(function: Any = None, *, preload: tuple[str, ...] = ()) -> Any:
    """Mark a function as a strategy named like itself; see `Spec` for `preload`."""

    def mark(function: F) -> F:
        setattr(function, MARK, {"kind": "strategy", "preload": preload})
        return function

    return mark if function is None else mark(function)


def rule(function: F) -> F:
    """Mark a factory of stopping rules as a rule named like itself."""
    setattr(function, MARK, {"kind": "rule"})
    return function


def verifier(
    *,
    needs: tuple[str, ...] = (),
    order_sensitive: bool = False,
    binary: bool = False,
    pointwise: bool = False,
    check: Check | None = None,
    preload: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Mark a function as a verifier named like itself; see `Spec` for the flags."""

    def mark(function: F) -> F:
        flags = {
            "needs": needs,
            "order_sensitive": order_sensitive,
            "binary": binary,
            "pointwise": pointwise,
            "check": check,
            "preload": preload,
        }
        setattr(function, MARK, {"kind": "verifier", **flags})
        return function

    return mark


def spec_of(function: Callable[..., Any]) -> Spec:
    """The `Spec` of a marked function; TypeError where a parameter has no description."""
    mark = getattr(function, MARK)
    return Spec(
        name=function.__name__,
        run=function,
        params=_params_model(function),
        doc=inspect.getdoc(function) or "",
        **mark,
    )


def _params_model(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        info = FieldInfo.from_annotation(hints[name])
        if not info.description:
            raise TypeError(f"parameter {name!r} of {function.__name__!r} has no description")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], default)
    config = ConfigDict(extra="forbid", frozen=True)
    return create_model(f"{function.__name__}_params", __config__=config, **fields)


def problem(error: ValidationError, spec: Spec) -> tuple[str, str]:
    """The first parameter of `spec` that is wrong, and what is wrong with it."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return name, str(first["msg"])
    allowed = ", ".join(sorted(spec.params.model_fields)) or "none"
    return name, f"{spec.kind} {spec.name} takes no parameter {name!r}; allowed: {allowed}"


class Registry(Mapping[str, Spec]):
    """Name -> `Spec` for one kind of guest."""

    def __init__(self, kind: str, specs: Iterable[Spec] = ()):
        self.kind = kind
        self._specs = {spec.name: spec for spec in specs}

    def __getitem__(self, name: str) -> Spec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def names(self) -> list[str]:
        return sorted(self._specs)

    def specs(self) -> list[Spec]:
        return [self._specs[name] for name in self.names()]


def load(kind: str, package: str, group: str) -> Registry:
    """All guests of `kind` in `package`'s modules and in the entry points of `group`.

    A module that cannot be imported is logged and left out: one broken guest does not take the
    gateway down with it. A name that is taken twice is a ValueError.
    """
    specs: dict[str, Spec] = {}
    for function in [*_in_package(package), *_in_entry_points(group)]:
        spec = spec_of(function)
        known = specs.get(spec.name)
        if spec.kind != kind or (known and known.run is function):
            continue
        if known:
            raise ValueError(f"two {kind} functions are named {spec.name!r}")
        specs[spec.name] = spec
    return Registry(kind, specs.values())


def _in_package(package: str) -> Iterable[Callable[..., Any]]:
    root = importlib.import_module(package)
    for info in pkgutil.iter_modules(root.__path__):
        try:
            module = importlib.import_module(f"{package}.{info.name}")
        except ImportError as error:
            logger.error("guest not loaded", extra={"guest": info.name, "reason": str(error)})
            continue
        yield from _marked(module, module.__name__)


def _in_entry_points(group: str) -> Iterable[Callable[..., Any]]:
    for entry in entry_points(group=group):
        try:
            loaded = entry.load()
        except (ImportError, AttributeError) as error:
            logger.error("guest not loaded", extra={"guest": entry.value, "reason": str(error)})
            continue
        if inspect.ismodule(loaded):
            yield from _marked(loaded, loaded.__name__)
        elif hasattr(loaded, MARK):
            yield loaded
        else:
            reason = "not marked as a strategy or a verifier"
            logger.error("guest not loaded", extra={"guest": entry.value, "reason": reason})


def _marked(module: Any, owner: str) -> Iterable[Callable[..., Any]]:
    for value in vars(module).values():
        if inspect.isfunction(value) and hasattr(value, MARK) and value.__module__ == owner:
            yield value
