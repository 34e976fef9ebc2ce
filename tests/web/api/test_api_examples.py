"""The examples of docs/api.md, as they stand there: curl against a server on loopback, ``karkhana`` with its home."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from karkhana.cli.commands import tokens, webhooks
from karkhana.factory.stores import Stores
from karkhana.http.server import Limits, listen, serve, server
from karkhana.web.app import dashboard

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]
MAKING = re.search(r"`karkhana (tokens create [^`]*)`", PAGE.replace("\n", " "))[1]
ANSWERS = {
    "openapi.json": '"openapi": "3.1',
    "tasks": '"status":"queued"',
    "runs": '"status":"waiting_for_review"',
    "stream": "event: run.finished",
    "approval": '"change":"',
    "approve": '"status":"delivered"',
}
"""Last word of an example's address → what is in the answer."""


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the server and for the command line."""
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARKHANA_SECRETS_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("KARKHANA_ACCESS_TOKEN_APPROVALS", "true")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("KARKHANA_DATABASE_URL", raising=False)


@pytest.fixture
def address(stores: Stores, answers) -> Iterator[str]:
    """Of a server."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    made = server(dashboard(stores, account="asha", port=port, answering=answers), Limits(), stop_s=2.0)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(made, listening, ready.set)))
    thread.start()
    try:
        assert ready.wait(30)
        yield f"127.0.0.1:{port}"
    finally:
        made.should_exit = True
        thread.join(30)


def made_token(role: str) -> str:
    """By the page's own command."""
    words = shlex.split(MAKING.replace("NAME", "nightly").replace("operator", role))
    result = CliRunner().invoke(tokens.app, words[1:], catch_exceptions=False)
    assert result.exit_code == 0, (words, result.output)
    return result.stdout.strip()


def asked(command: str, before: list[str], token: str) -> str:
    """What a command of curl prints; it fails where the answer is a problem."""
    program = ["set -euo pipefail", 'curl() { command curl --fail-with-body --max-time 20 "$@"; }', *before, command]
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", "\n".join(program)],
        env={"PATH": os.environ["PATH"], "KARKHANA_TOKEN": token},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), (command, done.stdout, done.stderr)
    return done.stdout


def test_every_example_of_curl_does_what_the_page_says(address: str, runs: dict[str, str], answers) -> None:
    operator, approver = (made_token(role) for role in ("operator", "approver"))
    said, before, change = set(), list[str](), ""
    for line in COMMANDS:
        command = line.replace("127.0.0.1:8321", address).replace("8bb9…", change)
        if re.match(r"[A-Z]+=", command):
            before.append(command)
        elif command.startswith("curl "):
            place = re.search(r"(?:\$API|/v1)/(?:\w+/)*([\w.]+)", command)[1]
            run_id = runs["delivered" if place == "stream" else "waiting"]
            token = approver if place == "approve" else operator
            told = asked(command.replace("/RUN/", f"/{run_id}/"), before, token)
            assert ANSWERS[place] in told, command
            said.add(place)
            change = json.loads(told)["change"] if place == "approval" else change
    assert said == ANSWERS.keys()
    ((run_id, decided),) = answers.given
    assert (run_id, decided["seen"], decided["comment"]) == (runs["waiting"], change, "looks right")


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("karkhana ")])
def test_every_example_of_the_command_line_is_understood(line: str) -> None:
    _, group, name, *words = shlex.split(line)
    command = typer.main.get_command({"webhooks": webhooks.app}[group]).commands[name]
    assert command.make_context(name, words).params  # it is not carried out: it would send


def test_no_example_is_left_out() -> None:
    assert [line for line in COMMANDS if not re.match(r"[A-Z]+=|curl |karkhana ", line)] == []
