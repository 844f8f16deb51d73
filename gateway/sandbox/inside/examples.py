"""Doctests: what an interpreter's session in the tests or in the prompt shows."""

from __future__ import annotations

import ast
from collections.abc import Callable

from .sources import parsed
from .units import Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    import doctest
    from typing import Any


class Example:
    """One session; `tree` is its code, for the names in it."""

    def __init__(self, session: doctest.DocTest, tree: ast.Module):
        self.session = session
        self.tree = tree


def examples_in(texts: list[str]) -> list[Example]:
    """The sessions in `texts`; a text whose session cannot be read has none."""
    if not texts:
        return []
    import doctest  # takes longer to load than most runs last

    found = []
    for text in texts:
        try:
            session = doctest.DocTestParser().get_doctest(text, {}, "prompt", None, None)
        except ValueError:
            continue
        code = "\n".join(example.source for example in session.examples)
        if session.examples:
            found.append(Example(session, parsed(code) or ast.Module([], [])))
    return found


def run_examples(
    examples: list[Example], names: dict[str, Any], tally: Tally, guard: Callable[[], None]
) -> None:
    """Run each session on `names`; what it expects to see counts in `tally`."""
    if not examples:
        return
    import doctest

    class Runner(doctest.DocTestRunner):
        def report_start(self, out: Any, test: Any, example: Any) -> None: ...

        def report_success(self, out: Any, test: Any, example: Any, got: str) -> None:
            guard()
            if example.want:
                tally.other(example.source.strip(), None)

        def report_failure(self, out: Any, test: Any, example: Any, got: str) -> None:
            guard()
            wrong = AssertionError(f"expected {example.want.strip()}, got {got.strip()[:80]}")
            tally.other(example.source.strip()[:160], wrong)

        def report_unexpected_exception(
            self, out: Any, test: Any, example: Any, exc_info: Any
        ) -> None:
            guard()
            tally.other(example.source.strip()[:160], exc_info[1])

    runner = Runner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in examples:
        example.session.globs = dict(names)
        runner.run(example.session, out=lambda text: None, clear_globs=False)
        guard()
