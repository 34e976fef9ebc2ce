"""Two dashboards, workers and PostgreSQL on nodes of their own; one is killed, and one is cut off from the network."""

import hashlib
import hmac
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from benchmarks.drill import CountingForge, Mark, SideLog
from network_nodes import IP, Node, eventually, network, postgres_on
from short_lines import repository

from components import need
from karkhana.domain.tasks import Status
from karkhana.storage.database import Database, open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import RunStore
from karkhana.storage.tables import runs
from postgres import BINARIES

SECRET = "a secret of some length"
PORT = 8321
ROOT = Path(__file__).parents[2]


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    missing = [str(path) for path in (Path(IP), BINARIES / "postgres") if not path.exists()]
    need(os.geteuid() == 0 and not missing, f"root and {' and '.join(missing) or 'network namespaces'}")
    with network("data", "serve1", "serve2", "work1", "work2", "work3") as made:
        yield made


@pytest.fixture
def urls(nodes: list[Node]) -> Iterator[tuple[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="karkhana-pg-", dir="/tmp"))
    try:
        with postgres_on(nodes[0], folder) as opened:
            yield opened
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Dashboard:
    """``karkhana serve`` on a node."""

    def __init__(self, node: Node, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.node = node
        self._link = json.loads(process.stdout.readline())["link"]
        self._cookie = ""
        self._connections: list[http.client.HTTPConnection | http.client.HTTPResponse] = []

    def answer(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        usual = {"Host": f"127.0.0.1:{PORT}", "Cookie": self._cookie}
        connection = self.node.connected(PORT)
        connection.request(method, path, body, usual | headers)
        self._connections.append(connection)
        answer = connection.getresponse()
        self._connections.append(answer)
        return answer

    def close(self) -> None:
        """Let go of every connection."""
        for each in self._connections:
            each.close()

    def enter(self) -> None:
        entered = self.answer("GET", "/enter?" + self._link.partition("?")[2])
        self._cookie = str(entered.getheader("Set-Cookie")).partition(";")[0]

    def deliver(self, number: int) -> str:
        """A signed delivery of an issue; the task that it gave."""
        body = json.dumps(
            {
                "action": "opened",
                "issue": {
                    "number": number,
                    "title": f"total() is wrong, number {number}",
                    "html_url": f"https://forge.test/{number}",
                    "labels": [],
                },
                "repository": {"full_name": "octo/shop", "default_branch": "main"},
                "sender": {"login": "asha"},
            }
        ).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "issues",
            "X-GitHub-Delivery": f"d-{number}",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        told = json.loads(self.answer("POST", "/hooks/forge", body, **headers).read())
        assert told.get("status") == "accepted", told
        return str(told["task_id"])


@contextmanager
def serving(node: Node, folder: Path, url: str) -> Iterator[Dashboard]:
    configured = folder / "config" / "karkhana"
    configured.mkdir(parents=True, exist_ok=True)
    (configured / "config.toml").write_text(
        '[intake.forge]\nkind = "github"\nsecret_variables = ["FORGE_SECRET"]\nsenders = ["asha"]\n'
        f'repositories = {{"*" = "{folder / "shop"}"}}\n'
    )
    environ = {**os.environ, "KARKHANA_DATABASE_URL": url, "KARKHANA_HOME": str(folder / node.space)}
    environ |= {"XDG_CONFIG_HOME": str(folder / "config"), "FORGE_SECRET": SECRET}
    main = "from karkhana.cli.main import main; main()"
    command = [sys.executable, "-c", main, "serve", "--port", str(PORT), "--json"]
    with node.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, text=True) as process:
        try:
            dashboard = Dashboard(node, process)
            yield dashboard
            dashboard.close()
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def working(node: Node, folder: Path, url: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A drill's worker on a node, which is killed when the block ends."""
    command = [sys.executable, "-m", "benchmarks.drill", str(folder), "--url", url, "--name", node.space, *options]
    command += ["--lease", "2", "--heartbeat", "0.4"]
    with node.start(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def says(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    for said in process.stdout:
        if said.rstrip() == line:
            return
    raise AssertionError(f"it ended before it said {line!r}")


def marks(folder: Path, task_id: str, what: str = "begin") -> list[Mark]:
    return [mark for mark in SideLog(folder).read() if mark.task_id == task_id and mark.what == what]


@pytest.mark.slow
@pytest.mark.postgres
def test_nodes_die_and_are_cut_off_and_nothing_is_lost_or_done_twice(
    nodes: list[Node], urls: tuple[str, str], tmp_path: Path
) -> None:
    url, by_socket = urls
    _, first, second, doomed, cut, heir = nodes
    repository(tmp_path / "shop")
    with ExitStack() as stack:
        start = stack.enter_context
        outside = start(open_database(by_socket, tmp_path / "outside"))
        dying = start(working(doomed, tmp_path, url, "--pause-at", "middle of build"))
        one, two = (start(serving(node, tmp_path, url)) for node in (first, second))
        two.enter()
        live = two.answer("GET", "/live")
        assert live.status == 200
        killed = one.deliver(1)
        lines = iter(live.readline, b"")
        assert any(b"number 1" in line for line in lines), "what came in at one node is seen live on the other"
        says(dying, "at middle of build")
        parted = start(working(cut, tmp_path, url, "--pause-at", "middle of deliver"))
        says(parted, "ready")
        dying.kill()
        # the one that is not dead takes over what the dead one held, and is held itself after it has pushed
        says(parted, "at middle of deliver")
        assert {mark.worker for mark in marks(tmp_path, killed)} == {doomed.space, cut.space}
        cut.cut()
        start(working(heir, tmp_path, url))
        eventually(lambda: task_status(outside, killed) is Status.DELIVERED)
        again = one.deliver(2)
        eventually(lambda: task_status(outside, again) is Status.DELIVERED)
        # the one that was cut off comes back, and wants to go on
        cut.mend()
        (tmp_path / "go").touch()
        eventually(lambda: any(mark.worker == cut.space for mark in marks(tmp_path, killed, "end")[5:]))
        later = one.deliver(3)
        eventually(lambda: task_status(outside, later) is Status.DELIVERED)
        assert [CountingForge(tmp_path).pushes(task) for task in (killed, again, later)] == [1, 1, 1]
        begun = [(mark.worker, mark.step) for mark in marks(tmp_path, killed)]
        assert begun.count((cut.space, "finish")) == 0
        assert [step for worker, step in begun if worker == heir.space] == ["deliver", "finish"]
        judge(outside, {killed, again, later})


def task_status(database: Database, task_id: str) -> Status:
    (run,) = RunStore(database).list(task_id=task_id) or (None,)
    return Status.QUEUED if run is None else run.status


def judge(database: Database, tasks: set[str]) -> None:
    """One run for each ticket, ended, with a whole trail."""
    with database.reading() as connection:
        found = connection.execute(runs.select()).all()
    assert sorted(run.task_id for run in found) == sorted(tasks)
    assert {run.status for run in found} == {"delivered"}
    log = EventLog(database, Redactor({}))
    assert [problem for run in found for problem in log.verify(run.run_id)] == []
