"""Claude Code solves a ticket with its own tools."""

import json
import os
import subprocess
from pathlib import Path

from checks import Checks, equal
from ticket import Ticket

[PROGRAM] = Path(os.environ["CLIENT_DATA"]).glob("npm/node_modules/@anthropic-ai/claude-code-*/claude")
VERSION = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]
checks = Checks({"@anthropic-ai/claude-code": VERSION})
QUIET = {
    "ANTHROPIC_BASE_URL": checks.address,
    "ANTHROPIC_AUTH_TOKEN": checks.key,
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
}


def solve(model: str) -> None:
    with Ticket() as ticket:
        command = [str(PROGRAM), "--print", "Claude, mend add in calc.py.", "--model", model]
        told = ticket.work([*command, "--allowedTools", "Bash", "--output-format", "json"], QUIET)
        found = json.loads(told)
        equal((found["is_error"], found["result"], found["num_turns"]), (False, "The sign was wrong.", 3))
        assert found["usage"]["output_tokens"] > 0


for each in checks.wires:
    with checks("solves a ticket", each):
        solve(f"via-{each}")
