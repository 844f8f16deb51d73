"""Python in what people and models write: which parts of a text are code, and what they define."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)|\Z)", re.MULTILINE | re.DOTALL
)
LANGUAGES = frozenset({"", "python", "python3", "py", "py3", "pycon", "doctest"})
START = re.compile(r"^(?:from|import|def|class|async def|@)\b", re.MULTILINE)
CUTS = 50
"""How often prose behind code is cut off before it is given up."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
UNPARSABLE = (SyntaxError, ValueError, MemoryError, RecursionError)


def blocks(text: str) -> list[str]:
    """The fenced blocks of `text` that may be Python, the last of which may be cut."""
    return [body for language, body in FENCE.findall(text) if language.lower() in LANGUAGES]


def parsed(source: str) -> ast.Module | None:
    """The tree of `source`, or None where it is not Python."""
    try:
        return ast.parse(source)
    except UNPARSABLE:
        return None


def prompted(prompt: str) -> str:
    """The code that a prompt shows, less prose behind it; "" where there is none.

    A last function that has only its head is given a body of `pass`.
    """
    source = "\n".join(blocks(prompt))
    if not source:
        start = START.search(prompt)
        source = prompt[start.start() :] if start else ""
    for _ in range(CUTS):
        if not source.strip():
            return ""
        for attempt in (source, f"{source.rstrip()}\n    pass\n"):
            try:
                ast.parse(attempt)
            except SyntaxError as error:
                line = error.lineno or 1
            except UNPARSABLE:
                return ""
            else:
                return attempt
        lines = source.splitlines()
        source = "\n".join(lines[: min(line, len(lines)) - 1])
    return ""


def is_stub(node: ast.stmt) -> bool:
    """Whether `node` defines a function that is still to be written."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and all(
        isinstance(line, ast.Pass)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        or (isinstance(line, ast.Raise) and "NotImplemented" in ast.dump(line))
        for line in node.body
    )


def defined(tree: ast.Module) -> list[str]:
    """Functions and classes that stand at the top, less stubs, in order."""
    return [n.name for n in tree.body if isinstance(n, Definition) and not is_stub(n)]


def stubs(tree: ast.Module) -> list[str]:
    """Functions at the top that are still to be written, in order."""
    return [n.name for n in tree.body if isinstance(n, Definition) and is_stub(n)]


def prelude(tree: ast.Module) -> ast.Module:
    """What a prompt provides: its imports and, beside a stub, what it defines in full.

    A function that a prompt shows in full, and no stub, is there to be changed: it is no help.
    """
    given: tuple[type[ast.stmt], ...] = (ast.Import, ast.ImportFrom)
    if stubs(tree):
        given += (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    body = [node for node in tree.body if isinstance(node, given) and not is_stub(node)]
    return ast.Module(body, type_ignores=[])


def programs(text: str, prompt: str) -> Iterator[str]:
    """What a candidate's text may mean as a program, likeliest first.

    The text itself, its blocks, or the continuation of a function that the prompt began.
    """
    yield text
    found = [block for block in blocks(text) if block.strip()]
    if len(found) > 1:
        yield "\n".join(found)
    yield from reversed(found)
    tree = parsed(prompt)
    if tree is None or not stubs(tree):
        return
    opening = prompt.removesuffix("\n    pass\n").rstrip() + "\n"
    for body in (*reversed(found), text):
        yield opening + body
        yield opening + "    " + body.lstrip()
        yield opening + "\n".join("    " + line for line in body.splitlines())


def chosen(text: str, prompt: str) -> tuple[str, ast.Module] | SyntaxError:
    """The program that `text` holds, and its tree; how it fails to parse where it holds none.

    A program that defines what the prompt asks for goes before one that does not.
    """
    tree = parsed(prompt)
    wanted = stubs(tree)[-1:] if tree else []
    second: tuple[str, ast.Module] | None = None
    problem = SyntaxError("no code")
    for source in programs(text, prompt):
        try:
            compile(source, "program", "exec", dont_inherit=True)
            tree = ast.parse(source)
        except UNPARSABLE as error:
            problem = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
            continue
        names = defined(tree)
        if all(name in names for name in wanted) and (names or wanted):
            return source, tree
        second = second or (source, tree)
    return second or problem
