"""Problems and policies: what is read, and what is refused in clear words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.evaluation import policies, sources
from benchmarks.evaluation.policies import DIRECT, BadPolicy, Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.sources import BadProblems


def _file(folder: Path, *lines: str, name: str = "mine.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_record_needs_a_prompt_and_an_answer(tmp_path: Path) -> None:
    name = _file(
        tmp_path,
        '{"question": "2 + 2?", "answer": "4", "language": "en"}',
        "",
        '{"id": "b", "messages": [{"role": "user", "content": "3?"}], "answer": "3", "steps": 1}',
    )
    first, second = sources.read([name])
    assert (first.id, second.id) == ("mine-0", "b")
    assert first.prompt("Be brief.") == [{"role": "user", "content": "2 + 2?\n\nBe brief."}]
    assert second.prompt("Be brief.") == [{"role": "user", "content": "3?"}]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "mine.jsonl:1"),
        ('{"question": "2?"}', "answer: Field required"),
        ('{"answer": "2"}', "either `question` or `messages`"),
        ('{"question": "2?", "answer": "2", "extra": 1}', "extra"),
        ('{"question": "2?", "answer": ""}', "answer"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(BadProblems, match=told):
        sources.read([_file(tmp_path, line)])


def test_ids_are_unique(tmp_path: Path) -> None:
    line = '{"id": "x", "question": "2?", "answer": "2"}'
    with pytest.raises(BadProblems, match="'x' is not unique"):
        sources.read([_file(tmp_path, line, line)])


def test_a_missing_or_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadProblems, match="No such file"):
        sources.read([str(tmp_path / "none.jsonl")])
    with pytest.raises(BadProblems, match="no problems"):
        sources.read([_file(tmp_path, "")])


def test_data_sets_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITS_DATA", str(tmp_path))
    (tmp_path / "mgsm").mkdir()
    _file(tmp_path / "mgsm", "Combien ?\t18", name="fr.tsv")
    _file(tmp_path, '[{"prompt": "p?", "answer": "7", "id": "t/1"}]', name="MATH500.json")
    french, math = sources.read(["mgsm:fr", "math500"])
    assert (french.question, french.answer, french.language) == ("Combien ?", "18", "fr")
    assert (math.id, math.question, math.answer) == ("t/1", "p?", "7")


@pytest.mark.skipif(not sources.data().is_dir(), reason="no data sets beside the checkout")
def test_the_data_sets_as_they_are() -> None:
    assert len(sources.read(["math500"])) == 500
    assert len(sources.read(["mgsm:en", "mgsm:ja"])) == 250


def test_generated_problems_repeat_and_are_shared_out() -> None:
    problems = sources.generated(5, 3, ["en"])
    assert problems == sources.generated(5, 3, ["en"])
    assert len({problem.id for problem in problems}) == 5
    assert {problem.language for problem in problems} == {"en"}
    with pytest.raises(BadProblems, match="'xx' is none of en"):
        sources.generated(5, 3, ["xx"])


def test_policies_in_every_form() -> None:
    assert policies.parse("direct") == ("direct", DIRECT)
    assert policies.parse("agreement-16") == ("agreement-16", Policy(preset="agreement-16"))
    assert policies.parse("a=careful") == ("a", Policy(preset="careful"))
    name, policy = policies.parse(
        "v=strategy=best_of_n, budget=8, verifier=math;seconds=2, params.early_exit=true,"
        "body.temperature=0.5,headers.X-ITS-Budget=4"
    )
    assert name == "v"
    assert policy.wishes() == {
        "strategy": "best_of_n",
        "budget": 8,
        "verifier": "math;seconds=2",
        "params": {"early_exit": True},
    }
    assert policy.body == {"temperature": 0.5}
    assert policy.headers == {"X-ITS-Budget": "4"}
    assert policies.parse(f"v={json.dumps({'params': {'n': 3}})}")[1].wishes() == {
        "params": {"n": 3}
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a name has"),
        ("a b", "a name has"),
        ("a=budget=0", "policy a: budget"),
        ("a=budgte=4", "budgte: unknown key; allowed: .*budget"),
        ("a={", "not JSON"),
        ("a=budget=4,loose", "'loose' is not key=value"),
    ],
)
def test_a_bad_policy_is_told(text: str, told: str) -> None:
    with pytest.raises(BadPolicy, match=told):
        policies.parse(text)


def test_policies_of_files(tmp_path: Path) -> None:
    toml = _file(tmp_path, "[policies.a]", "preset = 'agreement-4'", name="p.toml")
    as_json = _file(tmp_path, '{"policies": {"b": {"budget": 2}}}', name="p.json")
    found = policies.gather([Path(toml), Path(as_json)], ["direct"])
    assert list(found) == ["a", "b", "direct"]
    with pytest.raises(BadPolicy, match="policy a: named twice"):
        policies.gather([Path(toml)], ["a"])
    with pytest.raises(BadPolicy, match="no table"):
        policies.gather([Path(_file(tmp_path, "x = 1", name="q.toml"))], [])


def test_a_problem_has_one_prompt() -> None:
    with pytest.raises(ValueError, match="either"):
        Problem(question="1?", messages=[{"role": "user", "content": "1?"}], answer="1")
