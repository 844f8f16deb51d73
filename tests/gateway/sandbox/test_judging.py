"""What tests may look like, and what a program under test may be to them."""

from __future__ import annotations

import textwrap

import pytest

from gateway.sandbox.local import LocalSandbox
from gateway.sandbox.verdict import Limits

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

LIMITS = Limits(seconds=2.0)

STACK = """
class Empty(LookupError): pass
class Stack:
    def __init__(self, items=()): self.items = list(items)
    def push(self, item): self.items.append(item)
    def pop(self):
        if not self.items: raise Empty("nothing there")
        return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __contains__(self, item): return item in self.items
    def __eq__(self, other): return isinstance(other, Stack) and self.items == other.items
    def __add__(self, other): return Stack(self.items + other.items)
    def __getitem__(self, place): return self.items[place]
    def __enter__(self): return self
    def __exit__(self, *error): return True
"""

PASSING = {
    "plain values keep their types": (
        "def f(): return [1, 2.5, 'x', None, True, (1,), {1: (2,)}, {3}, frozenset({4}), b'5', 6j]",
        "assert f() == [1, 2.5, 'x', None, True, (1,), {1: (2,)}, {3}, frozenset({4}), b'5', 6j]\n"
        "assert [type(v).__name__ for v in f()] == ['int', 'float', 'str', 'NoneType', 'bool',"
        " 'tuple', 'dict', 'set', 'frozenset', 'bytes', 'complex']\nassert f()[4] is True",
    ),
    "values of the standard library": (
        "import datetime, decimal, fractions, collections\n"
        "def f(): return [datetime.date(2020, 1, 2), decimal.Decimal('1.10'), fractions.Fraction(1, 3),\n"
        "    collections.deque([1]), collections.Counter('aab'), range(3), float('inf'), 10 ** 40]",
        "import datetime, decimal, fractions, collections\n"
        "assert f() == [datetime.date(2020, 1, 2), decimal.Decimal('1.10'), fractions.Fraction(1, 3),"
        " collections.deque([1]), {'a': 2, 'b': 1}, range(3), float('inf'), 10 ** 40]",
    ),
    "arguments change in place": (
        "def f(v, d):\n    v.sort(); v[0].append(9); d['k'] = 1; d.pop('gone')\n",
        "v, inner, d = [[2], [1]], None, {'gone': 0}\ninner = v[1]\nf(v, d)\n"
        "assert v == [[1, 9], [2]]\nassert d == {'k': 1}",
    ),
    "callbacks": (
        "def f(g, v): return [g(item) for item in v]",
        "assert f(lambda item: item * 2, [1, 2]) == [2, 4]\nassert f(str.upper, ['a']) == ['A']\n"
        "assert f(len, ['abc']) == [3]",
    ),
    "decorators": (
        "import functools\ndef cached(g):\n    known = {}\n    @functools.wraps(g)\n"
        "    def h(n):\n        if n not in known: known[n] = g(n)\n        return known[n]\n    return h",
        "calls = []\n@cached\ndef g(n):\n    calls.append(n)\n    return n * n\n"
        "assert g(3) == 9 and g(3) == 9\nassert calls == [3]\nassert g.__name__ == 'g'",
    ),
    "closures and generators": (
        "def adder(n): return lambda m: n + m\ndef count():\n    n = 0\n    while True:\n        yield n\n        n += 1",
        "import itertools\nassert adder(2)(3) == 5\nassert list(itertools.islice(count(), 3)) == [0, 1, 2]\n"
        "assert next(count()) == 0",
    ),
    "coroutines": (
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1",
        "import asyncio\nassert asyncio.run(f(1)) == 2\nasync def test_f():\n    assert await f(2) == 3",
    ),
    "classes": (
        STACK,
        "s = Stack()\ns.push(1); s.push(2)\nassert len(s) == 2 and s.pop() == 2\nassert 1 in Stack([1]) and 2 not in s\n"
        "assert Stack([1]) + Stack([2]) == Stack([1, 2])\nassert Stack([1]) != Stack([2])\n"
        "assert [item for item in Stack([3, 4])] == [3, 4] and Stack([5])[0] == 5\nassert isinstance(s, Stack)\n"
        "s.items = [7]\nassert s.items == [7]",
    ),
    "exceptions of its own": (
        STACK,
        "try:\n    Stack().pop()\n    assert False, 'no error'\nexcept Empty as error:\n    assert 'nothing' in str(error)\n"
        "try:\n    Stack().pop()\nexcept LookupError:\n    pass\nelse:\n    raise AssertionError",
    ),
    "exceptions that are expected": (
        "def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
        "import unittest\nclass T(unittest.TestCase):\n    def test_raises(self):\n        with self.assertRaises(ValueError):\n"
        "            f(-1)\n    def test_equal(self):\n        self.assertEqual(f(1), 1)\n"
        "if __name__ == '__main__':\n    unittest.main()",
    ),
    "objects of the tests": (
        "def depth(node): return 0 if node is None else 1 + max(depth(node.left), depth(node.right))\n"
        "def cut(node): node.left = None",
        "class Node:\n    def __init__(self, left=None, right=None): self.left, self.right = left, right\n"
        "root = Node(Node(Node()), Node())\nassert depth(root) == 3\ncut(root)\nassert root.left is None and depth(root) == 2",
    ),
    "test functions": (
        "def f(x): return x + 1",
        "def test_one():\n    assert f(1) == 2\ndef test_two():\n    for n in range(3):\n        assert f(n) == n + 1\ndef helper(): assert False",
    ),
    "check that nobody calls": (
        "def help(x): return x\ndef f(x): return help(x) + 1",
        "METADATA = {}\ndef check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3",
    ),
    "an assertion that is meant to fail": (
        "def f(x): return x + 1",
        "try:\n    assert f(1) == 3\nexcept AssertionError:\n    pass\nelse:\n    raise RuntimeError",
    ),
    "modules that the tests forgot to import": (
        "import math as m\ndef f(x): return m.sqrt(x)",
        "assert math.fabs(f(4) - 2) < 1e-9\nassert abs(f(9) - 3) < 1e-9",
    ),
    "doctests": ("def f(x):\n    print('seen')\n    return x + 1", ">>> f(1)\nseen\n2\n>>> f('x')\nTraceback (most recent call last):\nTypeError: can only concatenate str (not \"int\") to str\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
async def test_right_programs_pass(sandbox: LocalSandbox, name: str) -> None:
    program, tests = PASSING[name]
    verdict = await sandbox.execute(program, tests, LIMITS)
    assert verdict.how == "pass", verdict
    assert verdict.passed == verdict.total > 0


FAILING = {
    "a comparison of the program's own": (
        "class A:\n    def __eq__(s, o): return True\n    def __lt__(s, o): return True\n    def __sub__(s, o): return 0.0\n"
        "    def __rsub__(s, o): return 0.0\n    def __abs__(s): return 0.0\n    def __contains__(s, o): return True\n"
        "    def __iter__(s): return iter(())\n    def startswith(s, o): return True\n    def issubset(s, o): return True\n"
        "    def __round__(s, n=0): return 2.5\n    __hash__ = object.__hash__\ndef f(x): return A()",
        ("f(1) == 2", "2 == f(1)", "f(1) < 3", "abs(f(1) - 2.5) < 1e-6", "abs(2.5 - f(1)) < 1e-6", "2 in f(1)",
         "f(1) in (2, 3)", "f(1).startswith('a')", "f(1).issubset({1})", "[f(1)] == [2]", "{'k': f(1)} == {'k': 2}",
         "f(1).__eq__(2) is True", "not f(1) != 2", "round(f(1), 1) == 2.5", "sorted([f(1)]) == [2]", "f(1) is True",
         "isinstance(f(1), int)", "(f(1), 1) <= (2, 0)", "min(f(1), 2) == 2"),
    ),
    "names that the tests take for Python's": (
        "def abs(x): return 0\ndef all(x): return True\nclass math:\n    fabs = isclose = lambda *a, **k: 0\n"
        "def len(x): return 3\ndef isinstance(*a): return True\ndef f(x): return 0",
        ("abs(f(1) - 2) < 1e-6", "all(n == 2 for n in [f(1)])", "math.fabs(f(1) - 2) < 1e-6", "len([f(1)]) == 3",
         "isinstance(f(1), str)", "math.isclose(f(1), 2)"),
    ),
    "a block that swallows": (
        "class f:\n    def __init__(s, x): s.value = 0\n    def __enter__(s): return s\n    def __exit__(s, *e): return True",
        ("f(1).value == 2",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
async def test_nothing_that_is_returned_says_what_it_equals(
    sandbox: LocalSandbox, name: str
) -> None:
    program, claims = FAILING[name]
    tests = "\n".join(f"assert {claim}" for claim in claims)
    verdict = await sandbox.execute(program, tests, LIMITS)
    assert verdict.how in ("fail", "runtime")
    assert verdict.passed == 0, "one of the claims was believed"
    assert verdict.total == len(claims)


async def test_a_context_manager_cannot_swallow_an_assertion(sandbox: LocalSandbox) -> None:
    program = "class Box:\n    def __enter__(s): return s\n    def __exit__(s, *e): return True\n    value = 1"
    verdict = await sandbox.execute(
        program, "with Box() as box:\n    assert box.value == 2", LIMITS
    )
    assert verdict.how == "fail"


async def test_an_assertion_in_a_callback_cannot_be_swallowed(sandbox: LocalSandbox) -> None:
    program = "def f(g):\n    try: g(1)\n    except BaseException: pass"
    verdict = await sandbox.execute(program, "def g(x):\n    assert x == 2\nf(g)", LIMITS)
    assert verdict.how == "fail"


async def test_ending_cannot_pass_for_an_expected_exception(sandbox: LocalSandbox) -> None:
    for tests in (
        "try:\n    f(-1)\n    assert False\nexcept Exception:\n    pass",
        "try:\n    f(-1)\nexcept:\n    pass\nassert True",
    ):
        verdict = await sandbox.execute("import os\ndef f(x): os._exit(0)", tests, LIMITS)
        assert verdict.how == "runtime", tests


async def test_a_program_cannot_reach_into_what_it_is_given(sandbox: LocalSandbox) -> None:
    program = textwrap.dedent("""
        def f(g, node, steps):
            found = []
            for thing in (g, node, steps):
                for name in ("__globals__", "__code__", "__closure__", "__class__", "__dict__",
                             "__init__", "__self__", "gi_frame", "f_back", "_secret"):
                    try:
                        value = getattr(thing, name)
                    except Exception:
                        continue
                    if "Remote" not in repr(type(thing)) or name not in ("__class__", "__init__"):
                        found.append(name)
            return found
    """)
    tests = (
        "secret = 42\nclass Node:\n    _secret = 42\n    value = 1\ndef g(x): return secret\n"
        "assert f(g, Node(), (n for n in range(3))) == []"
    )
    verdict = await sandbox.execute(program, tests, LIMITS)
    assert verdict.how == "pass", verdict.detail


PROMPT = '''Complete this function.

```python
import math
from typing import List

def scale() -> int:
    return 2

def f(values: List[int]) -> List[int]:
    """Double each.

    >>> f([1, 2])
    [2, 4]
    >>> f([])
    []
    """
```
'''


@pytest.mark.parametrize(
    "text",
    [
        "    return [scale() * v for v in values]",
        "return [scale() * v for v in values]",
        "```python\ndef f(values: List[int]) -> List[int]:\n    return [scale() * v for v in values]\n```",
        "Sure!\n```\ndef f(values):\n    return [math.floor(2 * v) for v in values]\n```\nFor example:\n```\n>>> f([1])\n```",
        "First\n```python\ndef helper(v): return 2 * v\n```\nthen\n```python\ndef f(values): return list(map(helper, values))\n```",
        "```python\ndef f(values):\n    return [2 * v for v in values]\n",
    ],
)
async def test_a_program_is_found_in_what_a_model_writes(sandbox: LocalSandbox, text: str) -> None:
    verdict = await sandbox.execute(text, "", LIMITS, prompt=PROMPT)
    assert (verdict.how, verdict.passed, verdict.total) == ("pass", 2, 2), verdict


async def test_prose_is_no_program(sandbox: LocalSandbox) -> None:
    verdict = await sandbox.execute("I cannot do that, sorry.", "", LIMITS, prompt=PROMPT)
    assert (verdict.how, verdict.passed) == ("compile", 0)


async def test_a_helper_of_the_prompts_cannot_be_replaced_in_the_tests(
    sandbox: LocalSandbox,
) -> None:
    program = "def scale(): return 0\ndef f(values): return [0 for v in values]"
    tests = "assert f([3]) == [scale() * 3]"
    verdict = await sandbox.execute(program, tests, LIMITS, prompt=PROMPT)
    assert verdict.how == "fail"


async def test_asserts_in_prose_are_tests(sandbox: LocalSandbox) -> None:
    prompt = "Write `add(a, b)`. It must pass:\n\nassert add(1, 2) == 3\nassert add(\n    2, 2\n) == 4\n\nThanks!"
    right = await sandbox.execute("def add(a, b): return a + b", "", LIMITS, prompt=prompt)
    wrong = await sandbox.execute("def add(a, b): return 3", "", LIMITS, prompt=prompt)
    assert (right.how, right.total) == ("pass", 2)
    assert (wrong.how, wrong.passed, wrong.total) == ("fail", 1, 2)


async def test_a_shown_function_to_be_fixed_is_no_help(sandbox: LocalSandbox) -> None:
    prompt = "Fix this:\n```python\ndef add(a, b):\n    return a - b\n```\nso that\nassert add(1, 2) == 3"
    right = await sandbox.execute("def add(a, b): return a + b", "", LIMITS, prompt=prompt)
    assert right.how == "pass"


async def test_a_verdict_repeats(sandbox: LocalSandbox) -> None:
    tests = "import random\nassert f([random.random() for _ in range(3)]) == 7\n"
    program = "def f(v): return (v, {'a', 'b', 'c'})"
    told = {await sandbox.execute(program, tests, LIMITS) for _ in range(3)}
    assert len(told) == 1
