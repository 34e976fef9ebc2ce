"""Descriptions that a repository's applications write of themselves, in the sandbox.

The program that does it (``probes/openapi_probe.py``) imports the target's code there and nowhere else; what it
answers is data that nobody vouches for. Knows nothing of gates.

    generate(context.after).descriptions["shop.main:app"]
"""

import json
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from karkhana.ports import Workspace

MARK = b"@@karkhana@@"
MOST_APPLICATIONS = 8


class Generated(msgspec.Struct, frozen=True):
    """What the applications said, by ``module:name``; and why others said nothing."""

    descriptions: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}


def generate(workspace: Workspace, timeout_s: float) -> Generated:
    """Find and describe the applications; both empty when there is none.

    Raises ``InfrastructureFailure`` when the sandbox itself broke.
    """
    job = {"root": workspace.root, "most": MOST_APPLICATIONS}
    program = f"{_probe()}\nmain(json.loads({json.dumps(job)!r}))\n"
    result = workspace.run(("python", "-I", "-"), stdin=program.encode(), timeout_s=timeout_s)
    if result.timed_out:
        return Generated(failed={"the applications": f"not described within {timeout_s:.0f} s"})
    try:
        return msgspec.json.decode(result.stdout.rpartition(MARK)[2], type=Generated)
    except msgspec.DecodeError:
        return Generated(failed={"the applications": f"importing them ended the interpreter ({result.exit_code})"})


@lru_cache(maxsize=1)
def _probe() -> str:
    return resources.files("karkhana.quality").joinpath("probes", "openapi_probe.py").read_text("utf-8")
