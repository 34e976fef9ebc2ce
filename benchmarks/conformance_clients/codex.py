"""Codex solves a ticket with its own tools."""

import json
import os
import subprocess
from pathlib import Path

from checks import Checks, equal
from ticket import Ticket

PROGRAM = Path(os.environ["CLIENT_DATA"]) / "npm/node_modules/.bin/codex"
VERSION = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
checks = Checks({"@openai/codex": VERSION})
PROVIDER = (
    f'model_providers.karkhana={{name="karkhana", base_url="{checks.address}/v1", env_key="KARKHANA_KEY", '
    'wire_api="responses", request_max_retries=0, stream_max_retries=0}'
)


def solve(model: str) -> None:
    home = Path.cwd() / "codex-home"
    home.mkdir(exist_ok=True)
    with Ticket() as ticket:
        command = [str(PROGRAM), "exec", "--json", "--skip-git-repo-check", "--sandbox", "danger-full-access"]
        command += ["-c", "model_provider=karkhana", "-c", PROVIDER, "--model", model, "Codex, mend add in calc.py."]
        told = ticket.work(command, {"KARKHANA_KEY": checks.key, "CODEX_HOME": str(home)})
        events = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        items = [event["item"] for event in events if event["type"] == "item.completed"]
        equal([item["exit_code"] for item in items if item["type"] == "command_execution"], [0, 0])
        equal([item["text"] for item in items if item["type"] == "agent_message"], ["The sign was wrong."])
        assert events[-1]["usage"]["output_tokens"] > 0, events[-1]


for each in checks.wires:
    with checks("solves a ticket", each):
        solve(f"via-{each}")
