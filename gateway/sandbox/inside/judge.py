"""The process that has the tests, and sees of the program only what it answers."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import sys
import types
from collections.abc import Callable

from .beginning import begin
from .examples import Example, examples_in, run_examples
from .frames import Frames, Gone
from .link import Link
from .material import Material, Unusable, gathered, missing
from .operations import COMPARISONS
from .remote import Remote, let_make
from .units import RECORD, Tally, counted, parameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODULE = "tests"
LONGEST = 400
OWN_OPERATIONS = frozenset(
    {"call", "getattr", "setattr", "getitem", "setitem", "contains", "len", "iter", "next", "str",
     "repr", "bool", "hash", *COMPARISONS}
)  # fmt: skip
"""What a program may do with an object whose class the tests define."""
TOLD = frozenset({"__name__", "__qualname__", "__doc__", "__module__"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (
    *FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign,
    ast.AnnAssign, ast.AugAssign, ast.Pass,
)  # fmt: skip
"""Statements that prepare: they count only where they fail."""


def may(name: str, target: Any, args: tuple[Any, ...]) -> bool:
    """Whether the program may do this with an object of the judge's.

    It may call what it was given, step through it, and use objects of the tests' own classes by
    their public names. It never reaches a frame, a global, or a private attribute.
    """
    if name == "getattr" and args[0] in TOLD:
        return isinstance(target, types.FunctionType)
    if name in ("getattr", "setattr") and str(args[0]).startswith("_"):
        return False
    if type(target).__module__ == MODULE:
        return name in OWN_OPERATIONS
    return name == "call" if callable(target) else name in ("iter", "next")


def given(value: Any) -> bool:
    """Whether an object of the judge's may be named to the program at all."""
    return (
        callable(value) or hasattr(value, "__next__") or type(value).__module__ == MODULE
    ) and not isinstance(value, types.ModuleType)


