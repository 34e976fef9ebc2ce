"""Runs the programs about web applications in a workspace, and believes of their answers what has a type.

Each line of an answer begins with a marker that is made for the job. The code of the application shares the process
and could tell what it likes about itself, as it could in its tests; see :mod:`karkhana.behaviour.running`. Knows
nothing of what the answers mean.

    survey(context.before).hars
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from karkhana.behaviour.running import ProbeFailed, false_answer
from karkhana.ports import Workspace
from karkhana.quality.probes import program
from karkhana.quality.traffic.requests import Answer, Request

T = TypeVar("T")
MOST_APPLICATIONS = 8
_LARGEST = 48 << 20
"""Bytes of answers that are read at all."""


class Survey(msgspec.Struct, frozen=True):
    """Paths of what a repository holds about its web interface."""

    applications: tuple[str, ...] = ()
    hars: tuple[str, ...] = ()
    cassettes: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """The application that answers, as ``module:name``; and why others could not be had."""

    application: str
    failed: dict[str, str] = {}


class Replayed(msgspec.Struct, frozen=True):
    """What an application answered, by the number of the request; those after a break are missing."""

    found: Found
    answers: dict[int, Answer] = {}


class Told(NamedTuple, Generic[T]):
    """What a program printed, and whether its time was up before its end."""

    lines: list[T]
    timed_out: bool


_KNOWN: WeakKeyDictionary[Workspace, Survey] = WeakKeyDictionary()


def survey(workspace: Workspace) -> Survey:
    """Look once per workspace; a workspace does not change between gates. Raises ``InfrastructureFailure``."""
    if workspace not in _KNOWN:
        job = {"root": workspace.root, "most": MOST_APPLICATIONS}
        names = ("openapi_probe", "web_probe", "survey_probe")
        _KNOWN[workspace] = run(workspace, names, "survey", job, Survey, timeout_s=60).lines[0]
    return _KNOWN[workspace]


def replay(
    workspace: Workspace, requests: Sequence[Request], *, seconds: float, largest: int, timeout_s: float
) -> Replayed:
    """Ask the application of the workspace, in order, in a process and a copy of its own.

    ``seconds`` bounds a single answer and ``timeout_s`` all of them; ``largest``: bytes of a body that are kept.
    Raises ``InfrastructureFailure``.
    """
    asked = [msgspec.json.decode(msgspec.json.encode((r.method, r.target, r.headers, r.body))) for r in requests]
    job = {"root": workspace.root, "most": MOST_APPLICATIONS, "seconds": seconds, "largest": largest}
    names = ("openapi_probe", "web_probe", "calling_probe")
    told = run(workspace, names, "replay", {**job, "requests": asked}, dict[str, Any], timeout_s=timeout_s)
    lines = told.lines
    try:
        found = msgspec.convert(lines[0], Found)
        answers = [msgspec.convert(line, Answer) for line in lines[1:] if "number" in line]
        refused = [msgspec.convert(line, Found) for line in lines[1:] if "number" not in line]
    except msgspec.ValidationError as error:
        false_answer("replay", str(error))
    by_number = {a.number: a for a in answers}
    if found.application and not refused and not told.timed_out and len(by_number) < len(requests):
        ended = min(set(range(len(requests))) - set(by_number))
        by_number[ended] = Answer(number=ended, status=500, error="it ended the process")
    return Replayed(found=refused[-1] if refused else found, answers=by_number)


def run(
    workspace: Workspace, names: tuple[str, ...], call: str, job: dict[str, Any], kind: type[T], *, timeout_s: float
) -> Told[T]:
    """The marked lines that ``call`` of the joined programs prints, each a ``kind``. Raises ``ProbeFailed``."""
    marker = secrets.token_hex(16)
    text = f"{program(*names)}\n{call}(json.loads({json.dumps({**job, 'marker': marker})!r}))\n"
    result = workspace.run(("python", "-I", "-"), stdin=text.encode(), timeout_s=timeout_s)
    sign = marker.encode()
    found = [line[len(sign) :] for line in result.stdout[:_LARGEST].splitlines() if line.startswith(sign)]
    if not found:
        told = result.stderr[-400:].decode("utf-8", "replace").strip().splitlines()
        why = "no answer in time" if result.timed_out else told[-1] if told else f"exit code {result.exit_code}"
        raise ProbeFailed(
            f"the web application could not be looked at: {why}",
            next="import the application by hand in the same environment",
        )
    try:
        return Told([msgspec.json.decode(line, type=kind) for line in found], result.timed_out)
    except msgspec.MsgspecError as error:
        false_answer(call, str(error))
