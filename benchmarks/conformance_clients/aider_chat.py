"""aider edits a file and commits, asking by OpenAI's and Anthropic's interface, streamed and whole."""

import importlib.metadata
import os
from contextlib import chdir

from checks import Checks, equal
from ticket import Ticket

checks = Checks({name: importlib.metadata.version(name) for name in ("aider-chat", "litellm")})
os.environ.update(
    {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_API_BASE": checks.address + "/v1",
        "OPENAI_API_KEY": checks.key,
        "ANTHROPIC_API_BASE": checks.address,
        "ANTHROPIC_API_KEY": checks.key,
    }
)
# The import reads the environment, and takes too long to be made anew for every ticket.
from aider.main import main  # noqa: E402

OPTIONS = [
    "--yes-always",
    "--no-check-update",
    "--no-analytics",
    "--no-show-model-warnings",
    "--no-show-release-notes",
    "--no-gitignore",
    "--no-suggest-shell-commands",
    "--no-detect-urls",
    "--no-fancy-input",
    "--no-pretty",
    "--map-tokens=0",
    "--edit-format=diff",
]
DOORS = {
    "edits and commits by Chat Completions": ("openai", "--stream"),
    "edits and commits by Messages": ("anthropic", "--stream"),
    "edits and commits by Messages, whole": ("anthropic", "--no-stream"),
}


def solve(model: str, stream: str) -> None:
    with Ticket() as ticket, chdir(ticket.folder):
        ended = main([*OPTIONS, stream, "--model", model, "--message", "Aider, mend add in calc.py.", "calc.py"])
        equal(ended or 0, 0)
        equal(ticket.git("log", "-1", "--format=%s"), "Add instead of subtracting")
        ticket.check()


for each in checks.wires:
    for feature, (provider, stream) in DOORS.items():
        with checks(feature, each):
            solve(f"{provider}/via-{each}", stream)
