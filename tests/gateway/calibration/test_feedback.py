"""Labels over HTTP: who may give them, what is counted, and what calibrate makes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from benchmarks.calibration.command import main as calibrate
from gateway.calibration.labels import Place
from gateway.stores import StoreUnavailable
from gateway.testing import FakeBackend
from tests.conftest import Serve, Served, settles
from tests.redis_servers import redis_server

ASK: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "2 + 2?"}]}
FOUR = {"x-its-strategy": "best_of_n", "x-its-budget": "4"}
ROUTE = 'best_of_n;early_exit=false;n=4;verifier="agreement";weigh_by=null'


def votes(call: Any, number: int) -> str:
    """Three of four say 4."""
    return f"Answer: {5 if number % 4 == 1 else 4}"


async def asked(
    served: Served,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    *,
    key: str = "sk-test",
    n: int = 1,
) -> Any:
    client = served.client(api_key=key)
    return await client.chat.completions.with_raw_response.create(
        **ASK, n=n, extra_headers={**FOUR, "x-request-id": request_id, **(headers or {})}
    )


async def told(served: Served, body: Any, key: str = "sk-test") -> tuple[int, Any]:
    url = f"{served.url}/v1/its/feedback"
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=raw, headers=headers) as response,
    ):
        return response.status, await response.json()


async def labels(served: Served, key: str = "sk-test") -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{served.url}/v1/its/feedback", headers=headers) as response,
    ):
        assert response.status == 200
        return [json.loads(line) for line in (await response.text()).splitlines()]


async def test_a_label_is_counted_once_under_model_route_and_verifier(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    await asked(served, "one")
    assert await told(served, {"request_id": "one", "right": True}) == (
        200,
        {"request_id": "one", "recorded": 1},
    )
    status, again = await told(served, {"request_id": "one", "right": True})
    assert (status, again["recorded"]) == (200, 0)
    of = {"model": "fake", "route": ROUTE, "right": True, "count": 1}
    assert sorted(await labels(served), key=lambda line: str(line["verifier"])) == [
        {**of, "verifier": "agreement", "score": 0.75},
        {**of, "verifier": "support", "score": 0.75},
    ]


async def test_an_opposite_label_is_a_conflict_and_changes_nothing(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    await asked(served, "one")
    await told(served, {"request_id": "one", "right": True})
    before = await labels(served)
    status, body = await told(served, {"request_id": "one", "right": False})
    assert (status, body["error"]["code"]) == (409, "told_before")
    assert await labels(served) == before


async def test_labels_add_up(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    for number in range(5):
        await asked(served, f"r{number}")
        await told(served, {"request_id": f"r{number}", "right": number < 3})
    found = {(line["verifier"], line["right"]): line["count"] for line in await labels(served)}
    assert found["agreement", True] == 3
    assert found["agreement", False] == 2


async def test_only_the_client_that_got_an_answer_can_label_it_or_see_its_labels(
    serve: Serve,
) -> None:
    served = await serve(FakeBackend(votes), api_key=("sk-a", "sk-b"))
    await asked(served, "one", key="sk-a")
    status, body = await told(served, {"request_id": "one", "right": True}, key="sk-b")
    assert (status, body["error"]["code"]) == (404, "unknown_request")
    assert (await told(served, {"request_id": "one", "right": True}, key="sk-a"))[0] == 200
    assert await labels(served, "sk-b") == []
    assert len(await labels(served, "sk-a")) == 2
    assert (await told(served, {"request_id": "one", "right": True}, key="sk-c"))[0] == 401


async def test_verdicts_count_only_where_every_candidate_has_its_label(serve: Serve) -> None:
    """Those that are answered with were selected, and pass more often than others."""
    served = await serve(FakeBackend(lambda call, number: f"2 + 2 = {4 + number % 2}. Answer: 4"))
    verifier = {"x-its-verifier": "math"}
    await asked(served, "some", verifier)
    await told(served, {"request_id": "some", "right": True})
    assert not [line for line in await labels(served) if "passed" in line]
    await asked(served, "all", verifier, n=4)
    choices = [{"index": i, "right": i != 1} for i in range(4)]
    await told(served, {"request_id": "all", "choices": choices[:2]})
    assert not [line for line in await labels(served) if "passed" in line]
    await told(served, {"request_id": "all", "choices": choices[2:]})
    verdicts = {
        (line["passed"], line["right"]): line["count"]
        for line in await labels(served)
        if "passed" in line
    }
    assert verdicts == {(True, True): 1, (True, False): 1, (False, True): 2}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"\xff\xfe", 400, None),
        ({}, 400, "request_id"),
        ({"request_id": "one"}, 400, None),
        ({"request_id": "one", "right": "yes"}, 400, "right"),
        ({"request_id": "one", "right": 1}, 400, "right"),
        ({"request_id": "one", "right": True, "more": 1}, 400, "more"),
        ({"request_id": "one", "right": True, "choices": [{"index": 0, "right": True}]}, 400, None),
        ({"request_id": "one", "choices": []}, 400, "choices"),
        ({"request_id": "one", "choices": [{"index": -1, "right": True}]}, 400, "choices.0.index"),
        ({"request_id": "one", "choices": [{"index": 0}]}, 400, "choices.0.right"),
        ({"request_id": "one", "choices": [{"index": 7, "right": True}]}, 400, "choices"),
        ({"request_id": "one", "choices": [{"index": 0, "right": True}] * 2}, 400, None),
        ({"request_id": "x" * 200, "right": True}, 400, "request_id"),
        ({"request_id": "two", "right": True}, 404, "request_id"),
        ({"request_id": "../one\n", "right": True}, 404, "request_id"),
        ({"request_id": "one", "right": True, "x": "y" * 100_000}, 413, None),
    ],
)
async def test_what_is_wrong_is_refused_and_named(
    serve: Serve, body: Any, status: int, param: str | None
) -> None:
    served = await serve(FakeBackend(votes))
    await asked(served, "one")
    got, answer = await told(served, body)
    assert (got, answer["error"]["param"]) == (status, param), answer
    assert await labels(served) == []


async def test_an_answer_without_a_verifier_cannot_be_labelled(serve: Serve) -> None:
    served = await serve(FakeBackend(votes))
    await served.client().chat.completions.create(**ASK, extra_headers={"x-request-id": "plain"})
    status, body = await told(served, {"request_id": "plain", "right": True})
    assert status == 404
    assert "no verifier" in body["error"]["message"]


async def test_a_stores_failure_is_told_and_fails_no_chat(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await serve(FakeBackend(votes))

    async def gone(*args: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(served.host.store, "put", gone)
    monkeypatch.setattr(served.host.store, "get", gone)
    assert (await asked(served, "one")).status_code == 200
    status, body = await told(served, {"request_id": "one", "right": True})
    assert (status, body["error"]["code"]) == (503, "state_unavailable")


async def test_clients_cannot_fill_the_store_with_routes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.calibration.feedback.MOST_PLACES", 3)
    served = await serve(FakeBackend(votes))
    await asked(served, "one")
    assert (await told(served, {"request_id": "one", "right": True}))[0] == 200
    await asked(served, "two", {"x-its-budget": "3"})
    status, body = await told(served, {"request_id": "two", "right": True})
    assert (status, body["error"]["code"]) == (400, "too_many_routes")
    await asked(served, "three")
    assert (await told(served, {"request_id": "three", "right": True}))[0] == 200


def test_places_are_read_from_their_keys_only() -> None:
    place = Place("c", "m", 'r;x="\n"', 'judge;grades="EDCBA"')
    assert Place.at(place.key) == place
    for key in ("", "difficulty 1", "labels ", "labels []", "labels 7", 'labels ["a"]'):
        assert Place.at(key) is None


async def test_gateways_on_one_redis_know_each_others_answers(serve: Serve, tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        one, other = [
            await serve(FakeBackend(votes), redis=server.url, redis_bound_ms=10_000.0)
            for _ in range(2)
        ]
        await asked(one, "one")
        await asked(other, "two")
        assert (await told(other, {"request_id": "one", "right": True}))[1]["recorded"] == 1
        assert (await told(one, {"request_id": "two", "right": True}))[1]["recorded"] == 1
        assert (await told(one, {"request_id": "one", "right": True}))[1]["recorded"] == 0
        assert [line["count"] for line in await labels(one)] == [2, 2]


def lines(rights: Sequence[tuple[float, int, int]], **more: Any) -> str:
    of = {"model": "fake", "route": ROUTE, "verifier": "agreement", **more}
    return "".join(
        json.dumps({**of, "score": score, "right": right, "count": count}) + "\n"
        for score, yes, no in rights
        for right, count in ((True, yes), (False, no))
    )


EMPTY = '{"version": 1, "maps": [], "reliabilities": []}'
CLEAR = ((0.25, 10, 90), (0.5, 50, 50), (0.75, 180, 20), (1.0, 195, 5))


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Maps for `ROUTE`, made by the command from labels as a gateway exports them."""
    return calibrated(lines(CLEAR), tmp_path)


