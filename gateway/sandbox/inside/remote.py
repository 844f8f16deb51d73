"""An object that lives in the other process, as far as this one lets it act like a value.

The rule that keeps verdicts honest: what a program *returns* is never asked whether it equals, or
is less than, or contains, the plain value that a test expects. It would say yes. Two objects of the
other process may be compared by it, and so may an object that a test itself made by calling a class
(a capitalised name of the test's own): there the test is about the class's operators.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from .operations import ARITHMETIC, COMPARISONS, PREDICATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, Protocol, TypeVar

    T = TypeVar("T")

    class Asks(Protocol):
        """The way to the other process."""

        def ask(self, name: str, target: Remote, *args: Any, **named: Any) -> Any: ...


class Remote:
    """Object `number` of the other process; `made` says that a test made it by calling a class."""

    __slots__ = ("__weakref__", "_its_link", "_its_made", "_its_makes", "_its_number")

    def __init__(self, link: Asks, number: int):
        object.__setattr__(self, "_its_link", link)
        object.__setattr__(self, "_its_number", number)
        object.__setattr__(self, "_its_made", False)
        object.__setattr__(self, "_its_makes", False)

    def __call__(self, *args: Any, **named: Any) -> Any:
        result = _ask(self, "call", *args, **named)
        if self._its_makes and isinstance(result, Remote):
            object.__setattr__(result, "_its_made", True)
        return result

    def __getattr__(self, name: str) -> Any:
        if name in PREDICATES and not self._its_made:
            raise AttributeError(f"what was returned is no plain value: it has no {name!r} here")
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "setattr", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delattr", name)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        _ask(self, "delitem", key)

    def __contains__(self, value: Any) -> bool:
        if self._its_made or isinstance(value, Remote):
            return _ask(self, "contains", value) is True
        return any(item is value or item == value for item in self)

    def __iter__(self) -> Iterator[Any]:
        items = _ask(self, "iter")
        if not isinstance(items, Remote):
            raise TypeError("not an iterator")
        while True:
            try:
                item = _ask(items, "next")
            except StopIteration:
                return
            yield item

    def __next__(self) -> Any:
        return _ask(self, "next")

    def __reversed__(self) -> Any:
        return _ask(self, "reversed")

    def __len__(self) -> int:
        return _plain(_ask(self, "len"), int)

    def __hash__(self) -> int:
        return _plain(_ask(self, "hash"), int)

    def __index__(self) -> int:
        return _plain(_ask(self, "index"), int)

    def __int__(self) -> int:
        return _plain(_ask(self, "int"), int)

    def __float__(self) -> float:
        return _plain(_ask(self, "float"), float)

    def __bool__(self) -> bool:
        return _plain(_ask(self, "bool"), bool)

    def __str__(self) -> str:
        return _plain(_ask(self, "str"), str)

    def __repr__(self) -> str:
        return _plain(_ask(self, "repr"), str)

    def __neg__(self) -> Any:
        return _ask(self, "neg")

    def __abs__(self) -> Any:
        return _ask(self, "abs")

    def __instancecheck__(self, value: Any) -> bool:
        return _ask(self, "isinstance", value) is True

    def __subclasscheck__(self, value: Any) -> bool:
        return _ask(self, "issubclass", value) is True

    def __enter__(self) -> Any:
        return _ask(self, "enter")

    def __exit__(self, *error: object) -> Literal[False]:
        _ask(self, "exit")
        return False  # or it would swallow a failed assertion

    def __await__(self) -> Generator[None, None, Any]:
        yield from ()
        result: Any = _ask(self, "await")
        return result


def let_make(target: Remote) -> None:
    """From now on, calling `target` makes objects whose own comparisons count."""
    object.__setattr__(target, "_its_makes", True)


def _ask(target: Remote, name: str, *args: Any, **named: Any) -> Any:
    link: Asks = object.__getattribute__(target, "_its_link")
    return link.ask(name, target, *args, **named)


def _plain(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(f"not a value of type {kind.__name__}")
    plain: T = value
    return plain


def _operator(name: str) -> Callable[[Remote, Any], Any]:
    def ask(self: Remote, other: Any) -> Any:
        if not (self._its_made or isinstance(other, Remote)):
            return NotImplemented
        return _ask(self, name, other)

    return ask


def _reflected(name: str) -> Callable[[Remote, Any], Any]:
    def ask(self: Remote, other: Any) -> Any:
        return _ask(self, f"r{name}", other) if self._its_made else NotImplemented

    return ask


for _name in (*COMPARISONS, *ARITHMETIC):
    setattr(Remote, f"__{_name.rstrip('_')}__", _operator(_name))
for _name in ARITHMETIC:
    setattr(Remote, f"__r{_name.rstrip('_')}__", _reflected(_name))
