"""Real processes on loopback for the gateway's benchmarks: fake providers, and a gateway that may be killed.

    with fake_providers({"p": SCRIPT}) as addresses:
        gateway = GatewayProcess(home, configuration)
        gateway.start()
        secret = gateway.said("gateway", "keys", "add", "bench")["secret"]

Knows nothing of what is measured.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from karkhana.http.messages import Url
from karkhana.http.pool import Pool
from karkhana.http.server import listen

KARKHANA = Path(sys.executable).parent / "karkhana"


def free_port() -> int:
    """A port that nobody listens on now."""
    with contextlib.closing(listen("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def fake_providers(scripts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Addresses of fake providers by name, each a process of its own."""
    processes: list[subprocess.Popen[bytes]] = []
    addresses = {}
    with tempfile.TemporaryDirectory(prefix="providers-") as folder:
        try:
            for name, text in scripts.items():
                script = Path(folder, f"{name}.toml")
                script.write_text(text)
                command: list[Any] = [KARKHANA, "provider", "fake", "--script", script, "--json"]
                processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
                output = processes[-1].stdout
                assert output is not None
                addresses[name] = json.loads(output.readline())["address"]
            yield addresses
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.communicate()


async def account(pool: Pool, address: str, of: str = "") -> dict[str, Any]:
    """What a fake provider would charge, in all or for one request; empty if it never got that."""
    answer = await pool.send("GET", Url.parse(f"{address}/fake/account{of}"), [])
    told = json.loads(await answer.read(1 << 24))
    return told if answer.status == 200 else {}


class GatewayProcess:
    """``karkhana gateway`` with a database of its own in ``home``, always at the same port."""

    def __init__(self, home: Path, configuration: str) -> None:
        """``configuration`` without ``host`` and ``port``; its first line is ``[gateway]``."""
        self.home = home / "karkhana"
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._file = home / "gateway.toml"
        self._errors = home / "stderr.txt"
        assert configuration.startswith("[gateway]\n")
        self._file.write_text(configuration.replace("[gateway]\n", f"[gateway]\nport = {self.port}\n", 1))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> float:
        """Returns when it serves; seconds that this took."""
        began = time.monotonic()
        with self._errors.open("ab") as errors:
            command: list[Any] = [KARKHANA, "gateway", "--config", self._file, "--json"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=self._environment())
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the gateway did not start: {self.errors()}")
        self.starts += 1
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL: nothing can be written down any more."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status, 0 unless it ended some other way."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def errors(self) -> str:
        """All that it wrote on stderr, over all starts."""
        return self._errors.read_text(errors="replace")

    def said(self, *words: str) -> Any:
        """What another command says about the same database."""
        done = subprocess.run(
            [KARKHANA, *words, "--json"], capture_output=True, text=True, env=self._environment(), check=True
        )
        return json.loads(done.stdout)

    def memory_mb(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def descriptors(self) -> int:
        """Open files, connections among them."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "KARKHANA_HOME": str(self.home)}
