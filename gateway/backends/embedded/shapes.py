"""Growing drafts in the shape of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from gateway.backends.embedded.draft import Draft, Grown
from gateway.backends.embedded.sampler import TokenLogprob
from gateway.backends.embedded.toolcalls import called
from gateway.grammar import REJECTED
from gateway.types import Candidate, Delta, Json, Usage


def opening(index: int) -> Delta:
    """The first chunk of a choice: who speaks."""
    return _delta(index, {"role": "assistant", "content": ""}, None, None, 0)


def growth(grown: Grown, names: Sequence[bytes], since: int) -> Delta:
    """A later chunk; `since` is how many tokens the chunks before it told."""
    draft = grown.draft
    told = None if draft.alternatives is None else logprobs(grown.logprobs, names)
    delta = _delta(draft.index, {"content": grown.text}, told, grown.finish, grown.tokens)
    if not draft.params.return_token_ids:
        return delta
    choice = {**delta.choice, "token_ids": draft.tokens[since : grown.tokens]}
    return Delta(delta.index, choice, delta.tokens)


def candidate(draft: Draft, names: Sequence[bytes], model: str) -> Candidate:
    """What an ended draft came to."""
    written = Candidate(
        id=f"cand-{uuid4().hex}",
        text="".join(draft.said),
        token_ids=tuple(draft.tokens),
        prompt_token_ids=tuple(draft.prompt.tolist()),
        logprobs=None if draft.alternatives is None else logprobs(draft.logprobs, names),
        model=model,
        finish_reason=draft.finish or "length",
        usage=Usage(len(draft.prompt), len(draft.tokens)),
        extra={"stop_reason": stop_reason(draft)},
    )
    return written if draft.tool is None else called(written, draft.tool)


def stop_reason(draft: Draft) -> str | int | None:
    """The stop string or the client's stop token that ended it, as vLLM tells them.

    `REJECTED` where a grammar's sampling gave it up: what it says so far is no answer.
    """
    if draft.guide is not None and draft.guide.rejected:
        return REJECTED
    last = draft.tokens[-1] if draft.tokens else None
    return draft.text.stopped or (last if last in draft.params.stop_token_ids else None)


def logprobs(entries: Sequence[TokenLogprob], names: Sequence[bytes]) -> Json:
    """OpenAI's `logprobs` of a choice."""
    content = [
        {
            **_token(entry.token, entry.logprob, names),
            "top_logprobs": [_token(token, value, names) for token, value in entry.top],
        }
        for entry in entries
    ]
    return {"content": content, "refusal": None}


def _token(token: int, logprob: float, names: Sequence[bytes]) -> Json:
    name = names[token]
    return {"token": name.decode(errors="replace"), "logprob": logprob, "bytes": list(name)}


def _delta(index: int, delta: Json, told: Json | None, finish: str | None, tokens: int) -> Delta:
    choice = {"index": index, "delta": delta, "logprobs": told, "finish_reason": finish}
    return Delta(index, choice, tokens)
