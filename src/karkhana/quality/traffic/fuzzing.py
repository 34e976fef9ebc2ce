"""Lets schemathesis ask an application in the sandbox, and says what it objects to.

schemathesis (MIT, https://schemathesis.readthedocs.io) makes requests from an OpenAPI description: its examples, values
at the bounds of each schema, and generated ones, valid and not; and judges the answers. It lies in a folder of its own
that the sandbox shows, and is deterministic. Knows nothing of changes.

    fuzz(context.after, description, FuzzLimits(...)).failures
"""

import base64
import binascii
import sys
from typing import Any

import msgspec

from karkhana.behaviour.running import FUZZER
from karkhana.ports import Workspace
from karkhana.quality.traffic.endpoints import Route, base_path
from karkhana.quality.traffic.requests import Request, kept_headers
from karkhana.quality.traffic.sandboxed import MOST_APPLICATIONS, run

_OWN_HEADERS = ("user-agent", "x-schemathesis-testcaseid", "accept-encoding", "connection")


class Looked(msgspec.Struct, frozen=True):
    """An application as it is found, its description of itself, and its routes."""

    application: str
    failed: dict[str, str] = {}
    description: dict[str, Any] | None = None
    routes: tuple[Route, ...] = ()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that schemathesis objects to."""

    operation: str
    """``GET /items/{id}``."""
    check: str
    title: str
    message: str
    request: Request

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for the same objection to the same operation, whatever the values."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        where = [line for line in lines if line.startswith(("Schema at", "Received", "Documented"))]
        return (self.operation, self.check, self.title, *where[:2])


class Fuzzed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    failures: tuple[Failure, ...] = ()
    complete: bool = False
    """schemathesis came to its end within its time."""
    missing: bool = False
    """There is no schemathesis."""
    why: str = ""
    """Why the application or schemathesis did not start."""


class FuzzLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one run."""

    examples: int
    """Generated requests for each operation, besides examples and bounds."""
    checks: list[str]
    seconds: float
    """For one answer."""
    cpu_s: int
    total_s: float


def look(workspace: Workspace, timeout_s: float) -> Looked:
    """Import the application of the workspace in its sandbox. Raises ``InfrastructureFailure``."""
    job = {"root": workspace.root, "most": MOST_APPLICATIONS}
    names = ("openapi_probe", "web_probe", "routes_probe")
    return run(workspace, names, "look", job, Looked, timeout_s=timeout_s).lines[0]


def fuzz(workspace: Workspace, description: dict[str, Any], base: str, limits: FuzzLimits) -> Fuzzed:
    """Ask for each operation of ``description``; ``base`` stands before paths. Raises ``InfrastructureFailure``."""
    job = {
        "root": workspace.root,
        "most": MOST_APPLICATIONS,
        "description": description,
        "base": base,
        "folder": FUZZER,
        "interpreter": f"python{sys.version_info.major}.{sys.version_info.minor}",
        **msgspec.to_builtins(limits),
    }
    names = ("openapi_probe", "web_probe", "calling_probe", "fuzz_probe")
    lines = run(workspace, names, "fuzz", job, dict[str, Any], timeout_s=limits.total_s + 60).lines
    by_kind = {str(line.get("kind")): line for line in lines}
    if "missing" in by_kind:
        return Fuzzed(missing=True)
    if "started" not in by_kind:
        return Fuzzed(why=str(by_kind.get("failed", {}).get("why") or "none was found")[:300])
    end = by_kind.get("finished")
    found = tuple(made for line in lines if line.get("kind") == "failure" and (made := _failure(line)) is not None)
    if end is None:
        return Fuzzed(failures=found, why="the application ended the process")
    complete = end.get("complete") is True
    printed = [str(line) for line in end.get("printed") or ()]
    return Fuzzed(
        failures=found, complete=complete, why="" if complete else (printed[-1] if printed else "no time left")
    )


def _failure(line: dict[str, Any]) -> Failure | None:
    try:
        method, target, headers, body = line["request"]
        sent = [(str(k), str(v)) for k, v in headers if str(k).lower() not in _OWN_HEADERS]
        request = Request(
            method=str(method),
            target=str(target),
            headers=kept_headers(sent),
            body=base64.b64decode(body),
            origin="fuzz",
        )
        words = {key: str(line[key])[:600] for key in ("operation", "check", "title", "message")}
        return Failure(request=request, **words)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None  # the application shares the sandbox, and may have written the line


def base_of(document: Any, *, generated: bool) -> str:
    """What stands before the paths: an application describes its own routes, a file may say more."""
    return "" if generated else base_path(document)
