"""The process that runs the program under test, and knows nothing of its tests."""

from __future__ import annotations

import io
import os
import sys
import types

from .beginning import begin
from .frames import Frames, Gone
from .link import Link
from .sources import chosen, defined, parsed, prelude, prompted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODULE = "solution"
MOST_PRINTED = 1 << 16


class Printed(io.StringIO):
    """What is printed, up to a limit; the rest is dropped."""

    def write(self, text: str) -> int:
        if self.tell() < MOST_PRINTED:
            super().write(text[:MOST_PRINTED])
        return len(text)


class Program:
    """The program, once it is loaded."""

    def __init__(self, job: dict[str, Any]):
        self._text: str = job["program"]
        self._prompt = prompted(job["prompt"])
        self._module = types.ModuleType(MODULE)

    def load(self) -> dict[str, Any]:
        """Run it: how that went ("ok", "compile", "runtime"), why, and what it defines."""
        found = chosen(self._text, self._prompt)
        if isinstance(found, SyntaxError):
            return {"how": "compile", "why": f"{type(found).__name__}: {found.msg}"}
        source, tree = found
        sys.modules[MODULE] = self._module
        names = vars(self._module)
        try:
            if (opening := parsed(self._prompt)) is not None:
                exec(compile(prelude(opening), "prompt", "exec"), names)  # noqa: S102
            exec(compile(source, MODULE, "exec", dont_inherit=True), names)  # noqa: S102
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - a program may raise anything
            return {"how": "runtime", "why": f"{type(error).__name__}: {error}"[:300]}
        return {"how": "ok", "why": "", "defined": defined(tree)}

    def find(self, name: str) -> tuple[Any, ...]:
        """What it calls `name`, alone in a tuple that is empty where there is none."""
        own = vars(self._module)
        return (own[name],) if name in own else ()


def main(control: int, counterpart: int) -> None:
    """Read the job, then serve the judge until it ends."""
    job = begin(control, counterpart)
    os.close(control)
    link = Link(Frames(counterpart), lambda name, target, args: True, lambda value: True)
    link.printed = Printed()
    sys.stdout = sys.stderr = link.printed
    link.offer(Program(job))
    try:
        link.serve()
    except Gone:
        os._exit(0)
