"""Tests cut into parts that are counted apart, so that one failure does not hide the rest."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECORD = "__its_record__"
BLOCKS = (ast.For, ast.While, ast.If)


class Tally:
    """How often tests passed, and the first that did not.

    `seen` says of each counted assertion True, False, or None where it was not reached; `guard`
    raises where nothing can count any more; `changed` is told of every change.
    """

    def __init__(self, guard: Callable[[], None], changed: Callable[[], None]):
        self.guard = guard
        self.changed = changed
        self.seen: dict[int, bool | None] = {}
        self.shown: dict[int, str] = {}
        self.others: list[bool] = []
        self.how = "pass"
        self.why = ""

    def site(self, shown: str) -> int:
        """A new assertion, which reads `shown`."""
        number = len(self.seen)
        self.seen[number], self.shown[number] = None, shown
        return number

    def passed(self, site: int) -> None:
        """Assertion `site` held."""
        self.guard()
        if self.seen[site] is None:
            self.seen[site] = True
            self.changed()

    def broke(self, site: int, error: BaseException) -> None:
        """Assertion `site` failed, or raised."""
        self.guard()
        if self.seen[site] is not False:
            self.seen[site] = False
            self.fault(_kind(error), f"{self.shown[site]}: {told(error)}")

    def other(self, shown: str, error: BaseException | None) -> None:
        """A test that is no counted assertion passed, or ended with `error`."""
        self.others.append(error is None)
        if error is None:
            self.changed()
        else:
            self.fault(_kind(error), f"{shown}: {told(error)}")

    def fault(self, how: str, why: str) -> None:
        """Something failed; the first such is what the run is told by."""
        if self.how == "pass":
            self.how, self.why = how, why
        self.changed()

    @property
    def reached(self) -> int:
        """How many counted assertions were reached."""
        return sum(1 for seen in self.seen.values() if seen is not None)

    @property
    def standing(self) -> tuple[int, int]:
        """Passed, and all; what was never reached counts only once something failed."""
        known = [seen for seen in self.seen.values() if self.how != "pass" or seen is not None]
        known += self.others
        return sum(1 for seen in known if seen), len(known)


def _kind(error: BaseException) -> str:
    return "fail" if isinstance(error, AssertionError) else "runtime"


def told(error: BaseException) -> str:
    """An exception in a few words."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - its text may be made by whatever the tests are
        text = type(error).__name__
    return text[:200].rstrip(": ")


def counted(tree: ast.Module, tally: Tally) -> None:
    """Rewrite the plain assertions of `tree` so that each is noted in `tally` and none ends it.

    Those are at the top, or straight in a function named `check…` or `test…`, loops and conditions
    included. Inside `try` or `with` an assertion may be meant to fail, and stays as it is.
    """
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith(("check", "test")):
            node.body = list(_rewritten(node.body, tally))
    tree.body = list(_rewritten(tree.body, tally))
    ast.fix_missing_locations(tree)


def _rewritten(body: list[ast.stmt], tally: Tally) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.Assert):
            yield _noted(node, tally.site(ast.unparse(node)[:160]))
            continue
        if isinstance(node, BLOCKS):
            node.body = list(_rewritten(node.body, tally))
            node.orelse = list(_rewritten(node.orelse, tally))
        yield node


def _noted(node: ast.Assert, site: int) -> ast.stmt:
    """`node` with its outcome noted: try: assert … / except: note failure / else: note success."""
    frame = ast.parse(
        f"try:\n    pass\nexcept BaseException as __its_error__:\n"
        f"    {RECORD}.broke({site}, __its_error__)\nelse:\n    {RECORD}.passed({site})\n"
    ).body[0]
    assert isinstance(frame, ast.Try)
    frame.body = [node]
    return ast.copy_location(frame, node)


def parameters(function: Any) -> int | None:
    """How many positional arguments `function` needs; None where it is no function of the tests."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return int(code.co_argcount - len(function.__defaults__ or ()))
