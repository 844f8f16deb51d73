"""The command line: bad words, servers that cannot be asked, reports of one run and of two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from pathlib import Path

import pytest

from benchmarks.evaluation.command import main
from gateway.__main__ import main as its_gateway
from gateway.errors import UpstreamUnavailable
from gateway.testing import FakeBackend, Reply
from gateway.types import Sample
from tests.conftest import Serve

PNG = b"\x89PNG"
pytestmark = pytest.mark.timeout(400)  # a busy machine has little to spare for plots and fits


def _problems(folder: Path, count: int = 6) -> Path:
    path = folder / "problems.jsonl"
    lines = [
        {"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1),
         "language": "en" if n % 2 else "fr", "steps": 1}
        for n in range(count)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def _eval(*arguments: object) -> int:
    """Exit status of the command, beside the gateway that the test's loop serves."""
    return await asyncio.to_thread(main, [str(each) for each in arguments])


def _backend(luck: int, *, failing: Collection[str] = ()) -> FakeBackend:
    """Right in `luck` of ten draws, by the draw's seed; problems `failing` find no upstream."""

    def handler(request: Sample, number: int) -> Reply | str:
        question = str(request.messages[0]["content"])
        if question in failing:
            return Reply([], error=UpstreamUnavailable("gone"))
        value = int(question.split()[2])
        return f"Answer: {value + (1 if request.fields['seed'] % 10 < luck else 5)}"

    return FakeBackend(handler)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "OUT", "--policy", "a=budget=0"], "policy a: budget"),
        (["--out", "OUT", "--problems", "none.jsonl"], "none.jsonl: "),
        (["--out", "OUT", "--problems", "x", "--generate", "3"], "--problems excludes"),
        (["--out", "OUT", "--languages", "xx"], "languages: 'xx' is none of"),
        (["--out", "OUT", "--url", "ftp://x"], "--url"),
        (["--out", "OUT", "--url", "http://a:b@x"], "--url: a key belongs"),
        (["--out", "OUT", "--url", "http://x", "--config", "y"], "--config"),
        (["--out", "OUT", "--api-key-file", "none"], "--api-key-file"),
        (["--out", "OUT", "--forecast-from", "9", "--forecast-to", "8"], "--forecast-to"),
        (["report", "OUT"], "no evaluation lies there"),
        (["report", "OUT", "OUT"], "need --out"),
    ],
)
def test_bad_arguments_are_told_with_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    out = str(tmp_path / "out")
    assert main([out if each == "OUT" else each for each in arguments]) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / "out" / "journal.jsonl").exists()


@pytest.mark.parametrize("arguments", [[], ["--out", "x", "--generate", "0"], ["--out"]])
def test_the_parser_says_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        its_gateway(["eval", *arguments])
    assert ended.value.code == 2


def test_an_unreachable_gateway_is_told_with_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path), "--url", "http://127.0.0.1:9", "--generate", "1"]) == 1
    assert "http://127.0.0.1:9/v1 does not answer" in capfd.readouterr().err


POLICIES = ("--policy", "direct", "--policy", "sixteen=strategy=best_of_n,budget=16")


