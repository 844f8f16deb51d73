"""The same problem in two languages: what a perfect translator would make of a question."""

from collections.abc import Iterator, Mapping
from random import Random

from benchmarks.problems.generator import (
    FEWEST_STEPS,
    LARGEST_START,
    MOST_STEPS,
    SMALLEST_START,
    TWO_STEP_KINDS,
    Problem,
    Step,
    event,
    split_of,
)
from benchmarks.problems.languages import LANGUAGES
from benchmarks.problems.story import Language, Story

SCENES: Mapping[str, tuple[int, ...]] = {
    "en": tuple(range(14)),
    **dict.fromkeys(("de", "fr", "es", "zh"), (0, 1, 2, 4, 5, 6, 9, 8)),
    "ja": (0, 1, 2, 4, 5, 6, 9),
    "ru": (0, 1, 2, 4, 6, 9, 8),
}
"""Which of English's stories each story of a language tells, in its order."""


def parallel(count: int, seed: int, language: str, into: str) -> Iterator[tuple[Problem, str]]:
    """Yield `count` unseen problems and their questions in the language `into`, unseen too."""
    random = Random(f"{seed}:{language}:{into}")
    yielded = 0
    while yielded < count:
        problem, question = _draw(random, LANGUAGES[language], LANGUAGES[into])
        if split_of(problem.question) == split_of(question) == "test":
            yielded += 1
            yield problem, question


class _Telling:
    """A story in one language, as it grows."""

    def __init__(self, language: Language, scene: int, places: tuple[int, int]):
        self.language = language
        self.story: Story = language.stories[SCENES[language.code].index(scene)]
        name, thing = places
        forms = self.story.things[min(thing, len(self.story.things) - 1)].split("|")
        self._forms = forms
        self._words = {"name": language.names[name], "thing": forms[-1]}
        self.sentences: list[str] = []

    def tell(self, template: str, **numbers: int) -> None:
        counted = self._forms[self.language.form(numbers.get("n", 0))]
        self.sentences.append(template.format(counted=counted, **numbers, **self._words))

    @property
    def text(self) -> str:
        return self.language.space.join(self.sentences)


def _draw(random: Random, language: Language, into: Language) -> tuple[Problem, str]:
    scenes = [scene for scene in SCENES[language.code] if scene in SCENES[into.code]]
    scene, places = random.choice(scenes), (random.randrange(18), random.randrange(4))
    own, other = (_Telling(each, scene, places) for each in (language, into))
    kinds = sorted(own.story.events.keys() & other.story.events.keys())
    steps, total = (
        random.randint(FEWEST_STEPS, MOST_STEPS),
        random.randint(SMALLEST_START, LARGEST_START),
    )
    for each in (own, other):
        each.tell(each.story.opening, n=total)
    worked: list[Step] = []
    while len(worked) < steps:
        kind = random.choice(kinds)
        if kind in TWO_STEP_KINDS and len(worked) + 2 > steps:
            continue
        drawn = event(random, kind, total)
        if drawn is not None:
            numbers, fresh, total = drawn
            worked += fresh
            for each in (own, other):
                each.tell(random.choice(each.story.events[kind]), **numbers)
    for each in (own, other):
        each.tell(each.story.closing)
    lines = [f"{language.working[kind]}{language.colon}{equation}" for kind, equation in worked]
    problem = Problem(
        question=own.text,
        solution="\n".join([*lines, f"{language.answer}{total}"]),
        answer=str(total),
        steps=steps,
        language=language.code,
        equations=tuple(equation for _, equation in worked),
    )
    return problem, other.text
