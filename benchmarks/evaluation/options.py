"""The command lines of `eval` and `eval report`."""

from __future__ import annotations

import argparse
from pathlib import Path

RUN = """\
Ask every problem under every policy, over HTTP, and report accuracy, coverage@k, tokens and time
with confidence intervals. The run is journalled in --out: after Ctrl-C or kill -9 the same command
goes on where it was. Without --url, a gateway with the demo's model is started for the run.
`its-gateway eval report DIR …` makes the report again, or one of several runs."""


def run_parser() -> argparse.ArgumentParser:
    """The options of `its-gateway eval`."""
    parser = argparse.ArgumentParser(
        prog="its-gateway eval",
        description=RUN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=7, help="of problems, requests, bootstrap (7)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    _problems(parser.add_argument_group("problems"))
    _policies(parser.add_argument_group("policies"))
    _server(parser.add_argument_group("server"))
    _statistics(parser.add_argument_group("statistics"))
    return parser


def _problems(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--problems",
        action="append",
        metavar="FILE",
        help="JSONL file, `math500` or `mgsm:LANGUAGE` (in ITS_DATA); repeat it for several",
    )
    group.add_argument(
        "--generate", type=positive, metavar="N", help="N generated problems instead (100)"
    )
    group.add_argument("--languages", type=words, help="of generated problems: en,fr,… (en)")
    group.add_argument("--limit", type=positive, metavar="N", help="only the first N problems")
    group.add_argument("--instruction", metavar="TEXT", help="paragraph added to each question")


def _policies(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="NAME[=SPEC]",
        help="direct, a preset, NAME=PRESET, NAME=strategy=best_of_n,budget=16,… or NAME={JSON}; "
        "repeat it for several (direct, agreement-16)",
    )
    group.add_argument(
        "--policies", action="append", type=Path, default=[], metavar="FILE",
        help="TOML or JSON file with a table `policies`",
    )  # fmt: skip
    group.add_argument("--temperature", type=float, help="of every sample")
    group.add_argument("--max-tokens", type=positive, help="of every sample")
    group.add_argument("--unseeded", action="store_true", help="send no seeds: no run repeats")
    group.add_argument(
        "--send-reference", action="store_true", help="send the right answer, for verifiers"
    )
    group.add_argument("--send-tests", action="store_true", help="send the problems' tests")


def _server(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--url", help="gateway or OpenAI-compatible server, with or without /v1")
    group.add_argument("--model", help="model to ask (the server's only one)")
    group.add_argument(
        "--api-key-env", metavar="NAME", default="ITS_EVAL_API_KEY",
        help="variable that holds the key (ITS_EVAL_API_KEY)",
    )  # fmt: skip
    group.add_argument("--api-key-file", type=Path, help="file that holds the key")
    group.add_argument("--config", type=Path, help="settings of the gateway started for the run")
    group.add_argument("--concurrency", type=positive, default=4, help="problems at once (4)")
    group.add_argument("--timeout", type=seconds, default=600.0, help="seconds an attempt (600)")
    group.add_argument("--attempts", type=positive, default=5, help="before a request failed (5)")
    group.add_argument(
        "--retry-failed", action="store_true", help="ask again what failed in this run before"
    )
    group.add_argument("--no-texts", action="store_true", help="keep no texts in the journal")


def _statistics(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--resamples", type=positive, default=2000, help="of the bootstrap (2000)")
    group.add_argument(
        "--forecast-from", type=positive, metavar="K",
        help="fit laws of coverage to the first K samples of each problem (all)",
    )  # fmt: skip
    group.add_argument(
        "--forecast-to", type=positive, metavar="K", help="forecast coverage@K (four times that)"
    )


def report_parser() -> argparse.ArgumentParser:
    """The options of `its-gateway eval report`."""
    parser = argparse.ArgumentParser(prog="its-gateway eval report", allow_abbrev=False)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of a run")
    parser.add_argument("--out", type=Path, help="where the report goes (DIR; needed for several)")
    _statistics(parser.add_argument_group("statistics"))
    return parser


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def words(text: str) -> list[str]:
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError("must be different words, with commas between")
    return found
