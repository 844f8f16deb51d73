"""Generated multi-step arithmetic word problems with their working, split by a hash."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Literal

Split = Literal["train", "test"]

LARGEST = 300  # no value in a problem's working exceeds this
SMALLEST_START, LARGEST_START = 20, 120
SMALLEST_CHANGE, LARGEST_CHANGE = 5, 80
MOST_GROUPS, LARGEST_GROUP = 6, 25
TEST_SHARE = 16  # one question in this many is a test question
FEWEST_STEPS, MOST_STEPS = 3, 6
TWO_STEP_KINDS = frozenset({"gain_groups", "lose_groups"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One word problem: `solution` has `steps` equations, one a line, then `Answer: N`."""

    question: str
    solution: str
    answer: str
    steps: int


@dataclass(frozen=True, slots=True)
class Story:
    """One story shape: sentences with {name}, {thing}, {n} and, for groups, their number {m}."""

    things: tuple[str, ...]
    opening: str
    events: Mapping[str, tuple[str, ...]]
    closing: str


@dataclass(frozen=True, slots=True)
class Language:
    """The names and story shapes of one language."""

    names: tuple[str, ...]
    stories: tuple[Story, ...]


ENGLISH = Language(
    names=(
        *("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas"),
        *("Kira", "Leo", "Maya", "Nina", "Omar", "Petra", "Rosa", "Sam", "Tom", "Vera"),
    ),
    stories=(
        Story(
            ("marbles", "stamps", "cards", "shells"),
            "{name} has {n} {thing}.",
            {
                "gain": ("{name} finds {n} more.", "A friend gives {name} {n} more {thing}."),
                "lose": ("{name} gives {n} away.", "{name} loses {n} of the {thing}."),
                "gain_groups": ("{name} buys {m} packs of {n} {thing}.",),
                "lose_groups": ("{name} gives {m} friends {n} {thing} each.",),
                "times": ("Then {name} has {n} times as many {thing}.",),
                "share": ("{name} splits the {thing} into {n} equal piles and keeps one.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("rolls", "buns", "cakes"),
            "A bakery starts the day with {n} {thing}.",
            {
                "gain": ("{name} bakes {n} more.",),
                "lose": ("The bakery sells {n}.", "{n} of the {thing} are sold."),
                "gain_groups": ("{name} bakes {m} trays with {n} {thing} each.",),
                "lose_groups": ("{m} customers buy {n} {thing} each.",),
            },
            "How many {thing} are left?",
        ),
        Story(
            ("books",),
            "The library has {n} {thing}.",
            {
                "gain": ("Readers return {n} {thing}.", "{name} gives the library {n} more."),
                "lose": ("Readers take {n} {thing} home.",),
                "gain_groups": ("{m} boxes of {n} {thing} arrive.",),
                "lose_groups": ("{m} schools borrow {n} {thing} each.",),
                "times": ("In a year there are {n} times as many {thing}.",),
            },
            "How many {thing} does the library have now?",
        ),
        Story(
            ("eggs",),
            "{name} collects {n} {thing} on the farm.",
            {
                "gain": ("The next day brings {n} more {thing}.",),
                "lose": ("{name} sells {n} {thing}.", "{n} {thing} break."),
                "gain_groups": ("{m} hens lay {n} {thing} each.",),
                "lose_groups": ("{name} fills {m} cartons with {n} {thing} each and sells them.",),
                "share": ("{name} puts the {thing} into {n} equal baskets and keeps one.",),
            },
            "How many {thing} does {name} have left?",
        ),
        Story(
            ("apples", "pears", "plums"),
            "{name} picks {n} {thing}.",
            {
                "gain": ("{name} picks {n} more.",),
                "lose": ("{n} {thing} are eaten.", "{name} sells {n} {thing}."),
                "gain_groups": ("{m} trees give {n} {thing} each.",),
                "lose_groups": ("{name} sells {m} bags of {n} {thing}.",),
                "share": ("{name} puts the {thing} into {n} equal baskets and keeps one.",),
            },
            "How many {thing} does {name} have left?",
        ),
        Story(
            ("passengers",),
            "A train leaves with {n} {thing}.",
            {
                "gain": ("{n} {thing} get on.", "At the next stop {n} more get on."),
                "lose": ("{n} {thing} get off.", "At the next stop {n} get off."),
                "gain_groups": ("{m} groups of {n} get on.",),
                "lose_groups": ("{m} groups of {n} get off.",),
            },
            "How many {thing} are on the train now?",
        ),
        Story(
            ("dollars",),
            "{name} has saved {n} {thing}.",
            {
                "gain": ("{name} earns {n} {thing}.", "{name} gets a gift of {n} {thing}."),
                "lose": ("{name} spends {n} {thing}.", "{name} pays {n} {thing} for a bike."),
                "gain_groups": ("{name} works {m} days for {n} {thing} each.",),
                "lose_groups": ("{name} buys {m} tickets for {n} {thing} each.",),
                "times": ("The savings grow to {n} times as much.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("points",),
            "{name} starts a game with {n} {thing}.",
            {
                "gain": ("{name} wins {n} {thing}.",),
                "lose": ("{name} loses {n} {thing}.",),
                "gain_groups": ("{name} wins {m} rounds worth {n} {thing} each.",),
                "lose_groups": ("{name} loses {m} rounds worth {n} {thing} each.",),
                "times": ("A bonus makes the score {n} times as large.",),
                "share": ("The score is divided by {n}.",),
            },
            "How many {thing} does {name} have now?",
        ),
        Story(
            ("crates", "parcels"),
            "A warehouse holds {n} {thing}.",
            {
                "gain": ("{n} more arrive.", "A truck brings {n} {thing}."),
                "lose": ("A truck takes {n} {thing} away.",),
                "gain_groups": ("{m} trucks bring {n} {thing} each.",),
                "lose_groups": ("{m} trucks take {n} {thing} each away.",),
                "share": (
                    "The {thing} are split equally over {n} halls, and {name} counts one hall.",
                ),
            },
            "How many {thing} are there now?",
        ),
        Story(
            ("litres",),
            "A tank holds {n} {thing} of water.",
            {
                "gain": ("{name} adds {n} {thing}.", "Rain adds {n} {thing}."),
                "lose": ("{name} uses {n} {thing}.",),
                "gain_groups": ("{name} adds {m} barrels of {n} {thing}.",),
                "lose_groups": ("{name} fills {m} barrels with {n} {thing} each from the tank.",),
            },
            "How many {thing} are in the tank now?",
        ),
        Story(
            ("pencils", "pens"),
            "A school has {n} {thing}.",
            {
                "gain": ("The school buys {n} more.",),
                "lose": ("{n} {thing} are lost.", "{name} hands out {n} {thing}."),
                "gain_groups": ("{name} orders {m} boxes of {n} {thing}.",),
                "lose_groups": ("{m} classes take {n} {thing} each.",),
                "share": (
                    "The {thing} are split equally over {n} classes, and {name} counts one class.",
                ),
            },
            "How many {thing} are there now?",
        ),
        Story(
            ("roses", "tulips"),
            "There are {n} {thing} in the garden.",
            {
                "gain": ("{name} plants {n} more.",),
                "lose": ("{name} cuts {n} {thing}.",),
                "gain_groups": ("{name} plants {m} rows of {n} {thing}.",),
                "lose_groups": ("{name} cuts {m} rows of {n} {thing}.",),
                "times": ("In spring there are {n} times as many {thing}.",),
            },
            "How many {thing} are in the garden now?",
        ),
        Story(
            ("bolts", "screws"),
            "A factory makes {n} {thing} in the morning.",
            {
                "gain": ("Then it makes {n} more.",),
                "lose": ("{n} {thing} are thrown away.",),
                "gain_groups": ("{m} machines make {n} {thing} each.",),
                "lose_groups": ("The factory sells {m} boxes of {n} {thing}.",),
                "times": ("By evening there are {n} times as many {thing}.",),
            },
            "How many {thing} does the factory have now?",
        ),
        Story(
            ("visitors",),
            "In the morning {n} {thing} are in the museum.",
            {
                "gain": ("{n} more come in.",),
                "lose": ("{n} {thing} go home.",),
                "gain_groups": ("{m} buses bring {n} {thing} each.",),
                "lose_groups": ("{m} groups of {n} go home.",),
            },
            "How many {thing} are in the museum now?",
        ),
    ),
)

LANGUAGES: Mapping[str, Language] = {"en": ENGLISH}


def split_of(question: str) -> Split:
    """Return the split a question belongs to, fixed by a hash of its text alone."""
    digest = blake2b(question.encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def generate(
    count: int,
    seed: int,
    *,
    split: Split,
    language: str = "en",
    fewest: int = FEWEST_STEPS,
    most: int = MOST_STEPS,
) -> Iterator[Problem]:
    """Yield `count` problems of `fewest` to `most` steps, the same for the same arguments.

    A question's split depends on its text alone, so no seed or count brings a test question into
    training.
    """
    random = Random(seed)
    yielded = 0
    while yielded < count:
        problem = _draw(random, LANGUAGES[language], random.randint(fewest, most))
        if split_of(problem.question) == split:
            yielded += 1
            yield problem


def _draw(random: Random, language: Language, steps: int) -> Problem:
    """Draw one problem of either split with `steps` equations."""
    story = random.choice(language.stories)
    words = {"name": random.choice(language.names), "thing": random.choice(story.things)}
    total = random.randint(SMALLEST_START, LARGEST_START)
    sentences = [story.opening.format(n=total, **words)]
    equations: list[str] = []
    kinds = sorted(story.events)
    while len(equations) < steps:
        kind = random.choice(kinds)
        if kind in TWO_STEP_KINDS and len(equations) + 2 > steps:
            continue
        event = _event(random, kind, total)
        if event is not None:
            numbers, worked, total = event
            sentences.append(random.choice(story.events[kind]).format(**numbers, **words))
            equations += worked
    sentences.append(story.closing.format(**words))
    solution = "\n".join([*equations, f"Answer: {total}"])
    return Problem(" ".join(sentences), solution, str(total), steps)


def _event(random: Random, kind: str, total: int) -> tuple[dict[str, int], list[str], int] | None:
    """Draw an event's numbers, equations and new total, or None where the total allows none."""
    if kind == "share":
        divisors = [
            n for n in range(2, MOST_GROUPS + 1) if total % n == 0 and total // n >= SMALLEST_CHANGE
        ]
        n = random.choice(divisors) if divisors else 0
        return ({"n": n}, [f"{total} / {n} = {total // n}"], total // n) if n else None
    if kind == "times":
        most = min(MOST_GROUPS, LARGEST // max(total, 1))
        n = random.randint(2, most) if most >= 2 else 0
        return ({"n": n}, [f"{total} * {n} = {total * n}"], total * n) if n else None
    gains = kind.startswith("gain")
    room = LARGEST - total if gains else total
    groups = random.randint(2, MOST_GROUPS) if kind in TWO_STEP_KINDS else 1
    if room < groups * SMALLEST_CHANGE:
        return None
    most = LARGEST_CHANGE if groups == 1 else LARGEST_GROUP
    n = random.randint(SMALLEST_CHANGE, min(room // groups, most))
    after = total + groups * n if gains else total - groups * n
    last = f"{total} {'+' if gains else '-'} {groups * n} = {after}"
    if groups == 1:
        return {"n": n}, [last], after
    return {"m": groups, "n": n}, [f"{groups} * {n} = {groups * n}", last], after
