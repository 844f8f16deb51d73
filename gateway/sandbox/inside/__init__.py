"""What runs inside sandboxes: copied there without the gateway, so it imports nothing of it.

Two processes share a run. The *judge* has the tests; the *candidate* has the program under test.
Each is in a sandbox of its own, and all that passes between them are calls and plain values, so
that a program can answer its tests only by computing, or guessing, what they expect.

What these modules import is most of what a run costs: `typing`, `dataclasses` and their like are
left out, and `TYPE_CHECKING` is a constant of each module's own.
"""
