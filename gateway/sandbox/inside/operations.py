"""What one process may ask another to do with an object of its own."""

from __future__ import annotations

import operator
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
ARITHMETIC = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor",
    "lshift", "rshift",
)  # fmt: skip


def _reflected(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda target, other: operation(other, target)


def _await(target: Any) -> Any:
    import asyncio  # takes longer to load than all else here

    async def wait() -> Any:
        return await target

    return asyncio.run(wait())


ANY: dict[str, Callable[..., Any]] = {
    "call": lambda target, *args, **named: target(*args, **named),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "contains": operator.contains,
    "isinstance": lambda target, value: isinstance(value, target),
    "issubclass": lambda target, value: issubclass(value, target),
    "enter": lambda target: type(target).__enter__(target),
    "exit": lambda target: type(target).__exit__(target, None, None, None),
    "await": _await,
    "neg": operator.neg,
    "abs": abs,
    "int": int,
    "float": float,
    "index": operator.index,
    "len": len,
    "iter": iter,
    "next": next,
    "reversed": reversed,
    "str": str,
    "repr": repr,
    "bool": bool,
    "hash": hash,
    **{name: getattr(operator, name) for name in (*COMPARISONS, *ARITHMETIC)},
    **{f"r{name}": _reflected(getattr(operator, name)) for name in ARITHMETIC},
}
"""Name -> operation; its first argument is the object."""

PREDICATES = frozenset(
    name
    for kind in (str, bytes, list, tuple, dict, set, frozenset, int, float)
    for name in dir(kind)
    if name.startswith("is") or name in ("startswith", "endswith")
)
"""Methods of plain values that answer yes or no, and so could hide what the value is."""
