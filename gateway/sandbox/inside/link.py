"""Calls between two processes, either way, one at a time."""

from __future__ import annotations

import builtins
import io
import sys
import types
from collections.abc import Callable

from .frames import Frames, Gone
from .operations import ANY
from .remote import Remote
from .values import decode, encode, update

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Allow = Callable[[str, Any, tuple[Any, ...]], bool]
    """Whether the other side may do this operation on that object with these arguments."""

MUTABLE = (list, dict, set, bytearray)
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class Link:
    """This side of the connection: asks the other, and serves meanwhile what the other asks.

    `allow` decides about each request, `export` whether an object may be named to the other side at
    all. `printed` holds what this side wrote to its standard output since it last answered.
    """

    def __init__(self, frames: Frames, allow: Allow, exports: Callable[[Any], bool]):
        self.gone = False
        self.broken: AssertionError | None = None
        self.printed = io.StringIO()
        self._frames = frames
        self._allow = allow
        self._exports = exports
        self._mine: dict[int, Any] = {}
        self._ids: dict[int, int] = {}
        self._theirs: dict[int, Remote] = {}
        self._classes: dict[tuple[str, Any], type[BaseException]] = {}
        self._readers: dict[str, Callable[[Any], Any]] = {
            "object": lambda inner: self.remote(int(inner)),
            "yours": lambda inner: self._mine[inner],
            "coroutine": lambda inner: self._coroutine(int(inner)),
            "error": lambda inner: self._class(*inner),
        }

    def ask(self, name: str, target: Any, *args: Any, **named: Any) -> Any:
        """What the other side's `target` gives; raises what it raises, or `Gone`."""
        if self.gone:
            raise Gone("the other side ended")
        sent = [self.encode(arg) for arg in args]
        by_name = {key: self.encode(value) for key, value in named.items()}
        self._send({"do": name, "on": self.encode(target), "args": sent, "named": by_name})
        answer = self._answer()
        for arg, before, after in zip(args, sent, answer.get("args", ()), strict=False):
            if isinstance(arg, MUTABLE) and before != after:
                update(arg, self._decoded(after))
        sys.stdout.write(str(answer.get("printed", "")))
        if "raised" in answer:
            raise self._error(answer["raised"])
        return self._decoded(answer.get("result"))

    def offer(self, value: Any) -> int:
        """The number by which the other side can speak of `value`."""
        number = self._ids.setdefault(id(value), len(self._mine))
        self._mine[number] = value
        return number

    def remote(self, number: int) -> Remote:
        """What the other side offered as `number`."""
        return self._theirs.setdefault(number, Remote(self, number))

    def serve(self) -> None:
        """Do what the other side asks until it ends."""
        while True:
            self._serve(self._receive())

    def encode(self, value: Any) -> Any:
        return encode(value, self._export)

    def _answer(self) -> dict[str, Any]:
        while True:
            document = self._receive()
            if "do" not in document:
                return document
            self._serve(document)

    def _serve(self, document: dict[str, Any]) -> None:
        answer: dict[str, Any] = {}
        try:
            name, target = document["do"], self._decoded(document["on"])
            args = [self._decoded(arg) for arg in document["args"]]
            named = {str(k): self._decoded(v) for k, v in document["named"].items()}
            if not self._allow(name, target, tuple(args)):
                kind = AttributeError if name == "getattr" else TypeError
                raise kind(f"{name} is not allowed on this object")
            answer["result"] = self.encode(ANY[name](target, *args, **named))
            answer["args"] = [
                self.encode(arg) if isinstance(arg, MUTABLE) else None for arg in args
            ]
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the other side shall see it
            self.broken = error if isinstance(error, AssertionError) else self.broken
            answer = {"raised": self._told(error)}
        if text := self.printed.getvalue():
            answer["printed"] = text
            self.printed.seek(0)
            self.printed.truncate()
        self._reply(answer)

    def _reply(self, answer: dict[str, Any]) -> None:
        try:
            self._send(answer)
        except (ValueError, RecursionError, MemoryError) as error:
            self._send({"raised": self._told(error)})

    def _send(self, document: Any) -> None:
        try:
            self._frames.send(document)
        except Gone:
            self.gone = True
            raise

    def _receive(self) -> dict[str, Any]:
        try:
            document = self._frames.receive()
            if not isinstance(document, dict):
                raise Gone("a message that is no object")
        except Gone:
            self.gone = True
            raise
        return document

    def _decoded(self, data: Any) -> Any:
        try:
            return decode(data, self._resolve)
        except MALFORMED as error:
            raise ValueError(f"a value that cannot be read: {type(error).__name__}") from None

    def _resolve(self, name: str, inner: Any) -> Any:
        return self._readers[name](inner)

    def _coroutine(self, number: int) -> Any:
        async def wait() -> Any:
            return self.ask("await", self.remote(number))

        return wait()

    def _export(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Remote):
            return {"yours": object.__getattribute__(value, "_its_number")}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"error": self._lineage(value)}
        if not self._exports(value):
            raise TypeError(f"a {type(value).__name__} cannot be passed on")
        kind = "coroutine" if isinstance(value, types.CoroutineType) else "object"
        return {kind: self.offer(value)}

    def _lineage(self, kind: type[BaseException]) -> list[Any]:
        """Names of an exception's class and bases, up to the first that is built in."""
        names = []
        for base in kind.__mro__:
            names.append(base.__name__)
            if getattr(builtins, base.__name__, None) is base:
                break
        return [self.offer(kind), names]

    def _class(self, number: int, names: list[str]) -> type[BaseException]:
        """A class for exceptions of the other side's class; the built-in one where it is that."""
        *own, last = names
        kind: type[BaseException] = getattr(builtins, last)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ValueError("not an exception")
        for name in reversed(own):
            kind = self._classes.setdefault((name, kind), type(str(name), (kind,), {}))
        return kind

    def _told(self, error: BaseException) -> dict[str, Any]:
        try:
            args = [self.encode(arg) for arg in error.args]
        except (TypeError, ValueError):
            args = [type(error).__name__]
        return {"class": self._lineage(type(error)), "args": args}

    def _error(self, told: Any) -> BaseException:
        try:
            kind = self._class(*told["class"])
            args = [self._decoded(arg) for arg in told["args"]]
            error = kind.__new__(kind, *args)
            error.args = tuple(args)
        except MALFORMED:
            return RuntimeError("an exception that cannot be passed on")
        return error
