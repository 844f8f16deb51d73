"""Wrong programs made from right ones, by their syntax tree.

The kinds and their order never change, so that a mutant has the same name each time.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

Function = ast.FunctionDef


def mutants(source: str, name: str) -> Iterator[tuple[str, str]]:
    """(kind, program) for each kind of mutant that function `name` of `source` has."""
    for kind, change in CHANGES.items():
        tree = ast.parse(source)
        function = next(n for n in tree.body if isinstance(n, Function) and n.name == name)
        if change(function):
            yield kind, ast.unparse(ast.fix_missing_locations(tree))


def _body(function: Function, text: str) -> bool:
    function.body = ast.parse(text).body
    return True


def _returns_none(function: Function) -> bool:
    return _body(function, "return None")


def _loops(function: Function) -> bool:
    return _body(function, "while True:\n    pass")


def _recurses(function: Function) -> bool:
    names = ", ".join(argument.arg for argument in function.args.args)
    return _body(function, f"return {function.name}({names})")


def _prints(function: Function) -> bool:
    """Every `return value` of the function's own prints it instead."""
    changed = False
    for node in ast.walk(function):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if not isinstance(block, list) or (isinstance(node, Function) and node is not function):
                continue
            for place, line in enumerate(block):
                if isinstance(line, ast.Return) and line.value is not None:
                    call = ast.Call(ast.Name("print", ast.Load()), [line.value], [])
                    block[place : place + 1] = [ast.Expr(call), ast.Return(None)]
                    changed = True
                    break
    return changed


def _off_by_one(function: Function) -> bool:
    """The first integer grows by one; without one, what is returned does where it is a number."""
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 1
            return True
    return False


def _wrong_branch(function: Function) -> bool:
    """The first condition is turned round."""
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            node.test = ast.UnaryOp(ast.Not(), copy.deepcopy(node.test))
            return True
        if isinstance(node, ast.comprehension) and node.ifs:
            node.ifs[0] = ast.UnaryOp(ast.Not(), node.ifs[0])
            return True
    return False


CHANGES: dict[str, Callable[[Function], bool]] = {
    "returns None": _returns_none,
    "off by one": _off_by_one,
    "wrong branch": _wrong_branch,
    "infinite loop": _loops,
    "deep recursion": _recurses,
    "prints": _prints,
}
