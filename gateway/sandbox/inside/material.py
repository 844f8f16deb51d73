"""The tests of a run: from what the client gave, or else from what its prompt shows."""

from __future__ import annotations

import ast
import builtins
import re
import sys

from .sources import blocks, defined, parsed, prelude, prompted, stubs

ASSERT = re.compile(r"^[ \t]*assert\b", re.MULTILINE)
NOISE = re.compile(r"^[ \t]*(?:```|~~~|\"\"\"|''')[^\n]*$", re.MULTILINE)
LONGEST_ASSERT = 30


class Unusable(Exception):
    """The client's tests are not Python."""


class Material:
    """What there is to test with.

    `tests` is code; `examples` are texts with doctests; `prelude` is code that the prompt provides;
    `wanted` is the function that the prompt asks for, or "".
    """

    def __init__(self, prelude: ast.Module, wanted: str):
        self.tests = ast.Module([], [])
        self.prelude = prelude
        self.examples: list[str] = []
        self.wanted = wanted


def gathered(tests: str, prompt: str) -> Material:
    """The material in `tests`, or where that is empty in `prompt`; `Unusable` where it is none."""
    opening = parsed(prompted(prompt)) or ast.Module([], [])
    found = stubs(opening)
    material = Material(prelude(opening), found[-1] if found else "")
    if not tests.strip():
        material.tests = ast.Module(_asserts(prompt), [])
        material.examples = _examples(prompt, opening)
        return material
    source = "\n".join(blocks(tests)) or tests
    if ">>>" in source and (parsed(source) is None or not _has_code(source)):
        material.examples = [NOISE.sub("", source)]
        return material
    try:
        material.tests = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        raise Unusable(f"{type(error).__name__}: {error.args[0]}{where}") from None
    return material


def _has_code(source: str) -> bool:
    tree = parsed(source)
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _asserts(prompt: str) -> list[ast.stmt]:
    """Each `assert` that begins a line of the prompt, over as many lines as it takes."""
    found: list[ast.stmt] = []
    lines = prompt.splitlines()
    for place, line in enumerate(lines):
        if not ASSERT.match(line):
            continue
        for end in range(place + 1, min(place + LONGEST_ASSERT, len(lines)) + 1):
            text = "\n".join([line.strip(), *lines[place + 1 : end]])
            if (tree := parsed(text)) is not None:
                found += tree.body
                break
    return found


def _examples(prompt: str, opening: ast.Module) -> list[str]:
    """Texts with doctests: the docstrings of the code, or the prompt as it stands."""
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    texts = [ast.get_docstring(n) or "" for n in ast.walk(opening) if isinstance(n, documented)]
    found = [text for text in texts if ">>>" in text]
    return found or ([NOISE.sub("", prompt)] if ">>>" in prompt else [])


def missing(trees: list[ast.Module], material: Material) -> tuple[list[str], list[str]]:
    """Names that the tests use and do not bind: those to find in the program, and modules.

    A program cannot pass off its own `abs` or `math` as Python's, nor its own helper as the
    prompt's: only names that are left over are looked up in it.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    bases = {
        n.value.id for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    bound = _bound(material.tests) | _bound(material.prelude)
    modules = (bases - called - bound) & sys.stdlib_module_names
    taken = bound | modules | set(dir(builtins))
    found = [name for name in dict.fromkeys(used) if name == material.wanted or name not in taken]
    return found, sorted(modules - {material.wanted})


def _bound(tree: ast.Module) -> set[str]:
    """Names that the top level of `tree` binds."""
    names = set(defined(tree))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names |= {
                n.id for n in ast.walk(node) if isinstance(n, ast.Name)
                and isinstance(n.ctx, ast.Store)
            }  # fmt: skip
    return names
