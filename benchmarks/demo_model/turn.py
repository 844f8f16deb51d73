"""The turn that asks a model about its own answer."""

from tokenizers import Tokenizer

from benchmarks.demo_model.conversations import ASSISTANT, END, SELF_EVALUATION, USER, token_id


def question(tokenizer: Tokenizer) -> list[int]:
    """Return the ids between an answer and its judgement: the answer's end and the turn."""
    asked = tokenizer.encode(SELF_EVALUATION).ids
    end, user, assistant = (token_id(tokenizer, t) for t in (END, USER, ASSISTANT))
    return [end, user, *asked, end, assistant]
