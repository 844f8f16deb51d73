"""The tokenizer and the training conversations: stories, drills and system messages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from benchmarks.problems import LANGUAGES, Problem, generate
from benchmarks.problems.generator import LARGEST, LARGEST_CHANGE, LARGEST_GROUP, MOST_GROUPS

PAD, SYSTEM, USER, ASSISTANT, END = SPECIALS = (
    "<|pad|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
)
ROLE_TOKENS = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
SYSTEM_MESSAGES = (
    "You are a careful assistant.",
    "You are a helpful assistant.",
    "Solve the problem step by step.",
    "You solve arithmetic problems and show your working.",
    "Think step by step and end with the answer.",
)
SYSTEM_SHARE = 0.2
SECOND_TURN_SHARE = 0.04
LANGUAGE_SHARES: Mapping[str, float] = {
    "en": 0.32,
    "es": 0.17,
    "de": 0.16,
    "fr": 0.15,
    "zh": 0.09,
    "ru": 0.07,
    "ja": 0.04,
}
"""Shares of the training conversations; unequal, so that some languages are clearly weaker."""

SELF_EVALUATION = 'Would you do better if you started over? ("Yes." or "No.")'
"""The turn after an answer that asks the model to judge it (arXiv 2410.02725, section 3)."""
YES, NO = "Yes", "No"

Message = tuple[str, str]  # role, text


@dataclass(frozen=True, slots=True)
class Lessons:
    """What conversations hold: stories of `fewest` to `most` steps, and a share of drills.

    `json_share` of the stories ask for JSON and get it.
    """

    fewest: int
    most: int
    drill_share: float
    json_share: float
    most_drills: int  # in one conversation, so that it is about as long as one story


# Short ones first: they soonest teach to copy a question's numbers.
EASY = Lessons(fewest=1, most=2, drill_share=0.2, json_share=0.05, most_drills=1)
GENERAL = Lessons(fewest=2, most=8, drill_share=0.1, json_share=0.1, most_drills=6)


def train_tokenizer(seed: int, vocab: int, problems: int) -> Tokenizer:
    """Return a byte-level tokenizer of `vocab` entries, one token a digit, trained on problems.

    Merges may cross spaces, so that a phrase of the stories is one token and texts are short.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    stories = (p for code in LANGUAGES for p in _tokenizer_stories(code, seed, problems))
    texts = (t for p in stories for t in (p.question, p.solution, p.json_question, p.json_solution))
    tokenizer.train_from_iterator([*texts, *_tokenizer_phrases()], trainer)
    return tokenizer


def _tokenizer_stories(code: str, seed: int, problems: int) -> Iterator[Problem]:
    # The square root lets rare languages keep tokens of their own.
    share = LANGUAGE_SHARES[code] ** 0.5
    count = round(problems * share / sum(s**0.5 for s in LANGUAGE_SHARES.values()))
    return generate(count, seed, split="train", language=code, fewest=2, most=6)


def _tokenizer_phrases() -> list[str]:
    """Phrases that stories lack, often enough to become few tokens."""
    drills = [language.drill.format(a=1, operator="+", b=2) for language in LANGUAGES.values()]
    return [*SYSTEM_MESSAGES, SELF_EVALUATION, YES, NO, *drills] * 1000


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the vocabulary has."""
    found: int | None = tokenizer.token_to_id(token)
    assert found is not None, token
    return found


def render(messages: Iterable[Message], *, prompt: bool = False) -> str:
    """Return what the chat template makes of messages, ready for an answer if `prompt` is set."""
    text = "".join(f"{ROLE_TOKENS[role]}{content}{END}" for role, content in messages)
    return text + ASSISTANT if prompt else text


def drill(random: Random, code: str) -> list[Message]:
    """Return one bare calculation of the sizes that stories have, with its answer."""
    operator = random.choice("+-*/")
    a, b = random.randint(5, LARGEST), random.randint(5, LARGEST_CHANGE)
    if operator == "+":
        a = random.randint(3, LARGEST - b)
        result = a + b
    elif operator == "-":
        a, b = max(a, b), min(a, b)
        result = a - b
    else:
        a = random.randint(2, MOST_GROUPS)
        b = random.randint(5, LARGEST_GROUP if random.random() < 0.7 else LARGEST // a)
        result = a * b
        if operator == "/":
            a, b, result = result, a, b
        elif random.random() < 0.3:
            a, b = b, a
    language = LANGUAGES[code]
    return [
        ("user", language.drill.format(a=a, operator=operator, b=b)),
        ("assistant", f"{a} {operator} {b} = {result}\n{language.answer}{result}"),
    ]


def conversations(count: int, seed: int, lessons: Lessons) -> Iterator[list[Message]]:
    """Yield `count` training conversations, the same for the same arguments; no test stories."""
    random = Random(seed)
    stories = {
        code: generate(
            2 * count,
            seed,
            split="train",
            language=code,
            fewest=lessons.fewest,
            most=lessons.most,
        )
        for code in LANGUAGE_SHARES
    }
    codes, shares = list(LANGUAGE_SHARES), list(LANGUAGE_SHARES.values())
    for _ in range(count):
        messages: list[Message] = []
        code = random.choices(codes, shares)[0]
        if random.random() < SYSTEM_SHARE:
            messages.append(("system", random.choice(SYSTEM_MESSAGES)))
        if random.random() < lessons.drill_share:
            for _ in range(random.randint(1, lessons.most_drills)):
                messages += drill(random, code)
        else:
            for _ in range(2 if random.random() < SECOND_TURN_SHARE else 1):
                messages += lesson(next(stories[code]), random.random() < lessons.json_share)
        yield messages


def lesson(story: Problem, as_json: bool) -> list[Message]:
    """Return a story and its solution, in words or as JSON."""
    if as_json:
        return [("user", story.json_question), ("assistant", story.json_solution)]
    return [("user", story.question), ("assistant", story.solution)]
