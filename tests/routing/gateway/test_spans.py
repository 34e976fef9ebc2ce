"""What a collector is told of calls: a small one on loopback reads the protobuf."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_examples import CHAT, CONFIGURATION, QUESTION, Collector, Holders, House, closed, house, run, served, until
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from karkhana.http.server import listen
from karkhana.routing.gateway.spans import Sending

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SCRIPT = """
[[fault]]
kind = "rate_limited"
says = "retry"
at = [1]
[[answer]]
text = "A secret answer."
usage = {input = 20, cache_read = 100, output = 5}
"""


def said(span: Span) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def told(address: str, text: str = CONFIGURATION) -> str:
    return text + f'[telemetry]\notlp = "{address}"\n'


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_a_span_after_the_conventions_with_its_attempts_below(tmp_path: Path, stream: bool) -> None:
    collector = Collector()
    holders = Holders(("ann", {"team": "web"}))

    async def work() -> House:
        async with (
            served(collector) as address,
            house(tmp_path, configuration=told(address, closed(CONFIGURATION)), script=SCRIPT, clients=holders) as h,
        ):
            question = {"messages": [{"role": "user", "content": "a secret question, retry"}], "max_tokens": 50}
            answer = await h.ask(
                CHAT,
                QUESTION | question | {"stream": stream, "temperature": 0.5},
                authorization=holders.bearer("ann"),
                traceparent=f"00-{TRACE}-{PARENT}-01",
            )
            assert answer.status == 200
            spans = h.assembly.insight.spans
            assert spans is not None
            await until(lambda: spans.sent == 3)
            assert spans.lost == 0
            return h

    h = run(work())
    (call,) = collector.named("chat smart")
    port = int(h.provider_url.rpartition(":")[2])
    attributes = said(call)
    assert re.fullmatch(r"[0-9a-f]+-1", attributes.pop("karkhana.call"))
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "smart",
        "gen_ai.request.stream": stream,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "large",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "server.address": "127.0.0.1",
        "server.port": port,
        "karkhana.route": "cloud/large",
        "karkhana.attempts": 2,
        "karkhana.hedged": False,
        "karkhana.key_id": holders.key_id("ann"),
        "karkhana.team": "web",
        "karkhana.cost_usd": "0.000435",
    }
    assert call.kind == Span.SPAN_KIND_CLIENT
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    failed, answered = sorted(collector.named("attempt smart"), key=lambda span: span.start_time_unix_nano)
    for span in (failed, answered):
        assert span.parent_span_id == call.span_id
        assert call.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert said(failed) | {
        "karkhana.outcome": "failed",
        "karkhana.place": "cloud/large#0",
        "karkhana.attempt": 1,
        "error.type": "rate_limited",
        "http.response.status_code": 429,
    } == said(failed)
    assert said(answered)["karkhana.outcome"] == "answered"
    assert "error.type" not in said(answered)
    assert collector.resources == ["karkhana-gateway"] * len(collector.resources)
    for secret in (b"secret", b"four", holders.made["ann"][0].encode()):
        assert secret not in collector.raw


def test_a_call_that_fails_tells_the_kind_and_not_the_message(tmp_path: Path) -> None:
    collector = Collector()

    async def work() -> None:
        async with served(collector) as address:
            script = '[[fault]]\nkind = "refused"\nevery = 1\n'
            async with house(tmp_path, configuration=told(address), script=script) as h:
                assert (await h.ask()).status == 400
                await until(lambda: len(collector.spans) == 2)

    run(work())
    (call,) = collector.named("chat")
    assert said(call)["error.type"] == "refused"
    assert call.status.code == 2
    assert call.status.message == ""


def test_a_client_that_does_not_want_its_trace_kept_gets_no_span(tmp_path: Path) -> None:
    collector = Collector()

    async def work() -> None:
        async with served(collector) as address, house(tmp_path, configuration=told(address)) as h:
            for number in range(3):
                await h.ask(traceparent=f"00-{TRACE}-{PARENT}-0{number % 2}")
            await until(lambda: len(collector.spans) == 2)
            await h.ask(traceparent="00-nonsense")
            await until(lambda: len(collector.spans) == 4)
            assert h.assembly.insight.spans is not None
            assert h.assembly.insight.spans._made == 4

    run(work())


@pytest.mark.parametrize("kind", ["refuses", "stalls", "is away"])
def test_a_lost_collector_neither_slows_nor_breaks_a_call(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    sending = Sending(most=10, delay_s=0.05, timeout_s=0.3, leave_s=0.5)
    collector = Collector(400 if kind == "refuses" else 200, kind == "stalls")

    async def work() -> None:
        closed_port = listen("127.0.0.1", 0)
        async with served(collector) as address:
            target = address if kind != "is away" else f"http://127.0.0.1:{closed_port.getsockname()[1]}"
            closed_port.close()
            async with house(tmp_path, configuration=told(target), sending=sending) as h:
                answers = await asyncio.gather(*(h.ask() for _ in range(20)))
                assert {answer.status for answer in answers} == {200}
                spans = h.assembly.insight.spans
                assert spans is not None
                await until(lambda: spans.lost > 0)
                assert spans.sent == 0
                assert spans.dropped > 0
                assert spans.lost + spans.dropped <= 40
                assert b'spans_total{result="dropped"}' in (await h.get("/metrics")).body

    run(work())
    assert len([r for r in caplog.records if "takes no spans" in r.getMessage()]) == 1


def test_nothing_is_imported_when_no_collector_is_named(tmp_path: Path) -> None:
    code = """
import sys
from karkhana.routing.gateway.serving import serve_gateway
heavy = {"numpy", "sklearn", "scipy", "opentelemetry", "requests", "google"} & {m.split(".")[0] for m in sys.modules}
sys.exit(str(heavy) if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
