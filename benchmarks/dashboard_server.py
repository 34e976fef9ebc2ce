"""A real ``karkhana serve`` process for benchmarks: signed in, measured from outside.

CPU is what the kernel says that the process and its database have used (``/proc/PID/task/*/schedstat``), in
nanoseconds, so that a busy machine changes it little. Knows nothing of what is asked for.
"""

import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TIMING = re.compile(r"app;dur=([\d.]+)")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    server_ms: float
    """From the first byte of the request to the first of the answer, by the server's own clock."""
    cpu_ms: float
    """Of the server and its database."""
    disk_kb: float
    """What these had to read from the disk, as it was in no memory."""
    location: str

    @property
    def packed(self) -> int:
        """Bytes as gzip would send them."""
        return len(gzip.compress(self.body, 6))


@dataclass
class Client:
    """One person's browser, without the browser: a connection that is kept, and a session."""

    process: "subprocess.Popen[str]"
    address: str
    database: int = 0
    """The process id of PostgreSQL's first process; 0: none."""
    cookie: str = ""
    listening_ns: int = 0
    """CPU of the server until it told that it listens."""
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.address).netloc, timeout=120)

    def get(self, path: str) -> Answer:
        """One page."""
        before, read = self.cpu_ns(), self.disk_kb()
        headers = {"accept": "text/html", "cookie": self.cookie}
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        timing = _TIMING.search(answer.getheader("server-timing", ""))
        spent, read = (self.cpu_ns() - before) / 1e6, self.disk_kb() - read
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie" and "=" in value:
                self.cookie = value.partition(";")[0]
        took = float(timing[1]) if timing else float("nan")
        return Answer(answer.status, body, took, spent, read, answer.getheader("location", ""))

    def cpu_ns(self) -> int:
        """Used so far by the server and its database."""
        return sum(_cpu_ns(pid) for pid in self._processes())

    def disk_kb(self) -> float:
        """Read from the disk so far by the server and its database."""
        told = [Path(f"/proc/{pid}/io").read_text() for pid in self._processes()]
        return sum(int(each.partition("\nread_bytes:")[2].split()[0]) for each in told) / 1000

    def _processes(self) -> list[int]:
        return [self.process.pid, *(_children(self.database) if self.database else ())]

    def rss_kb(self) -> int:
        """Resident memory of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]

    def files(self) -> int:
        """Open files of the server."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - Path.iterdir would stat them


def _cpu_ns(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            continue
    return total


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def serving(home: Path, url: str | None, database: int = 0) -> Iterator[Client]:
    """The command on a free port with a signed-in client; it is stopped afterwards."""
    environment = {**os.environ, "KARKHANA_HOME": str(home)}
    environment.pop("KARKHANA_DATABASE_URL", None)
    if url is not None:
        environment["KARKHANA_DATABASE_URL"] = url
    command = [sys.executable, "-c", "from karkhana.cli.main import main; main()", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        client = Client(process, told["address"], database, listening_ns=_cpu_ns(process.pid))
        link = urllib.parse.urlsplit(told["link"])
        entered = client.get(f"{link.path}?{link.query}")
        assert entered.status == 303, entered
        yield client
    finally:
        process.terminate()
        process.wait(30)
