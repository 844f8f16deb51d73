"""`multilingual` on what users, models and operators do that nobody wished for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from openai import APIStatusError

from gateway import Message
from gateway.errors import ModelNotFound
from gateway.testing import FakeBackend, Reply, answer_of, user
from gateway.types import Request
from gateway.wishes import Wishes
from tests.conftest import Serve
from tests.strategies.tongues import (
    GERMAN,
    SPEC,
    VERIFIERS,
    asked,
    is_evidence,
    text_of,
    writer,
)

DE = "Sie verdient damit jeden Tag achtzehn Dollar. Antwort: {}"
EN = "She makes eighteen dollars every single day. Answer: {}"
FR = "Elle gagne dix-huit dollars chaque jour. Réponse : {}"
SELECTS = ("auto", "agreement", "x_mbr", "mbr", "chops", "likelihood", "reward")
ROLES = {"outcome_reward": "the-reward"}
UTILITIES = ("auto", "answer", "chrf", "judge")


@pytest.mark.parametrize("select", ["auto", "agreement", "mbr", "likelihood"])
async def test_who_asks_for_french_in_english_gets_french(select: str) -> None:
    pool = [EN.format(7), EN.format(7), EN.format(7), FR.format(18), FR.format(7)]
    replies = [Reply.of(text, logprobs=[-0.1] * 40) for text in pool]
    question = "How much does she make every day? Please answer in French."
    answer = await asked(writer(replies), question, n=5, select=select, evidence=0)
    assert text_of(answer).startswith("Elle gagne")
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["language"] == "fr"


async def test_a_document_in_another_language_holds_nobody_to_it() -> None:
    question = f"{'She makes eighteen dollars every single day. ' * 200}\n\nWie viel verdient sie?"
    pool = [DE.format(18), DE.format(18), EN.format(7)]
    answer = await asked(writer(pool), question, n=3, evidence=0)
    assert text_of(answer) == pool[0]


QUESTIONS: dict[str, Any] = {
    "empty": "",
    "blank": " \n\t ",
    "emoji": "🎉🎉😂🔥",
    "numbers": "17 * 23 = ?",
    "mixed": "Bitte erkläre mir what the function does und warum",
    "romanised": "kyou wa nan youbi desu ka",
    "nul": "\x00\x01 wie viele?",
    "surrogates": "\ud83d wie viele Eier?",
    "long": "Wie viele Eier legen die Enten? " * 20_000,
    "parts": [{"type": "text", "text": GERMAN}, {"type": "image_url", "image_url": {"url": "x"}}],
    "no text": [{"type": "image_url", "image_url": {"url": "x"}}],
    "null": None,
}


@pytest.mark.parametrize("select", SELECTS[:-1])
@pytest.mark.parametrize("name", QUESTIONS)
async def test_whatever_is_asked_is_answered(name: str, select: str) -> None:
    pool = [DE.format(1), DE.format(2), EN.format(2), "🎉", ""]
    backend = writer([Reply.of(t, logprobs=[-0.1] * 40) for t in pool], evidence=[EN.format(2)])
    messages: list[Message] = [
        {"role": "system", "content": "Réponds toujours gentiment à la personne."},
        {"role": "user", "content": QUESTIONS[name]},
    ]
    answer = await answer_of(
        SPEC,
        backend,
        verifiers=VERIFIERS,
        wishes=Wishes(params={"n": 5, "select": select}),
        request=Request("fake", messages, fields={"seed": 1}),
    )
    assert text_of(answer) in pool[:4]
    assert len(answer.outcome.candidates) == 5
    assert answer.usage.completion_tokens == backend.written


@pytest.mark.parametrize("select", SELECTS)
async def test_an_empty_answer_is_the_last_to_be_given(select: str) -> None:
    for question in (GERMAN, "17 * 23 = ?"):
        pool = ["", " \n", "", EN.format(5)]
        backend = writer([Reply.of(text, logprobs=[-0.1] * 40) for text in pool])
        answer = await asked(backend, question, n=4, select=select, evidence=0, roles=ROLES)
        assert text_of(answer) == pool[3]


@pytest.mark.parametrize(("select", "utility"), [*itertools.product(SELECTS, UTILITIES)])
async def test_small_budgets_are_kept_and_answered_within(select: str, utility: str) -> None:
    pool = [DE.format(n) for n in (1, 2, 2, 3)]
    for budget, tokens in ((1, None), (2, 9), (3, 1), (None, 1), (None, 12), (8, 60)):
        backend = writer(
            [Reply.of(text, logprobs=[-0.1] * 40) for text in pool], evidence=[EN.format(2)]
        )
        answer = await asked(
            backend,
            budget=budget,
            max_tokens=tokens,
            select=select,
            utility=utility,
            roles=ROLES,
        )
        assert answer.outcome.candidates
        assert budget is None or backend.begun <= budget
        assert tokens is None or backend.written <= tokens


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"n": 2}'}}


async def test_calls_of_tools_are_candidates_and_win_by_votes() -> None:
    calls = [Reply([], tool_calls=[CALL], finish_reason="tool_calls")] * 2
    backend = writer([*calls, DE.format(1)])
    answer = await asked(backend, n=3, fields={"tools": [{"type": "function"}]})
    assert answer.outcome.candidates[0].tool_calls
    assert not any(map(is_evidence, backend.calls))


def without(missing: str, backend: FakeBackend) -> FakeBackend:
    """`backend`, which does not have the model `missing`."""
    known = backend.call
    backend._models = ["fake", "another"]

    def call(request: Any) -> Any:
        if request.model == missing:
            raise ModelNotFound(f"the model {missing!r} does not exist", param="model")
        return known(request)

    backend.call = call  # type: ignore[method-assign]
    return backend


async def test_a_translator_that_nobody_serves_is_done_without() -> None:
    pool = [DE.format(n) for n in (1, 2, 2, 3, 1)]
    backend = without("gone", writer(pool, evidence=[EN.format(2)]))
    answer = await asked(backend, evidence_by="translation", roles={"translate": "gone"})
    assert text_of(answer) == pool[0]
    assert "evidence" in answer.outcome.degraded


async def test_an_embedder_that_nobody_serves_leaves_the_greedy_answer() -> None:
    pool = ["Die Katze schläft.", "Ein Hund läuft durch den Garten.", "Die Katze schläft heute."]
    backend = without("gone", writer(pool))
    answer = await asked(backend, n=3, select="mbr", roles={"embed": "gone"})
    assert text_of(answer) == pool[0]
    assert {"embedding", "unjudged"} <= set(answer.outcome.degraded)


POOL = [EN.format(7), EN.format(7), DE.format(18), EN.format(7), DE.format(18)]


@pytest.mark.parametrize("n", [1, 2, 5])
async def test_choices_streamed_or_not_have_the_users_language_first(serve: Serve, n: int) -> None:
    ask: dict[str, Any] = {
        "model": "fake",
        "messages": user(GERMAN),
        "n": n,
        "extra_headers": {"x-its-strategy": "multilingual"},
    }
    whole = await (await serve(writer(POOL))).client().chat.completions.create(**ask)
    texts = [choice.message.content or "" for choice in whole.choices]
    assert len(texts) == n
    assert [text.startswith("Sie") for text in texts] == [i < 2 for i in range(n)]
    client = (await serve(writer(POOL))).client()
    streamed = [""] * n
    async for chunk in await client.chat.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


@pytest.mark.parametrize(
    ("roles", "params"),
    [
        ({"embed": "gone"}, {"select": "mbr", "utility": "embedding"}),
        ({"judge": "gone"}, {"select": "chops"}),
        ({"judge": "gone"}, {"select": "mbr", "utility": "judge"}),
        ({}, {"select": "reward"}),
    ],
)
async def test_a_model_that_was_asked_for_and_is_not_there_is_a_400_that_names_it(
    serve: Serve, roles: dict[str, str], params: dict[str, Any]
) -> None:
    backend = writer(POOL)
    served = await serve(backend, roles=roles)
    with pytest.raises(APIStatusError) as refused:
        await served.client().chat.completions.create(
            model="fake",
            messages=[{"role": "user", "content": GERMAN}],
            extra_body={"its": {"strategy": "multilingual", "params": params}},
        )
    assert refused.value.status_code == 400
    assert "roles." in refused.value.message
    assert backend.begun == 0
