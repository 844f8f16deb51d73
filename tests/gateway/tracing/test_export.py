"""Tracing as an operator has it: a gateway process, a collector on a socket; and what off costs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway import serve
from gateway.run import run
from gateway.serving import Exchange
from gateway.settings import ConfigError, Settings
from gateway.testing import FakeBackend
from tests.conftest import Serve
from tests.gateway.test_serve import Gateway

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PRIVATE = "the-prompt-is-private"


@dataclass
class Outside:
    """An upstream that notes its headers, and a collector that keeps what it is sent."""

    base: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    pages: list[bytes] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m"}]})

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        message = {"role": "assistant", "content": PRIVATE}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        return web.json_response({"model": "m", "choices": [choice], "usage": usage})

    async def collect(self, request: web.Request) -> web.Response:
        self.sent.append(dict(request.headers))
        self.pages.append(await request.read())
        return web.Response(body=b"", content_type="application/x-protobuf")

    def spans(self) -> list[Span]:
        """All spans that came."""
        parsed = [ExportTraceServiceRequest.FromString(page) for page in self.pages]
        return [
            span
            for page in parsed
            for resource in page.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def services(self) -> set[str]:
        """The names under which they came."""
        parsed = [ExportTraceServiceRequest.FromString(page) for page in self.pages]
        return {
            attribute.value.string_value
            for page in parsed
            for resource in page.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    outside = Outside()
    app = web.Application()
    app.router.add_get("/v1/models", outside.models)
    app.router.add_post("/v1/chat/completions", outside.answer)
    app.router.add_post("/v1/embeddings", outside.answer)
    app.router.add_post("/v1/traces", outside.collect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    outside.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield outside
    await runner.cleanup()


async def _ask(gateway: Gateway) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": PRIVATE}]}
    headers = {"traceparent": PARENT, "baggage": f"user={PRIVATE}"}
    async with aiohttp.ClientSession(headers=headers) as client:
        for path, more in (("chat/completions", body), ("embeddings", {"model": "m"})):
            async with client.post(f"{gateway.base}/v1/{path}", json=more) as response:
                assert response.status == 200


async def _served(outside: Outside, *flags: str, **environment: str) -> None:
    """A gateway's whole life, with one request of each kind."""
    gateway = await Gateway.start(f"--backend={outside.base}", *flags, **environment)
    try:
        await _ask(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.end(30) == 0
    finally:
        if gateway.process.returncode is None:
            gateway.process.kill()
            await gateway.process.wait()


@pytest.mark.parametrize("flags", [("--trace",), ()], ids=["by flag", "by the standard variable"])
async def test_spans_reach_a_collector_and_the_trace_goes_on_upstream(
    outside: Outside, flags: tuple[str, ...]
) -> None:
    await _served(
        outside,
        *flags,
        OTEL_EXPORTER_OTLP_ENDPOINT=outside.base,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer collector-key",
    )
    spans = {span.name: span for span in outside.spans()}
    assert set(spans) == {"POST /v1/chat/completions", "POST /v1/embeddings", "chat m"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    request, candidate = spans["POST /v1/chat/completions"], spans["chat m"]
    assert candidate.parent_span_id == request.span_id
    assert outside.services() == {"its-gateway"}
    chat, embeddings = outside.asked
    assert chat["traceparent"].split("-")[1:3] == [TRACE, candidate.span_id.hex()]
    below = spans["POST /v1/embeddings"].span_id.hex()
    assert embeddings["traceparent"].split("-")[1:3] == [TRACE, below]
    assert "baggage" not in chat
    assert all(PRIVATE.encode() not in page for page in outside.pages)
    assert {each["Authorization"] for each in outside.sent} == {"Bearer collector-key"}


async def test_off_means_off_whatever_the_environment_says(outside: Outside) -> None:
    await _served(
        outside,
        "--no-trace",
        OTEL_EXPORTER_OTLP_ENDPOINT=outside.base,
        FASTAPI_OTEL_AUTO_CONFIGURE="true",
    )
    assert outside.pages == []
    assert all("traceparent" not in each for each in outside.asked)


async def test_a_collector_that_is_not_there_does_not_hold_up_the_end(outside: Outside) -> None:
    started = asyncio.get_running_loop().time()
    await _served(outside, "--trace", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert asyncio.get_running_loop().time() - started < 30


OFF = """
import asyncio, sys
from gateway.testing import FakeBackend, user
from tests.conftest import serving

async def main():
    async with serving(FakeBackend(lambda *_: "a")) as served:
        await served.client().chat.completions.create(model="fake", messages=user("?"))

asyncio.run(main())
print(*[n for n in sys.modules if n.startswith(("opentelemetry.sdk", "opentelemetry.exporter",
                                                "gateway.tracing"))])
"""


def test_off_imports_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


async def test_off_leaves_a_request_its_plain_means(serve: Serve) -> None:
    served = await serve(FakeBackend(lambda *_: "a"))
    assert served.host.tracing is None
    assert served.host.means.backend is served.host.pool
    assert Exchange.__dataclass_fields__["runner"].default is run


def _without_packages(name: str) -> str:
    raise PackageNotFoundError(name)


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "version", _without_packages)
    with pytest.raises(ConfigError, match=r"its-gateway\[tracing\]"):
        serve.tracing_of(Settings(trace=True), "vllm")


def test_a_missing_extra_does_not_end_a_gateway_that_did_not_ask(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "version", _without_packages)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert serve.tracing_of(Settings(), "vllm") is None
    assert "no spans are exported" in caplog.text


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "ITS_TRACE": "false"}, False),
        ({"ITS_TRACE": "true"}, True),
    ],
)
def test_what_turns_it_on(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], on: bool
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings().tracing() is on
