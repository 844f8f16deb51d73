"""The tokenizer and the training conversations: stories, drills and system messages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from benchmarks.problems import (
    LARGEST,
    LARGEST_CHANGE,
    LARGEST_GROUP,
    MOST_GROUPS,
    Problem,
    generate,
)

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
SYSTEM_SHARE = 0.25
SECOND_TURN_SHARE = 0.04

Message = tuple[str, str]  # role, text


@dataclass(frozen=True, slots=True)
class Lessons:
    """What conversations hold: stories of `fewest` to `most` steps, and a share of drills."""

    fewest: int
    most: int
    drill_share: float
    most_drills: int  # in one conversation, so that it is about as long as one story


# Short ones first: they soonest teach to copy a question's numbers.
EASY = Lessons(fewest=1, most=2, drill_share=0.25, most_drills=1)
GENERAL = Lessons(fewest=2, most=8, drill_share=0.15, most_drills=6)


def train_tokenizer(seed: int, vocab: int, problems: int) -> Tokenizer:
    """Return a byte-level tokenizer of `vocab` entries, one token a digit, trained on problems."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    stories = generate(problems, seed, split="train", fewest=2, most=6)
    texts = (f"{p.question}\n{p.solution}" for p in stories)
    tokenizer.train_from_iterator([*texts, *SYSTEM_MESSAGES, "What is 1 + 2?"], trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the vocabulary has."""
    found: int | None = tokenizer.token_to_id(token)
    assert found is not None, token
    return found


def render(messages: Iterable[Message], *, prompt: bool = False) -> str:
    """Return what the chat template makes of messages, ready for an answer if `prompt` is set."""
    text = "".join(f"{ROLE_TOKENS[role]}{content}{END}" for role, content in messages)
    return text + ASSISTANT if prompt else text


def drill(random: Random) -> list[Message]:
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
    return [
        ("user", f"What is {a} {operator} {b}?"),
        ("assistant", f"{a} {operator} {b} = {result}\nAnswer: {result}"),
    ]


def conversations(count: int, seed: int, lessons: Lessons) -> Iterator[list[Message]]:
    """Yield `count` training conversations, the same for the same arguments; no test stories."""
    random = Random(seed)
    stories: Iterator[Problem] = generate(
        2 * count, seed, split="train", fewest=lessons.fewest, most=lessons.most
    )
    for _ in range(count):
        messages: list[Message] = []
        if random.random() < SYSTEM_SHARE:
            messages.append(("system", random.choice(SYSTEM_MESSAGES)))
        if random.random() < lessons.drill_share:
            for _ in range(random.randint(1, lessons.most_drills)):
                messages += drill(random)
        else:
            for _ in range(2 if random.random() < SECOND_TURN_SHARE else 1):
                story = next(stories)
                messages += [("user", story.question), ("assistant", story.solution)]
        yield messages
