"""Other gateways, to be measured beside ours: Portkey's (npm) and LiteLLM's proxy (PyPI), each with one worker.

Both are installed into a folder by their own package managers, once, and pass on to the same server as ours. LiteLLM
asks for one master key; Portkey for none. Neither keeps budgets or a ledger here.
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway_load import Headers
from karkhana.http.server import listen

PORTKEY = "@portkey-ai/gateway"
LITELLM = "litellm[proxy]"
START_S = 180
_KEY = "sk-0123456789abcdef0123456789abcdef0123456789abcdef"
"""LiteLLM takes no shorter one. It opens nothing."""


class Target(NamedTuple):
    """A server that is measured."""

    pid: int
    port: int
    headers: Headers
    version: str = ""


class Unavailable(Exception):
    """The peer could not be installed or started; the text says why."""


def free_port() -> int:
    with contextlib.closing(listen("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def portkey(folder: Path, scratch: Path, upstream: int, body: bytes) -> Iterator[Target]:
    """Raises :class:`Unavailable`."""
    place = folder / "portkey"
    package = place / "node_modules" / PORTKEY
    if not package.exists():
        place.mkdir(parents=True, exist_ok=True)
        _install(["npm", "install", "--no-fund", "--no-audit", "--prefix", place, PORTKEY])
    port = free_port()
    command = ["node", package / "build" / "start-server.js", "--headless", f"--port={port}"]
    headers = [
        (b"authorization", b"Bearer x"),
        (b"x-portkey-provider", b"openai"),
        (b"x-portkey-custom-host", b"http://127.0.0.1:%d/v1" % upstream),
    ]
    version = _output(["node", "-p", f"require({str(package / 'package.json')!r}).version"])
    with _started(command, {**os.environ, "NODE_ENV": "production"}, scratch / "portkey.log") as started:
        _until_it_answers(started, port, headers, body, scratch / "portkey.log")
        yield Target(started.pid, port, headers, version)


@contextlib.contextmanager
def litellm(folder: Path, scratch: Path, upstream: int, body: bytes) -> Iterator[Target]:
    """Raises :class:`Unavailable`."""
    place = folder / "litellm"
    python = place / "bin" / "python"
    if not (place / "bin" / "litellm").exists():
        _install([sys.executable, "-m", "venv", place])
        _install([python, "-m", "pip", "install", "--quiet", LITELLM])
    file, port = scratch / "litellm.yaml", free_port()
    file.write_text(
        "model_list:\n  - model_name: large\n    litellm_params:\n      model: openai/large\n"
        f"      api_base: http://127.0.0.1:{upstream}/v1\n      api_key: x\n"
    )
    command = [place / "bin" / "litellm", "--config", file, "--host", "127.0.0.1", "--port", str(port)]
    headers = [(b"authorization", b"Bearer " + _KEY.encode())]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LITELLM_MASTER_KEY": _KEY,
        # Else it fetches a list of prices from the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    version = _output([python, "-c", "import importlib.metadata as m; print(m.version('litellm'))"])
    with _started([*command, "--num_workers", "1"], environ, scratch / "litellm.log") as started:
        _until_it_answers(started, port, headers, body, scratch / "litellm.log")
        yield Target(started.pid, port, headers, version)


PEERS: dict[str, Callable[[Path, Path, int, bytes], contextlib.AbstractContextManager[Target]]] = {
    "portkey": portkey,
    "litellm": litellm,
}


def _install(command: list[str | Path]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{command[0]} did not install it: {done.stderr[-300:]}")


def _output(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@contextlib.contextmanager
def _started(command: list[str | Path], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as written:
        try:
            started = subprocess.Popen(command, env=environ, stdout=written, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Unavailable(f"{command[0]}: {error}") from error
        with started:
            try:
                yield started
            finally:
                started.terminate()
                try:
                    started.wait(20)
                except subprocess.TimeoutExpired:
                    started.kill()


def _until_it_answers(started: subprocess.Popen[bytes], port: int, headers: Headers, body: bytes, log: Path) -> None:
    given = {name.decode(): value.decode() for name, value in headers} | {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, given)
    until, last = time.monotonic() + START_S, ""
    while time.monotonic() < until and started.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
            return
        except urllib.error.HTTPError as refused:
            last = f"status {refused.code}: {refused.read()[:200]!r}"
        except OSError as error:
            last = str(error)
        time.sleep(0.5)
    raise Unavailable(f"it did not answer ({last}): {log.read_text()[-300:]}")
