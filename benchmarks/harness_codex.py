"""Codex CLI's own CPU a turn, for the table of :mod:`benchmarks.harness`: PyPI's binary against our fake provider.

Its own process only, without the commands that it starts. Starting up is not counted: a run of one turn is
taken off. Codex has no sandbox here (it is told to go without), and writes its session file.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "openai-codex-cli-bin"
SCRIPT = """
[[answer]]
turn = {last}
text = "over"
[[answer]]
calls = [{{ name = "exec_command", arguments = {{ cmd = "cat notes.txt" }} }}]
"""
CONFIGURATION = """
model = "any"
model_provider = "fake"
[model_providers.fake]
name = "fake"
base_url = "{address}/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""


def measure(turns: int, python: Path) -> float:
    """CPU milliseconds a turn."""
    return (_cpu_ms(turns + 1, python) - _cpu_ms(1, python)) / turns


def _cpu_ms(turns: int, python: Path) -> float:
    (binary,) = python.parent.parent.glob("lib/python*/site-packages/codex_cli_bin/bin/codex")
    with tempfile.TemporaryDirectory() as folder, _provider(Path(folder), turns) as address:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "config.toml").write_text(CONFIGURATION.format(address=address))
        (Path(folder) / "notes.txt").write_text("notes\n")
        words = ["exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Do it"]
        environment = {"PATH": "/usr/bin:/bin", "CODEX_HOME": str(home), "HOME": folder}
        process = subprocess.Popen(
            [binary, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=environment,
        )
        assert process.stdout is not None
        done, ticks = 0, 0
        with process.stdout as output:
            for line in output:
                event = json.loads(line)
                done += event["type"] == "item.completed" and event["item"]["type"] == "command_execution"
                if event["type"] == "turn.completed":
                    ticks = _ticks(process.pid)
        if process.wait() != 0 or done != turns or not ticks:
            raise RuntimeError(f"Codex made {done} of {turns} turns, exit code {process.returncode}")
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    """User and system time of a process without its children, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def _provider(folder: Path, turns: int) -> Iterator[str]:
    script = folder / "script.toml"
    script.write_text(SCRIPT.format(last=turns + 1))
    program = Path(sys.executable).parent / "karkhana"
    command: list[str | Path] = [program, "provider", "fake", "--script", script, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()
