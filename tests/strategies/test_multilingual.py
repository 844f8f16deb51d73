"""What `multilingual` draws, in which language it answers, and what evidence may do."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from gateway import InvalidRequest, Message
from gateway.errors import UpstreamUnavailable
from gateway.metrics import Metrics
from gateway.testing import Reply, answer_of, user
from gateway.trace import Trace
from gateway.types import Request
from gateway.wishes import Wishes
from strategies.evidence import can_be_asked, prompt_of, with_text, with_wish
from tests.strategies.tongues import (
    ENGLISH,
    GERMAN,
    SPEC,
    VERIFIERS,
    asked,
    is_evidence,
    text_of,
    writer,
)

SENTENCES = {
    "de": "Sie verdient damit jeden Tag achtzehn Dollar, also {n}. Antwort: {n}",
    "en": "She makes eighteen dollars every single day, so {n}. Answer: {n}",
    "fr": "Elle gagne dix-huit dollars chaque jour, donc {n}. Réponse : {n}",
    "ja": "彼女は毎日十八ドルを稼いでいますから、{n}です。答え: {n}",
}


def said(language: str, n: int) -> str:
    return SENTENCES[language].format(n=n)


async def test_the_first_is_greedy_and_the_rest_at_one_temperature() -> None:
    backend = writer([said("de", 18)])
    await asked(backend, n=5, fields={"seed": 3, "top_p": 0.5})
    first, *rest = [call.fields for call in backend.calls]
    assert first["temperature"] == 0.0
    assert not {"min_p", "top_p"} & set(first)
    assert [(f["temperature"], f["min_p"], f["top_p"]) for f in rest] == [(0.8, 0.1, 0.5)] * 4
    assert len({f["seed"] for f in [first, *rest]}) == 5


async def test_a_hedge_shares_the_budget_of_tokens() -> None:
    backend = writer([said("de", 18)])
    await asked(backend, n=5, max_tokens=50)
    assert [call.n for call in backend.calls] == [1, 4]
    assert {call.fields["max_tokens"] for call in backend.calls} == {10}


async def test_a_language_has_settings_of_its_own() -> None:
    languages = {"de": {"temperature": 0.4, "min_p": 0.2, "n": 3}}
    backend = writer([said("de", 18)])
    await asked(backend, n=5, languages=languages)
    assert backend.begun == 3
    assert backend.calls[1].fields["temperature"] == 0.4
    assert backend.calls[1].fields["min_p"] == 0.2
    backend = writer([said("en", 18)])
    await asked(backend, ENGLISH, n=5, languages=languages)
    assert backend.begun == 5


async def test_samples_are_split_by_error_curves() -> None:
    curves = {"en": [0.2, 0.19, 0.18], "de": [0.6, 0.5, 0.4]}
    for question, expected in ((GERMAN, 3), (ENGLISH, 1)):
        backend = writer([said("de", 18)])
        await asked(backend, question, n=2, split="worst", curves=curves, evidence=0)
        assert backend.begun == expected


METHODS = ("auto", "agreement", "x_mbr", "mbr", "chops", "likelihood")


@pytest.mark.parametrize("select", METHODS)
async def test_an_answer_in_another_language_never_wins_over_one_in_the_users(select: str) -> None:
    rng = random.Random(select)
    for _ in range(12):
        right = rng.randint(1, 4)
        pool = [said("de", rng.randint(1, 3)) for _ in range(right)]
        pool += [said(rng.choice(["en", "fr", "ja"]), 7) for _ in range(6 - right)]
        rng.shuffle(pool)
        replies = [Reply.of(text, logprobs=[-0.1] * 40) for text in pool]
        answer = await asked(writer(replies, evidence=[said("en", 7)]), n=6, select=select)
        assert text_of(answer).startswith("Sie verdient"), pool


async def test_without_a_right_one_the_best_of_the_others_is_the_answer() -> None:
    answer = await asked(writer([said("en", 5), said("en", 7), said("fr", 7)]), n=3)
    assert text_of(answer) == said("en", 7)


async def test_numbers_alone_are_in_no_wrong_language() -> None:
    answer = await asked(writer(["18", "18", said("de", 17), said("en", 18)]), n=4, evidence=0)
    assert text_of(answer) == "18"


async def test_an_unsure_question_holds_nobody_to_a_language() -> None:
    trace = Trace()
    backend = writer(["Answer: 391", "The answer is 391.", "Antwort: 4"])
    answer = await asked(backend, "17 * 23 = ?", trace=trace, n=3, evidence=0)
    assert text_of(answer) == "Answer: 391"
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["language"] is None
    assert trace.tallies["language_samples", ("unsure", "candidate")] == 3


@pytest.mark.parametrize(
    ("question", "wish", "language"),
    [(GERMAN, "Answer in English", "en"), (ENGLISH, "中文", "zh")],
)
async def test_evidence_is_in_english_and_for_english_in_chinese(
    question: str, wish: str, language: str
) -> None:
    code = "de" if question == GERMAN else "en"
    backend = writer(
        [said(code, 1), said(code, 1), said(code, 2), said(code, 2), said(code, 3)],
        evidence=[said("en", 2), said("en", 2), said("en", 1)],
    )
    trace = Trace()
    answer = await asked(backend, question, trace=trace)
    assert text_of(answer) == said(code, 2)
    assert wish in backend.calls[-1].messages[-1]["content"]
    assert backend.calls[-1].messages[-1]["content"].startswith(question)
    assert answer.samples == 5
    assert answer.usage.completion_tokens == backend.written
    assert trace.judging.completion_tokens > 0
    assert answer.outcome.support == 4 / 8
    told = answer.outcome.evidence
    assert told is not None
    assert told["evidence"]["language"] == language
    assert told["evidence"]["in_language"] == (3 if language == "en" else 0)
    assert trace.tallies["language_samples", (code, "evidence")] == 3


async def test_evidence_is_never_the_answer() -> None:
    backend = writer([said("de", 1), said("de", 2)], evidence=[said("de", 9)])
    answer = await asked(backend, n=5)
    assert text_of(answer) in (said("de", 1), said("de", 2))
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["evidence"]["answers"] == 3


async def test_evidence_that_can_change_nothing_is_not_drawn() -> None:
    trace = Trace()
    backend = writer([said("de", 18)])
    await asked(backend, n=5, trace=trace)
    assert backend.begun == 5
    assert trace.samples_saved == 3


async def test_evidence_counts_in_the_budget_of_samples() -> None:
    for budget in (1, 2, 4, 8):
        backend = writer([said("de", 1), said("de", 2)], evidence=[said("en", 2)])
        await asked(backend, budget=budget)
        assert backend.begun <= budget
    assert sum(is_evidence(call) for call in backend.calls) == 1
    assert backend.calls[-1].n == 2


async def test_evidence_keeps_the_clients_limit_and_seed() -> None:
    fields = {"max_completion_tokens": 30, "seed": 5}
    backend = writer([said("de", 1), said("de", 2)], evidence=[said("en", 2)])
    await asked(backend, fields=fields)
    drawn = [call.fields for call in backend.calls if is_evidence(call)]
    assert len(drawn) == 3
    assert all(f["max_tokens"] == 30 for f in drawn)
    seeds = {call.fields["seed"] for call in backend.calls}
    assert len(seeds) == len(backend.calls) == 8


async def test_a_language_without_a_prompt_is_asked_in_english_and_counted() -> None:
    backend = writer([said("de", 1), said("de", 2)], evidence=[said("en", 2)])
    answer = await asked(backend, evidence_languages=["la"])
    assert is_evidence(backend.calls[-1])
    assert "prompt_language" in answer.outcome.degraded


async def test_evidence_that_cannot_be_had_is_done_without() -> None:
    pool = [said("de", 1), said("de", 2), said("de", 2)]
    backend = writer(pool, evidence=[])
    failing = Reply(["x"], error=UpstreamUnavailable("down"))
    handler = backend._handler
    backend._handler = lambda s, n: failing if is_evidence(s) else handler(s, n)
    answer = await asked(backend, n=3)
    assert text_of(answer) == said("de", 2)
    assert "evidence" in answer.outcome.degraded


async def test_a_translation_is_asked_of_its_role_and_answered_instead() -> None:
    backend = writer(
        [said("de", 1), said("de", 2)],
        others={"translator": lambda sample, number: "Answer in English: how many?"},
        evidence=[said("en", 2)],
    )
    await asked(backend, n=2, evidence_by="translation", roles={"translate": "translator"})
    translating = [call for call in backend.calls if call.model == "translator"]
    assert len(translating) == 1
    prompt = translating[0].messages[0]["content"]
    assert prompt.startswith(prompt_of("en").translate)
    assert prompt.endswith(GERMAN)
    assert backend.calls[-1].messages == user("Answer in English: how many?")


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{}]},
        {"response_format": {"type": "json_object"}},
        {"structured_outputs": {"x": 1}},
    ],
)
async def test_tools_and_formats_get_no_evidence(fields: dict[str, object]) -> None:
    backend = writer(['{"answer": 1}', '{"answer": 2}', '{"answer": 2}'])
    answer = await asked(backend, n=3, fields=fields)
    assert backend.begun == 3
    assert text_of(answer) == '{"answer": 2}'


def test_what_is_asked_for_stands_at_the_end_of_the_last_turn() -> None:
    parts: list[Any] = [
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "was?"},
    ]
    messages: list[Message] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": parts},
    ]
    told = with_wish(messages, "In English.")
    assert told[0] == messages[0]
    assert told[1]["content"] == [*parts, {"type": "text", "text": "In English."}]
    assert with_text(messages, "what?")[1]["content"] == [
        parts[0],
        {"type": "text", "text": "what?"},
    ]
    assert messages[1]["content"] == parts
    assert can_be_asked(messages, {})
    assert not can_be_asked([*messages, {"role": "assistant", "content": "It is"}], {})
    assert not can_be_asked([], {})


def test_every_language_of_mgsm_has_a_prompt_and_no_name_leads_elsewhere() -> None:
    for code in ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"):
        prompt = prompt_of(code)
        assert (prompt.language, prompt.version) == (code, 1)
        assert len({prompt.answer, prompt.translate, ""}) == 3
    for name in ("xx", "../en", "en.toml", "", "EN/"):
        assert prompt_of(name).language == "en"


async def test_mbr_by_characters_takes_the_one_in_the_middle() -> None:
    pool = ["Die Katze schläft auf der Matte.", "Die Katze schläft auf der Matte heute.",
            "Ein Hund rennt durch den Garten."]  # fmt: skip
    answer = await asked(writer(pool[::-1]), n=3, select="mbr", utility="chrf")
    assert text_of(answer) != pool[2]
    assert answer.outcome.evidence is not None
    assert answer.outcome.evidence["utility"] == "chrf"


async def test_embeddings_need_a_role() -> None:
    backend = writer([said("de", 1), said("de", 2)])
    with pytest.raises(InvalidRequest, match=r"roles\.embed") as refused:
        await asked(backend, select="mbr", utility="embedding")
    assert refused.value.param == "utility"
    assert backend.begun == 0
    answer = await asked(backend, select="mbr", utility="embedding", roles={"embed": "e"})
    assert answer.outcome.scores[0].judged
    assert backend.inquiries[0].model == "e"


async def test_a_budget_that_ends_before_the_judge_leaves_the_greedy_answer() -> None:
    backend = writer([said("de", 1), said("de", 2), said("de", 3)])
    answer = await asked(backend, n=3, select="chops", max_tokens=3)
    assert answer.outcome.stop == "budget"
    assert answer.usage.completion_tokens == 3


async def test_who_won_and_what_it_took_is_counted_by_language() -> None:
    trace, metrics = Trace(), Metrics()
    backend = writer([said("de", 1), said("de", 2), said("de", 2)])
    answer = await asked(backend, n=3, evidence=0, trace=trace)
    metrics.record("multilingual", "fake", answer, trace, seconds=0.1, first=0.1)
    page = metrics.page().decode()
    assert 'its_language_samples_total{kind="candidate",language="de"} 3.0' in page
    labels = 'in_language="yes",language="de",won="sampled"'
    assert f"its_language_answers_total{{{labels}}} 1.0" in page


async def test_a_detector_that_is_not_ready_does_not_eat_the_deadline() -> None:
    backend = writer([said("de", 1), said("de", 2), said("de", 2)])
    answer = await answer_of(
        SPEC,
        backend,
        verifiers=VERIFIERS,
        wishes=Wishes(deadline_ms=400, params={"n": 3}),
        request=Request("fake", user(GERMAN)),
        compute=Loading(),
    )
    assert answer.outcome.candidates
    assert "language" in answer.outcome.degraded


class Loading:
    """Workers that never come to work."""

    async def run(self, function: Any, *args: Any, seconds: float) -> Any:
        await asyncio.Event().wait()


async def test_choices_are_as_many_as_asked_for() -> None:
    backend = writer([said("de", n) for n in range(4)])
    request = Request("fake", user(GERMAN), choices=4)
    answer = await answer_of(SPEC, backend, verifiers=VERIFIERS, request=request)
    assert len(answer.outcome.candidates) >= 4
