"""mini-swe-agent solves a ticket with its tool loop, asking by OpenAI's, OpenAI's newer and Anthropic's interface."""

import importlib.metadata
import json
import os
from contextlib import chdir
from typing import Any

from checks import Checks, equal
from ticket import Ticket

checks = Checks({name: importlib.metadata.version(name) for name in ("mini-swe-agent", "litellm")})
os.environ.update(
    {
        "MSWEA_CONFIGURED": "true",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_API_BASE": checks.address + "/v1",
        "OPENAI_API_KEY": checks.key,
        "ANTHROPIC_API_BASE": checks.address,
        "ANTHROPIC_API_KEY": checks.key,
    }
)
# The import reads the environment, and takes too long to be made anew for every ticket.
from minisweagent.run import mini  # noqa: E402

DOORS = {
    "solves a ticket by Chat Completions": ("openai", "litellm"),
    "solves a ticket by Responses": ("openai", "litellm_response"),
    "solves a ticket by Messages": ("anthropic", "litellm"),
}
"""Door → litellm's name of the provider, mini-swe-agent's class of models."""


def solve(model: str, kind: str) -> None:
    with Ticket() as ticket, chdir(ticket.folder):
        written = ticket.folder.with_suffix(".json")
        mini.main(
            model_name=model,
            model_class=kind,
            agent_class=None,
            environment_class=None,
            task="The function add in calc.py subtracts: mend it.",
            yolo=True,
            cost_limit=None,
            config_spec=[str(mini.DEFAULT_CONFIG_FILE)],
            output=written,
            exit_immediately=True,
        )
        trail: dict[str, Any] = json.loads(written.read_text())
        equal((trail["info"]["exit_status"], trail["info"]["model_stats"]["api_calls"]), ("Submitted", 3))
        ticket.check()


for each in checks.wires:
    for feature, (provider, kind) in DOORS.items():
        with checks(feature, each):
            solve(f"{provider}/via-{each}", kind)
