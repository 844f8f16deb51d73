"""What a language's stories are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


def last_form(_number: int) -> int:
    """Return the index of a noun's only form, or of its last."""
    return -1


@dataclass(frozen=True, slots=True)
class Story:
    """One story shape: sentences with {name}, {thing}, {n} and, for groups, their number {m}.

    A thing with several forms after numbers has them between bars; {counted} is the form that {n}
    takes, {thing} the last.
    """

    things: tuple[str, ...]
    opening: str
    events: Mapping[str, tuple[str, ...]]
    closing: str


@dataclass(frozen=True, slots=True)
class Language:
    """The names and story shapes of one language, and the words around its equations.

    `working` names each kind of equation; `answer` comes before the result, `colon` after a
    word of the working, `space` between sentences. `json` asks for an answer in JSON, `drill` for
    a bare calculation. `form` picks the form of a noun after a number.
    """

    code: str
    names: tuple[str, ...]
    stories: tuple[Story, ...]
    working: Mapping[str, str]
    answer: str
    drill: str
    json: str
    colon: str = ": "
    space: str = " "
    form: Callable[[int], int] = last_form
