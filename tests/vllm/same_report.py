"""The same evaluation of the embedded backend and of a real vLLM with the same weights, compared.

`python -m tests.vllm.same_report --out DIR`: each is asked through a gateway of its own. The page
in `DIR/both` says of each policy whether the two agree. A run that was stopped goes on. Exits with
1 if a 95% interval of a difference in accuracy or coverage does not hold nought, which one in
twenty of true agreements does not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.evaluation.command import main as evaluate
from gateway.backends.embedded.backend import MODEL
from tests.vllm import environment
from tests.vllm.servers import Gateway, Process, Server

WRITER = "its-demo"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vllm.same_report", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of both runs")
    parser.add_argument("--problems", type=int, default=100, help="in seven languages (100)")
    parser.add_argument("--samples", type=int, default=8, help="a problem (8)")
    parser.add_argument("--seed", type=int, default=7, help="of problems and draws (7)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    embedded, vllm = (options.out / name for name in ("embedded", "vllm"))
    asked = [
        *("--generate", str(options.problems), "--languages", "en,fr,de,es,ja,ru,zh"),
        *("--seed", str(options.seed), "--model", WRITER, "--no-texts", "--policy", "direct"),
        *("--policy", f"agreement=strategy=best_of_n,budget={options.samples}"),
    ]
    if evaluate(["--out", str(embedded), *asked]):
        return 1
    with ExitStack() as running:
        url = _served(running, options.out)
        if evaluate(["--out", str(vllm), "--url", url, *asked]):
            return 1
    both = options.out / "both"
    evaluate(["report", str(embedded), str(vllm), "--out", str(both)])
    return _told(json.loads((both / "summary.json").read_text())["agreement"])


def _served(running: ExitStack, out: Path) -> str:
    """A vLLM of the demo's model and a gateway before it, until `running` ends: its address."""
    server = Server(
        python=environment.python(), model=WRITER, directory=MODEL, log=out / "vllm.log"
    )
    _start(running, server)
    server.wait()
    gateway = Gateway(log=out / "gateway.log", flags=(f"--backend={server.base}",))
    _start(running, gateway)
    return gateway.base


def _start(running: ExitStack, process: Process) -> None:
    running.callback(process.stop)
    process.start()


def _told(compared: Sequence[dict[str, object]]) -> int:
    """Print what the runs differ in, and whether that is more than chance."""
    apart = 0
    for policy in compared:
        agrees = policy["agrees"]
        assert isinstance(agrees, dict)
        for figure, agreed in agrees.items():
            told = policy[figure]
            assert isinstance(told, dict)
            value, low, high = (told[key] for key in ("value", "low", "high"))
            verdict = "agree" if agreed else "differ"
            print(f"{policy['policy']} {figure}: {value:+.4f} [{low:+.4f}, {high:+.4f}] {verdict}")
            apart += not agreed and figure != "completion_tokens"
    return int(apart > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