def calibrated(text: str, folder: Path) -> Path:
    """What the command makes of the labels in `text`."""
    told, out = folder / "labels.jsonl", folder / "calibration.json"
    told.write_text(text)
    assert calibrate([str(told), "--out", str(out), "--most-ece", "0.1"]) == 0
    return out


async def test_a_calibrated_route_tells_a_probability(serve: Serve, maps: Path) -> None:
    served = await serve(FakeBackend(votes), calibration=maps)
    raw = await asked(served, "one", {"x-its-detail": "summary"})
    assert float(raw.headers["x-its-confidence"]) == pytest.approx(0.9, abs=0.03)
    its = raw.parse().model_extra["its"]
    assert its["confidence"] == pytest.approx(0.9, abs=0.03)
    assert its["support"] == 0.75
    assert (its["calibration"]["verifier"], its["calibration"]["n"]) == ("agreement", 600)
    assert its["route"] == ROUTE


@pytest.mark.parametrize(
    "headers",
    [{"x-its-budget": "3"}, {"x-its-verifier": "math"}, {"x-its-strategy": "direct"}],
)
async def test_any_other_route_tells_none(
    serve: Serve, maps: Path, headers: dict[str, str]
) -> None:
    served = await serve(FakeBackend(votes), calibration=maps)
    if "x-its-strategy" in headers:
        headers = {**headers, "x-its-budget": "1"}
    raw = await asked(served, "one", headers)
    assert "x-its-confidence" not in raw.headers