async def test_a_run_over_http_and_its_report(
    tmp_path: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    served = await serve(_backend(7, failing={"What is 3 + 1?"}))
    out = tmp_path / "run"
    options = ["--problems", _problems(tmp_path), "--url", served.url, *POLICIES]
    assert await _eval("--out", out, *options, "--attempts", 1, "--resamples", 100) == 0
    assert "2 of 12 requests failed; they count as wrong" in capfd.readouterr().err

    records = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    requests = [each for each in records if each["kind"] == "request"]
    candidates = [each for each in records if each["kind"] == "candidate"]
    assert len(requests) == 12
    assert len(candidates) == 5 * 17
    assert [each["index"] for each in candidates if each["problem"] == "p2"][-16:] == [*range(16)]
    assert {each["correct"] for each in candidates} == {True, False}
    assert all(each["correct"] == (each["answer"] == str(int(each["problem"][1:]) + 1))
               for each in candidates)  # fmt: skip
    failed = [each for each in requests if each["error"]]
    assert [each["problem"] for each in failed] == ["p3", "p3"]

    summary = json.loads((out / "summary.json").read_text())
    sixteen = summary["policies"]["sixteen"]
    assert sixteen["accuracy"]["value"] == pytest.approx(5 / 6)
    assert sixteen["failed"] == 1
    assert sixteen["coverage"]["samples"] == 16
    assert sixteen["coverage"]["value"][-1] == sixteen["any_right"]["value"]
    mine = [each for each in candidates if each["policy"] == "sixteen"]
    share = sum(each["correct"] for each in mine) / (6 * 16)
    assert sixteen["coverage"]["value"][0] == pytest.approx(share)
    assert sixteen["samples"]["value"] == 16
    assert set(sixteen["by_language"]) == {"en", "fr"}
    page = (out / "report.md").read_text()
    assert "**2 requests failed**" in page
    assert "never left the client" in page
    for name in ("accuracy-tokens", "accuracy-time", "coverage", "languages"):
        assert f"]({name}.png)" in page
        assert (out / f"{name}.png").read_bytes().startswith(PNG)


async def test_what_failed_is_asked_again_when_told(tmp_path: Path, serve: Serve) -> None:
    problems, out = _problems(tmp_path), tmp_path / "run"
    down = {"What is 3 + 1?"}
    served = await serve(_backend(10, failing=down))
    options = ["--out", out, "--problems", problems, "--url", served.url, "--policy", "direct"]
    options += ["--attempts", 1, "--resamples", 50]
    assert await _eval(*options) == 0
    down.clear()
    for more, failed in (([], 1), (["--retry-failed"], 0)):
        assert await _eval(*options, *more) == 0
        told = json.loads((out / "summary.json").read_text())["policies"]["direct"]
        assert told["failed"] == failed
        assert told["accuracy"]["value"] == pytest.approx(1 - failed / 6)


async def test_settings_must_be_the_same_to_go_on(
    tmp_path: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    served = await serve(_backend(7))
    options = ["--out", tmp_path / "run", "--problems", _problems(tmp_path), "--url", served.url]
    assert (await _eval(*options, "--policy", "direct")) == 0
    assert await _eval(*options, "--policy", "direct", "--temperature", "0.5") == 2
    assert "temperature: None, now 0.5" in capfd.readouterr().err


async def test_a_refused_policy_is_told_and_nothing_is_recorded(
    tmp_path: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    served = await serve(_backend(7))
    options = ["--out", tmp_path / "run", "--problems", _problems(tmp_path), "--url", served.url]
    assert await _eval(*options, "--policy", "nonsense") == 1
    assert "unknown strategy or preset 'nonsense'" in capfd.readouterr().err
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == b""


async def test_the_key_is_sent_and_kept_nowhere(
    tmp_path: Path,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    served = await serve(_backend(7), api_key=("sk-very-secret",))
    options = ["--problems", _problems(tmp_path), "--url", served.url, "--policy", "direct"]
    assert await _eval("--out", tmp_path / "without", *options) == 1
    assert "401" in capfd.readouterr().err
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    assert await _eval("--out", tmp_path / "run", *options, "--api-key-env", "MY_KEY") == 0
    for path in (tmp_path / "run").iterdir():
        assert b"sk-very-secret" not in path.read_bytes()


async def test_two_runs_agree_or_do_not(tmp_path: Path, serve: Serve) -> None:
    problems = _problems(tmp_path, 40)
    for name, luck, seed in (("one", 5, 1), ("same", 5, 2), ("other", 1, 1)):
        served = await serve(_backend(luck))
        options = ["--problems", problems, "--url", served.url, "--policy", "direct"]
        assert (await _eval("--out", tmp_path / name, *options, "--seed", seed)) == 0
    folders = [tmp_path / name for name in ("one", "same", "other")]
    assert (await _eval("report", *folders, "--out", tmp_path / "all")) == 0
    told = json.loads((tmp_path / "all" / "summary.json").read_text())
    same, other = told["agreement"]
    assert (same["run"], other["run"]) == ("same", "other")
    assert same["agrees"]["accuracy"] is True
    assert other["agrees"]["accuracy"] is False
    page = (tmp_path / "all" / "report.md").read_text()
    assert "| `direct` | other − one | 40 |" in page
    assert "no: accuracy" in page


async def test_a_report_is_made_again_with_other_statistics(tmp_path: Path, serve: Serve) -> None:
    served = await serve(_backend(3))
    out = tmp_path / "run"
    options = ["--problems", _problems(tmp_path, 12), "--url", served.url, *POLICIES]
    assert (await _eval("--out", out, *options)) == 0
    before = json.loads((out / "summary.json").read_text())
    again = ["--forecast-from", 8, "--forecast-to", 16, "--resamples", 50]
    assert (await _eval("report", out, *again)) == 0
    after = json.loads((out / "summary.json").read_text())
    forecast = after["policies"]["sixteen"]["forecast"]
    assert (forecast["from"], forecast["to"]) == (8, 16)
    measured = after["policies"]["sixteen"]["coverage"]["value"][-1]
    assert forecast["measured"]["value"] == pytest.approx(measured)
    law = forecast["power_law"]
    assert law["error"]["value"] == pytest.approx(law["forecast"]["value"] - measured)
    assert (
        before["policies"]["sixteen"]["accuracy"]["value"]
        == (after["policies"]["sixteen"]["accuracy"]["value"])
    )
    assert "its-gateway eval --out" in (out / "report.md").read_text()


async def test_a_hopeless_policy_is_reported_too(tmp_path: Path, serve: Serve) -> None:
    served = await serve(_backend(0))
    out = tmp_path / "run"
    options = ["--problems", _problems(tmp_path, 3), "--url", served.url, *POLICIES[2:]]
    assert await _eval("--out", out, *options, "--resamples", 20) == 0
    told = json.loads((out / "summary.json").read_text())["policies"]["sixteen"]
    assert told["selection_accuracy"]["value"] is None
    assert told["forecast"]["power_law"]["forecast"]["value"] == 0
    assert "| – |" in (out / "report.md").read_text()
