"""CPU per request of the gateway, beside a raw pass-through in the same run; its memory and its start.

    python -m benchmarks.gateway [--requests 20000] [--connections 64] [--portkey URL] [--json]

nginx (Debian's package) answers as the provider, from memory; both servers are processes of their own with one worker,
and the same client asks both, turn about. The gateway has everything on: a virtual key with limits, a budget, breakers,
prices, and the ledger in SQLite. CPU is the server process's own user and system time. ``cpu_ratio_to_portkey`` and
``cpu_ratio_to_litellm`` are ``null`` unless such a gateway already runs in front of the same nginx: then name its
address and process (``--portkey http://127.0.0.1:8787 --portkey-pid PID``).
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings
from karkhana.http.server import listen

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
    with contextlib.closing(listen("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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


async def load(address: str, key: str, requests: int, connections: int) -> int:
    """Ask so often over so many connections; how many requests failed."""
    url = Url.parse(f"{address}/v1/chat/completions")
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer " + key.encode())]
    left, failed = requests, 0
    async with Pool(PoolSettings(per_origin=connections)) as pool:

        async def one() -> None:
            nonlocal left, failed
            while left > 0:
                left -= 1
                answer = await pool.send("POST", url, headers, BODY)
                body = await answer.read(1 << 20)
                failed += answer.status != 200 or b"Four." not in body

        await asyncio.gather(*(one() for _ in range(connections)))
    return failed


def measured(pid: int, address: str, key: str, requests: int, connections: int) -> tuple[float, int]:
    """CPU microseconds a request, and how many failed."""
    before = cpu_s(pid)
    failed = asyncio.run(load(address, key, requests, connections))
    return (cpu_s(pid) - before) / requests * 1e6, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--portkey")
    parser.add_argument("--portkey-pid", type=int)
    parser.add_argument("--litellm")
    parser.add_argument("--litellm-pid", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gateway-") as scratch, nginx(Path(scratch)) as port:
        emit("gateway", _figures(Path(scratch), port, options), as_json=options.json)


def _figures(folder: Path, port: int, options: argparse.Namespace) -> dict[str, Any]:
    environ = {**os.environ, "KARKHANA_HOME": str(folder / "home")}
    file = folder / "gateway.toml"
    file.write_text(
        f'[gateway]\nport = 0\n[provider.p]\nwire = "openai"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
        '[model.large]\ncandidates = ["p/large"]\noutput = 4096\n[price."p/large"]\ninput = "3"\noutput = "15"\n'
    )
    add: list[Any] = [KARKHANA, "gateway", "keys", "add", "bench", "--requests", "100000000", "--json"]
    made = json.loads(subprocess.run(add, env=environ, capture_output=True, text=True, check=True).stdout)
    scope = f"key:{made['key']['key_id']}"
    subprocess.run(
        [KARKHANA, "gateway", "budgets", "set", scope, "--hard", "100000"], env=environ, capture_output=True, check=True
    )
    began = time.monotonic()
    with (
        process([KARKHANA, "gateway", "--config", file, "--json"], env=environ) as (ours, line),
        process([sys.executable, "-c", RAW, str(port)]) as (raw, raw_port),
    ):
        start_s = time.monotonic() - began
        address, raw_address = json.loads(line)["address"], f"http://127.0.0.1:{raw_port.strip()}"
        targets = {"ours": (ours.pid, address, made["secret"]), "raw": (raw.pid, raw_address, "x")}
        for name in ("portkey", "litellm"):
            if getattr(options, name):
                targets[name] = (getattr(options, f"{name}_pid"), getattr(options, name), "x")
        for pid, where, key in targets.values():
            measured(pid, where, key, 1000, options.connections)
        cpu: dict[str, list[float]] = {name: [] for name in targets}
        failed = 0
        for _ in range(3):
            for name, (pid, where, key) in targets.items():
                us, wrong = measured(pid, where, key, options.requests // 3, options.connections)
                cpu[name].append(us)
                failed += wrong
        middle = {name: sorted(values)[1] for name, values in cpu.items()}
        return {
            "cpu_ratio_to_raw": round(middle["ours"] / middle["raw"], 2),
            "cpu_ratio_to_portkey": round(middle["ours"] / middle["portkey"], 4) if "portkey" in middle else None,
            "cpu_ratio_to_litellm": round(middle["ours"] / middle["litellm"], 4) if "litellm" in middle else None,
            "cpu_us": {name: round(value, 1) for name, value in middle.items()},
            "rss_mb": round(rss_mb(ours.pid), 1),
            "start_s": round(start_s, 2),
            "requests": options.requests,
            "failed": failed,
        }


if __name__ == "__main__":
    main()