async def test_what_was_cut_short_is_not_like_what_was_calibrated(serve: Serve, maps: Path) -> None:
    served = await serve(FakeBackend(votes), calibration=maps)
    raw = await asked(served, "one", {"x-its-params": "n=4", "x-its-budget": "3"})
    assert raw.headers["x-its-stop"] == "budget"
    assert "x-its-confidence" not in raw.headers
    cold = await served.client().chat.completions.with_raw_response.create(
        **ASK, temperature=0, extra_headers=FOUR
    )
    assert cold.headers["x-its-degraded"] == "greedy"
    assert "x-its-confidence" not in cold.headers


async def test_abstaining_compares_with_the_probability(serve: Serve, maps: Path) -> None:
    """Three of four agree, which is .75, and right in nine of ten."""
    served = await serve(FakeBackend(votes), calibration=maps)
    sure = await asked(served, "one", {"x-its-abstain": "0.8"})
    assert sure.headers["x-its-stop"] == "complete"
    unsure = await asked(served, "two", {"x-its-abstain": "0.97"})
    assert unsure.headers["x-its-stop"] == "abstained"


async def test_maps_that_change_are_read_again(
    serve: Serve, maps: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await asyncio.to_thread(maps.read_text)
    await asyncio.to_thread(maps.write_text, EMPTY)
    served = await serve(FakeBackend(votes), calibration=maps, pool={"resolve_seconds": 0.1})
    assert "x-its-confidence" not in (await asked(served, "one")).headers
    await asyncio.to_thread(maps.write_text, kept)
    assert await settles(lambda: bool(served.host.means.calibration.maps), 5.0)
    assert "x-its-confidence" in (await asked(served, "two")).headers
    await asyncio.to_thread(maps.write_text, "{")
    assert await settles(lambda: "configuration not reloaded" in caplog.text, 5.0)
    assert "x-its-confidence" in (await asked(served, "three")).headers


async def test_labels_of_a_gateway_calibrate_the_next_one(serve: Serve, tmp_path: Path) -> None:
    served = await serve(FakeBackend(votes))
    for number in range(220):
        await asked(served, f"r{number}")
        await told(served, {"request_id": f"r{number}", "right": number % 10 > 1})
    told_lines = "".join(json.dumps(line) + "\n" for line in await labels(served))
    out = await asyncio.to_thread(calibrated, told_lines, tmp_path)
    after = await serve(FakeBackend(votes), calibration=out)
    raw = await asked(after, "one")
    assert float(raw.headers["x-its-confidence"]) == pytest.approx(0.8, abs=0.02)
