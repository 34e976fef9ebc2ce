"""The programs about web applications in the real sandbox: description, replay, and schemathesis on its loopback."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from quality_contexts import change_of, contents_of, suite_report

from components import need
from karkhana.domain.events import AnyEvent
from karkhana.domain.evidence import GateStatus
from karkhana.domain.tasks import Ticket
from karkhana.ports import GateContext, Workspace
from karkhana.quality.contracts.openapi.generated import generate
from karkhana.quality.gates.api_fuzz import ApiFuzz
from karkhana.quality.gates.openapi_contract import OpenApiContract
from karkhana.quality.gates.traffic import Traffic
from karkhana.quality.traffic.fuzzing import look
from karkhana.workspace.local import LocalWorkspaces, fuzzer_folder

APP = """
import json, pathlib, socket
from shop.price import price
__all__ = ["app"]

def app(environ, start_response):
    pathlib.Path("written.txt").write_text("side effect")
    if environ["PATH_INFO"] == "/out":
        try:
            socket.create_connection(("192.0.2.1", 80), 0.5).close()
            answer = "connected"
        except OSError:
            answer = "no network"
    else:
        answer = price(len(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"answer": answer}).encode()]
"""
FRAMEWORK = """
class FastAPI:
    def openapi(self):
        return {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {}}}}}
"""
NUMBER = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "servers": [{"url": "https://shop.example/v1"}],
    "paths": {
        "/price": {
            "get": {
                "parameters": [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "it", "content": {"application/json": {"schema": NUMBER}}}},
            }
        }
    },
}
HAR = {"log": {"entries": [{"request": {"method": "GET", "url": f"http://x{p}"}} for p in ("/out", "/v1/price?q=a")]}}
BEFORE = {
    "shop/__init__.py": "",
    "shop/web.py": APP,
    "shop/price.py": "def price(n):\n    return n\n",
    "openapi.json": json.dumps(DESCRIPTION),
    "a.har": json.dumps(HAR),
}


class Quiet:
    """A trail that nobody reads."""

    def record(self, event: AnyEvent) -> None:
        pass

    def keep(self, content: bytes) -> str:
        return ""


@contextmanager
def opened(folder: Path, home: Path, files: Mapping[str, str]) -> Iterator[Workspace]:
    """A workspace on a commit of its own with ``files``, in the real sandbox."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    with LocalWorkspaces(home).open(str(folder), commit, record=Quiet()) as workspace:
        yield workspace


@contextmanager
def sandboxed(tmp_path: Path, after: Mapping[str, str]) -> Iterator[GateContext]:
    with ExitStack() as stack:
        sides = [
            stack.enter_context(opened(tmp_path / name, tmp_path / "home", files))
            for name, files in (("before", BEFORE), ("after", after))
        ]
        yield GateContext(
            change=change_of(BEFORE, after),
            ticket=Ticket(text="fix it"),
            contents=contents_of(BEFORE, after),
            before=sides[0],
            after=sides[1],
            test_command=("true",),
            baseline=suite_report({"t.py::test": "passed"}),
            result=suite_report({"t.py::test": "passed"}),
        )


def test_a_replay_stays_in_the_sandbox(tmp_path: Path) -> None:
    after = {**BEFORE, "shop/price.py": "def price(n):\n    return n + 1\n"}
    with sandboxed(tmp_path, after) as context:
        result = Traffic().check(context)
        assert [f.message for f in result.findings] == ["GET /v1/price?q=a: $.answer was 3, is 4"]
        assert result.measures["requests"] == 2
        assert context.before.changes() == context.after.changes() == ()


def test_an_application_describes_itself_in_the_sandbox(tmp_path: Path) -> None:
    files = {"main.py": "from fastapi import FastAPI\nprint('x')\napp = FastAPI()\n", "fastapi.py": FRAMEWORK}
    with opened(tmp_path / "a", tmp_path / "home", files) as workspace:
        assert list(generate(workspace, 60).descriptions) == ["main:app"]
        assert look(workspace, 60).description == generate(workspace, 60).descriptions["main:app"]
    after = {**BEFORE, "openapi.json": json.dumps({**DESCRIPTION, "paths": {}})}
    with sandboxed(tmp_path, after) as context:
        assert OpenApiContract().check(context).findings[0].rule == "openapi:path_removed"


@pytest.mark.slow
def test_schemathesis_finds_new_failures_only(tmp_path: Path) -> None:
    need(fuzzer_folder().is_dir(), "schemathesis: make setup installs it")
    broken = "def price(n):\n    return 1 // (n > 2) if n < 9 else 'much'\n"
    with sandboxed(tmp_path, {**BEFORE, "shop/price.py": broken}) as context:
        result = ApiFuzz().check(context)
        assert (result.status, result.measures["at_fault"]) == (GateStatus.FAILED, 1), result
        assert result.findings[0].rule == "api_fuzz:not_a_server_error"
        assert "500 (ZeroDivisionError" in result.findings[0].message
        assert "was 200" in result.findings[0].message
        assert context.after.changes() == ()
