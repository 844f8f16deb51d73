"""The peers: what to install, how to start them, and how to ask them for n samples."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.evaluation.policies import Policy

ANSWER = r"Answer:\s*(\S+)"
"""Where a text of the demo's model has its answer, for peers that must be told."""


def _nothing(base: str, upstream: str, model: str) -> None:
    """Most need no word after their start."""


@dataclass(frozen=True)
class Peer:
    """One server; `upstream` below is a base URL with `/v1`.

    `command(programs, upstream, port, n)` starts it for n samples, `ready` is a path that it
    answers, `prepare(base, upstream, model)` is called once it does. `policies(model, n)` ask it
    for n samples; one that needs another n than asked says so in its name.
    """

    name: str
    version: str
    installs: Sequence[Sequence[str]]
    command: Callable[[Path, str, int, int], list[str]]
    ready: str
    policies: Callable[[str, int], dict[str, Policy]]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str, str, str], None] = _nothing
    remarks: Sequence[str] = ()


def _optillm(programs: Path, upstream: str, port: int, n: int) -> list[str]:
    flags = ["--host", "127.0.0.1", "--port", str(port), "--base-url", upstream]
    return [str(programs / "optillm"), *flags, "--best-of-n", str(n)]


def _optillm_policies(model: str, n: int) -> dict[str, Policy]:
    # A temperature of 1, which its two other approaches have anyway.
    vote = {"k": n, "temperature": 1.0}
    return {
        f"optillm-bon-{n}": Policy(model=f"bon-{model}"),
        f"optillm-majority_voting-{n}": Policy(model=f"majority_voting-{model}", body=vote),
        "optillm-self_consistency-5": Policy(model=f"self_consistency-{model}"),
    }


def _its_hub(programs: Path, upstream: str, port: int, n: int) -> list[str]:
    return [str(programs / "its-iaas"), "--host", "127.0.0.1", "--port", str(port)]


def _its_hub_policies(model: str, n: int) -> dict[str, Policy]:
    return {f"its_hub-self-consistency-{n}": Policy(headers={"x-its-budget": str(n)})}


def _configure_its_hub(base: str, upstream: str, model: str) -> None:
    told = {
        "endpoint": upstream,
        "api_key": "none",
        "model": model,
        "alg": "self-consistency",
        "regex_patterns": [ANSWER],
    }
    headers = {"content-type": "application/json"}
    body = json.dumps(told).encode()
    asked = urllib.request.Request(f"{base}/configure", body, headers)
    with urllib.request.urlopen(asked, timeout=30):
        return


PEERS = (
    Peer(
        name="optillm",
        version="0.4.0",
        # Its own requirements bring torch, spaCy, gradio and more, which none of this needs.
        installs=(
            ("--no-deps", "optillm==0.4.0"),
            ("flask", "cerebras_cloud_sdk", "openai", "z3-solver<=4.15.4.0", "sympy", "aiohttp",
             "networkx", "PyYAML", "numpy", "requests", "httpx", "math-verify"),
        ),
        command=_optillm,
        ready="/health",
        environment={"OPENAI_API_KEY": "none"},
        policies=_optillm_policies,
        remarks=(
            "installed without the requirements that `bon`, `self_consistency` and "
            "`majority_voting` do not import",
            "`self_consistency` draws 5 samples, whatever a client asks for",
            "its approaches put an empty system message before the question, which the model was "
            "never trained on: the row of ours with one shows what that costs",
            "`bon` takes its n from the server's command line: it was started anew for each",
        ),
    ),
    Peer(
        name="its_hub",
        version="1.2.0",
        installs=(("its_hub[iaas]==1.2.0",),),
        command=_its_hub,
        ready="/v1/models",
        policies=_its_hub_policies,
        prepare=_configure_its_hub,
        remarks=(
            "its server knows one algorithm, self-consistency",
            f"it was told where an answer stands: `{ANSWER}`",
        ),
    ),
)  # fmt: skip
