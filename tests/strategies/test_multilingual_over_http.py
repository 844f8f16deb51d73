"""`multilingual` as a client sees it: headers, body, refusals, the `its` block, metrics."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError

from tests.conftest import Serve
from tests.strategies.tongues import GERMAN, is_evidence, writer

POOL = [
    "Es ist nur eines von den Eiern. Antwort: 1",
    "Die Enten legen jeden Tag Eier. Antwort: 2",
    "Das sind zwei. Antwort: 2",
    "The ducks lay eggs every day. Answer: 3",
    "The ducks lay eggs. Answer: 3",
]


async def ask(served: Any, headers: dict[str, str], its: dict[str, Any] | None = None) -> Any:
    return await served.client().chat.completions.with_raw_response.create(
        model="fake",
        messages=[{"role": "user", "content": GERMAN}],
        extra_headers={"x-its-strategy": "multilingual", **headers},
        extra_body={"its": its} if its else None,
    )


async def test_headers_and_body_say_how_and_the_its_block_says_what_was_done(serve: Serve) -> None:
    backend = writer(POOL, evidence=["Die Antwort ist zwei. Answer: 3", "Answer: 2", "Answer: 2"])
    served = await serve(backend)
    how = 'evidence_languages=("en" "zh"), temperature=0.5'
    raw = await ask(
        served,
        {"x-its-params": how, "x-its-detail": "summary"},
        {"params": {"languages": {"de": {"min_p": 0.3}}, "curves": {"de": [0.5, 0.4]}}},
    )
    answer = raw.parse()
    assert answer.choices[0].message.content in POOL[1:3]
    block = answer.model_extra["its"]
    assert block["params"]["languages"] == {"de": {"min_p": 0.3}}
    assert block["params"]["evidence_languages"] == ["en", "zh"]
    assert block["evidence"]["language"] == "de"
    assert block["evidence"]["select"] == "x_mbr"
    assert block["evidence"]["evidence"]["answers"] == 3
    assert block["usage"]["judging"]["completion_tokens"] > 0
    assert answer.usage.completion_tokens == backend.written
    assert {call.fields["temperature"] for call in backend.calls} == {0.0, 0.5}
    assert sum(is_evidence(call) for call in backend.calls) == 1
    page = (await served.client()._client.get(f"{served.url}/metrics")).text
    assert 'its_language_samples_total{kind="evidence",language="de"} 3.0' in page


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"select": "best"}, "select"),
        ({"evidence_languages": []}, "evidence_languages"),
        ({"evidence_languages": ["../en"]}, "evidence_languages.0"),
        ({"languages": {"de": {"temprature": 1}}}, "languages.de.temprature"),
        ({"curves": {"de": [1.5]}}, "curves.de.0"),
        ({"n": 65}, "n"),
        ({"utility": "embedding"}, "utility"),
    ],
)
async def test_what_is_wrong_is_named(serve: Serve, params: dict[str, Any], field: str) -> None:
    served = await serve(writer(POOL))
    with pytest.raises(BadRequestError) as refused:
        await ask(served, {}, {"params": params})
    assert str(refused.value.param).endswith(field)
