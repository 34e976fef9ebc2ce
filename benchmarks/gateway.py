"""CPU per request of the gateway, beside a raw pass-through and two other gateways in the same run; memory and start.

    python -m benchmarks.gateway [--peers FOLDER] [--rounds 5] [--connections 64] [--json]

nginx (Debian's package) answers as the provider, from memory; all servers are processes of their own with one worker,
and the same client asks them turn about, each until it has used more than a second of CPU. The gateway has everything
on: a virtual key with limits, a budget, breakers, prices, and the ledger in SQLite. CPU is the server process's own
user and system time, a ratio is the median of the rounds' ratios. With ``--peers`` Portkey's gateway and LiteLLM's
proxy are installed into FOLDER when they are not there yet, and started (:mod:`benchmarks.gateway_peers`); what
cannot be is ``null``, with the reason in ``peers``.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from benchmarks.gateway_load import ask
from benchmarks.gateway_peers import PEERS, Target, Unavailable, free_port
from karkhana.http.messages import Url

KARKHANA = Path(sys.executable).parent / "karkhana"
BODY = json.dumps(
    {"model": "large", "max_tokens": 64, "messages": [{"role": "user", "content": "What is two and two? " * 20}]}
).encode()
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "large",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 3, "total_tokens": 103},
}
RAW = """
import asyncio, sys, httptools, uvloop

HOST, PORT = "127.0.0.1", int(sys.argv[1])


class Back(asyncio.Protocol):
    def __init__(self):
        self.front = None
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.front.transport.write(data)
        self.parser.feed_data(data)

    def on_message_complete(self):
        self.front.back = None
        IDLE.append(self)


IDLE = []


class Front(asyncio.Protocol):
    def __init__(self):
        self.parser = httptools.HttpRequestParser(self)
        self.data = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data.append(data)
        self.parser.feed_data(data)

    def on_message_complete(self):
        data, self.data = b"".join(self.data), []
        if IDLE:
            self.send(IDLE.pop(), data)
        else:
            asyncio.ensure_future(self.connect(data))

    async def connect(self, data):
        _, back = await asyncio.get_running_loop().create_connection(Back, HOST, PORT)
        self.send(back, data)

    def send(self, back, data):
        back.front = self
        back.transport.write(data)


async def main():
    server = await asyncio.get_running_loop().create_server(Front, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
"""


@contextlib.contextmanager
def process(command: list[Any], **others: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that prints its address first; ended afterwards."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **others) as started:
        try:
            assert started.stdout is not None
            yield started, started.stdout.readline()
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(30)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """The port of an nginx that answers every request with :data:`ANSWER`."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    answer = json.dumps(ANSWER).replace("'", "\\'")
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;\n"
        "events { worker_connections 8192; }\n"
        f"http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/body;\n"
        f"  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;\n"
        f"  scgi_temp_path {folder}/s; client_body_buffer_size 1m;\n"
        f"  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;\n"
        f"    location / {{ return 200 '{answer}'; }} }} }}\n"
    )
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command) as started:
        try:
            asyncio.run(_until_open(port))
            yield port
        finally:
            started.terminate()
            started.wait(10)


async def _until_open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit("nginx did not start")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


REQUESTS = {"ours": 8_000, "raw": 60_000, "portkey": 800, "litellm": 120}
"""Of a round: more than a second of CPU each."""


def measured(name: str, target: Target, connections: int) -> tuple[float, int]:
    """CPU microseconds a request, and how many failed."""
    requests = REQUESTS[name]
    before = cpu_s(target.pid)
    failed = ask(target.port, target.headers, BODY, b"Four.", requests=requests, connections=connections)
    return (cpu_s(target.pid) - before) / requests * 1e6, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--peers", type=Path, help="folder for the other gateways; installed there when absent")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gateway-") as scratch, nginx(Path(scratch)) as port:
        emit("gateway", _figures(Path(scratch), port, options), as_json=options.json)


def _figures(folder: Path, port: int, options: argparse.Namespace) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        ours, start_s = stack.enter_context(_ours(folder, port))
        raw, raw_port = stack.enter_context(process([sys.executable, "-c", RAW, str(port)]))
        targets = {"ours": ours, "raw": Target(raw.pid, int(raw_port), ())}
        reasons: dict[str, str] = {}
        for name, peer in PEERS.items() if options.peers else ():
            try:
                targets[name] = stack.enter_context(peer(options.peers.absolute(), folder, port, BODY))
                reasons[name] = targets[name].version
            except Unavailable as unavailable:
                reasons[name] = str(unavailable)
        rounds, failed = _rounds(targets, options)
        cpu = {name: statistics.median(each[name] for each in rounds) for name in targets}
        ratios = {
            name: round(statistics.median(each["ours"] / each[name] for each in rounds), 4)
            for name in targets
            if name != "ours"
        }
        return {
            "cpu_ratio_to_raw": ratios["raw"],
            "cpu_ratio_to_portkey": ratios.get("portkey"),
            "cpu_ratio_to_litellm": ratios.get("litellm"),
            "cpu_us": {name: round(value, 1) for name, value in cpu.items()},
            "rss_mb": round(rss_mb(ours.pid), 1),
            "start_s": round(start_s, 2),
            "peers": reasons,
            "peers_rss_mb": {name: round(rss_mb(targets[name].pid), 1) for name in PEERS if name in targets},
            "rounds": len(rounds),
            "failed": failed,
        }


def _rounds(targets: dict[str, Target], options: argparse.Namespace) -> tuple[list[dict[str, float]], dict[str, int]]:
    """CPU microseconds a request of each target and round, after one round that does not count; what failed in all."""
    rounds, failed = [], dict.fromkeys(targets, 0)
    for number in range(options.rounds + 1):
        spent = {}
        for name, target in targets.items():
            spent[name], wrong = measured(name, target, options.connections)
            failed[name] += wrong
        if number:
            rounds.append(spent)
    return rounds, failed


@contextlib.contextmanager
def _ours(folder: Path, port: int) -> Iterator[tuple[Target, float]]:
    """The gateway, and the seconds until it served."""
    environ = {**os.environ, "KARKHANA_HOME": str(folder / "home")}
    file = folder / "gateway.toml"
    file.write_text(
        f'[gateway]\nport = 0\n[provider.p]\nwire = "openai"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
        '[model.large]\ncandidates = ["p/large"]\noutput = 4096\n[price."p/large"]\ninput = "3"\noutput = "15"\n'
    )
    add: list[Any] = [KARKHANA, "gateway", "keys", "add", "bench", "--requests", "100000000", "--json"]
    made = json.loads(subprocess.run(add, env=environ, capture_output=True, text=True, check=True).stdout)
    budget: list[Any] = [KARKHANA, "gateway", "budgets", "set", f"key:{made['key']['key_id']}", "--hard", "100000"]
    subprocess.run(budget, env=environ, capture_output=True, check=True)
    began = time.monotonic()
    with process([KARKHANA, "gateway", "--config", file, "--json"], env=environ) as (started, line):
        start_s = time.monotonic() - began
        address = Url.parse(json.loads(line)["address"])
        headers = [(b"authorization", b"Bearer " + made["secret"].encode())]
        yield Target(started.pid, address.origin.port, headers), start_s


if __name__ == "__main__":
    main()
