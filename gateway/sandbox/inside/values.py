"""Plain values as JSON and back: exact types, no code, nothing that compares as it likes.

What JSON cannot say stands in an object with one key, which names the type.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

DEEPEST = 200
EXACT = 1 << 53

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Export = Callable[[Any], dict[str, Any]]
    Resolve = Callable[[str, Any], Any]
    Each = Callable[[Any], Any]

TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, str,
        tuple, type(None),
    )
}  # fmt: skip
"""Types that are values themselves. None of them does harm when called."""


class Named(tuple[object, ...]):
    """A named tuple from the other side: a tuple whose items have names too."""

    _fields: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_fields", ()):
            return self[self._fields.index(name)]
        raise AttributeError(name)


def encode(value: Any, export: Export, depth: int = 0) -> Any:
    """`value` as JSON; what is not plain goes through `export`. ValueError where it nests deep."""
    if depth > DEEPEST:
        raise ValueError("nested too deep to be passed on")
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [encode(item, export, depth + 1) for item in value]
    for base, name, write in WRITERS:
        if isinstance(value, base):
            return write(value, name, lambda item: encode(item, export, depth + 1))
    if kind.__module__ in STANDARD and kind.__name__ in STANDARD[kind.__module__]:
        parts = STANDARD[kind.__module__][kind.__name__](value)
        return {"std": [kind.__module__, kind.__name__, encode(parts, export, depth + 1)]}
    if isinstance(value, type) and TYPES.get(value.__name__) is value:
        return {"type": value.__name__}
    return export(value)


def decode(data: Any, resolve: Resolve) -> Any:
    """The value that `data` stands for; objects go through `resolve`.

    ValueError, TypeError, KeyError or RecursionError where it stands for none.
    """
    if isinstance(data, list):
        return [decode(item, resolve) for item in data]
    if not isinstance(data, dict):
        return data
    [(name, inner)] = data.items()
    read = READERS.get(name)
    return resolve(name, inner) if read is None else read(inner, lambda item: decode(item, resolve))


def _int(value: int, name: str, each: Each) -> Any:
    plain = int(value)
    return plain if -EXACT < plain < EXACT else {name: hex(plain)}


def _items(value: Any, name: str, each: Each) -> Any:
    return {name: [each(item) for item in value]}


def _tuple(value: tuple[Any, ...], name: str, each: Each) -> Any:
    fields = getattr(value, "_fields", None)
    items = [each(item) for item in value]
    return {"named": [list(fields), items]} if isinstance(fields, tuple) else {name: items}


def _dict(value: dict[Any, Any], name: str, each: Each) -> Any:
    return {name: [[each(key), each(item)] for key, item in value.items()]}


WRITERS: tuple[tuple[type, str, Callable[[Any, str, Each], Any]], ...] = (
    (int, "int", _int),
    (str, "str", lambda value, name, each: str.__str__(value)),
    (float, "float", lambda value, name, each: {name: repr(float(value))}),
    (tuple, "tuple", _tuple),
    (dict, "dict", _dict),
    (list, "list", lambda value, name, each: [each(item) for item in value]),
    (frozenset, "frozenset", _items),
    (set, "set", _items),
    (bytes, "bytes", lambda value, name, each: {name: bytes(value).hex()}),
    (bytearray, "bytearray", lambda value, name, each: {name: value.hex()}),
    (complex, "complex", lambda value, name, each: {name: [repr(value.real), repr(value.imag)]}),
    (range, "range", lambda value, name, each: {name: [value.start, value.stop, value.step]}),
)
"""By type, subclasses included: a `Counter` arrives as the `dict` that it is equal to."""

STANDARD: dict[str, dict[str, Callable[[Any], list[Any]]]] = {
    "collections": {"deque": lambda v: [list(v), v.maxlen]},
    "decimal": {"Decimal": lambda v: [str(v)]},
    "fractions": {"Fraction": lambda v: [v.numerator, v.denominator]},
    "datetime": {
        "date": lambda v: [v.year, v.month, v.day],
        "datetime": lambda v: [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond],
        "time": lambda v: [v.hour, v.minute, v.second, v.microsecond],
        "timedelta": lambda v: [v.days, v.seconds, v.microseconds],
    },
}
"""Value types of the standard library: what their constructor makes an equal one of."""


def _standard(inner: Any, each: Each) -> Any:
    module, name, parts = inner
    if name not in STANDARD[module]:
        raise ValueError("not a value type")
    __import__(module)
    return getattr(sys.modules[module], name)(*each(parts))


def _named(inner: Any, each: Each) -> Named:
    fields, items = inner
    value = Named(each(item) for item in items)
    value.__dict__["_fields"] = tuple(str(field) for field in fields)
    return value


READERS: dict[str, Callable[[Any, Each], Any]] = {
    "int": lambda inner, each: int(inner, 16),
    "float": lambda inner, each: float(inner),
    "tuple": lambda inner, each: tuple(each(item) for item in inner),
    "named": _named,
    "dict": lambda inner, each: {each(key): each(item) for key, item in inner},
    "frozenset": lambda inner, each: frozenset(each(item) for item in inner),
    "set": lambda inner, each: {each(item) for item in inner},
    "bytes": lambda inner, each: bytes.fromhex(inner),
    "bytearray": lambda inner, each: bytearray.fromhex(inner),
    "complex": lambda inner, each: complex(float(inner[0]), float(inner[1])),
    "range": lambda inner, each: range(*inner),
    "std": _standard,
    "type": lambda inner, each: TYPES[inner],
}


def update(old: Any, new: Any) -> None:
    """Make the mutable `old` equal to `new` in place, as a callee that changed it would have."""
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        for place, (before, after) in enumerate(zip(old, new, strict=False)):
            new[place] = _updated(before, after)
        old[:] = new
    elif isinstance(old, dict):
        changed = {key: _updated(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(changed)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new


def _updated(before: Any, after: Any) -> Any:
    if type(before) is type(after) and isinstance(before, list | dict | set | bytearray):
        update(before, after)
        return before
    return after