class Judge:
    """One run of the tests of `job`; `say` tells how it stands."""

    def __init__(self, job: dict[str, Any], link: Link, say: Callable[..., None]):
        self._job = job
        self._link = link
        self._say = say
        self._program = link.remote(0)
        self._tally = Tally(self._guard, self._stand)
        sys.modules[MODULE] = types.ModuleType(MODULE)
        self._names = vars(sys.modules[MODULE])
        self._names[RECORD] = self._tally

    def run(self) -> None:
        """Load the program, run its tests, and say what came of it."""
        try:
            material = gathered(self._job["tests"], self._job["prompt"])
            examples = examples_in(material.examples)
            self._judge(material, examples)
        except Unusable as error:
            self._say(unusable=str(error)[:LONGEST])
            return
        except Gone as error:
            self._tally.fault("runtime", f"the program ended before its tests: {error}")
        self._stand(done=True)

    def _judge(self, material: Material, examples: list[Example]) -> None:
        trees = [material.tests, *(example.tree for example in examples)]
        wanted, used = missing(trees, material)
        counted(material.tests, self._tally)
        if not material.tests.body and not examples:
            return
        loaded = self._program.load()
        if loaded["how"] != "ok":
            how = "compile" if loaded["how"] == "compile" else "runtime"
            self._tally.fault(how, str(loaded["why"]))
            return
        entry = material.wanted or next(map(str, reversed(loaded["defined"])), "")
        self._prepare(material, wanted, used, entry)
        for node in material.tests.body:
            self._statement(node)
        self._run_uncalled(material.tests, entry)
        run_examples(examples, self._names, self._tally, self._guard)

    def _prepare(self, material: Material, wanted: list[str], used: list[str], entry: str) -> None:
        """Give the tests the names that they use and do not define."""
        for name in used:
            with contextlib.suppress(ImportError):
                self._names[name] = __import__(name)
        for node in material.prelude.body:
            code = compile(ast.Module([node], []), "prompt", "exec")
            try:
                exec(code, self._names)  # noqa: S102
            except Exception:  # noqa: BLE001 - what the prompt cannot give is missed later
                continue
        for name in wanted:
            found = self._found(name) or (self._found(entry) if name == "candidate" else None)
            if found is not None:
                self._names[name] = found[0]

    def _found(self, name: str) -> tuple[Any] | None:
        found = self._program.find(name)
        if not isinstance(found, tuple) or len(found) != 1:
            return None
        if isinstance(found[0], Remote) and name[:1].isupper():
            let_make(found[0])
        return found

    def _statement(self, node: ast.stmt) -> None:
        if _is_main(node):
            return
        code = compile(ast.Module([node], []), MODULE, "exec")
        if isinstance(node, ast.Import | ast.ImportFrom):
            try:
                exec(code, self._names)  # noqa: S102
            except ImportError as error:
                raise Unusable(f"{ast.unparse(node)}: {error}") from None
            return
        plain = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        self._step(
            lambda: exec(code, self._names),  # noqa: S102
            ast.unparse(node).splitlines()[0][:160],
            counts=not (plain or isinstance(node, DEFINITIONS)),
        )

    def _step(self, run: Callable[[], object], shown: str, *, counts: bool = True) -> None:
        """Run a part of the tests; it counts for itself unless it holds counted assertions."""
        reached = self._tally.reached
        error: BaseException | None = None
        try:
            result = run()
            if isinstance(result, types.CoroutineType):
                _finish(result)
        except (Gone, Unusable):
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the tests or the program raise
            error = raised
        self._guard()
        if error is None:
            error, self._link.broken = self._link.broken, None
        if error is not None or (counts and self._tally.reached == reached):
            self._tally.other(shown, error)

    def _run_uncalled(self, tests: ast.Module, entry: str) -> None:
        """Call test functions, and the methods of test cases, that no statement has called."""
        called = {
            node.func.id
            for statement in tests.body
            if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)) and not _is_main(statement)
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for node in tests.body:
            if isinstance(node, ast.ClassDef):
                self._run_case(self._names.get(node.name))
            elif isinstance(node, FUNCTIONS) and node.name not in called:
                self._run_function(node.name, entry)

    def _run_function(self, name: str, entry: str) -> None:
        if not name.startswith(("check", "test")):
            return
        function = self._names[name]
        needed = parameters(function)
        if needed == 0:
            self._step(function, name)
        elif needed == 1:
            found = self._found(entry) or (None,)
            self._step(lambda: function(found[0]), name)

    def _run_case(self, case: Any) -> None:
        unittest = sys.modules.get("unittest")
        if (
            unittest is None
            or not isinstance(case, type)
            or not issubclass(case, unittest.TestCase)
        ):
            return
        for name in unittest.TestLoader().getTestCaseNames(case):
            self._step(case(name).debug, f"{case.__name__}.{name}")

    def _guard(self) -> None:
        """`Gone` where the program has ended, even if a test has swallowed that."""
        if self._link.gone:
            raise Gone("it closed its connection")

    def _stand(self, *, done: bool = False) -> None:
        passed, total = self._tally.standing
        self._say(how=self._tally.how, why=self._tally.why[:LONGEST], passed=passed, total=total,
                  done=done)  # fmt: skip


def _is_main(node: ast.stmt) -> bool:
    """Whether this is for running the tests as a script: `if __name__ == …`, `unittest.main()`."""
    text = ast.unparse(node.test if isinstance(node, ast.If) else node)
    return text.startswith(("__name__ ==", "unittest.main("))


def _finish(coroutine: Any) -> None:
    import asyncio  # takes long to load, and few tests need it

    asyncio.run(coroutine)


def main(control: int, counterpart: int) -> None:
    """Read the job, judge, and say each change on the control socket, a JSON object a line."""
    job = begin(control, counterpart)

    def say(**what: Any) -> None:
        os.write(control, json.dumps(what).encode() + b"\n")

    if "random" in job["tests"]:
        import random

        random.seed(0)  # so that a verdict repeats
    Judge(job, Link(Frames(counterpart), may, given), say).run()
