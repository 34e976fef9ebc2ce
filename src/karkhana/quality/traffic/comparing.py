"""What differs between two answers, part by part, and which of it is no noise.

JSON is compared field by field, other text line by line. A part that differs between two runs of the same program is
noise and left out, whatever the numbers of the lists around it. Knows nothing of who asked for a difference.

>>> parts(Answer(number=0, status=200, headers=(("content-type", "application/json"),), body=b'[{"a": 1}]'), ())
{'status': '200', '$.length': '1', '$[0].a': '1'}
"""

import enum
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from karkhana.quality.traffic.requests import Answer, Request

_MOST_PARTS = 20_000
_DEEPEST = 40
_ERRORS = 500


class Kind(enum.StrEnum):
    BROKEN = "broken"
    """A server error where there was an answer."""
    CHANGED = "changed"
    """Another status, header or value."""
    LOST = "lost"
    """A field is gone."""
    ADDED = "added"
    """A field that was not there; clients ignore what they do not know."""
    REPAIRED = "repaired"
    """An answer where there was a server error."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one answer."""

    request: Request
    kind: Kind
    part: str
    """``status``, ``header NAME``, a JSON path, ``line N``, or ``body``."""
    before: str
    after: str

    @property
    def field(self) -> str:
        """The name of the innermost JSON field; empty when it is none."""
        names = re.findall(r"\.([^.\[\]]+)", self.part) if self.part.startswith("$") else []
        return names[-1] if names else ""


def differences(
    requests: Sequence[Request],
    before: Sequence[Mapping[int, Answer]],
    after: Sequence[Mapping[int, Answer]],
    headers: Sequence[str],
) -> list[list[Difference]]:
    """Per request that all runs answered, what differs between the runs before and those after.

    Each side is a list of runs of the same program; ``headers``: names, in small letters, of those that matter.
    """
    found = []
    for number, request in enumerate(requests):
        runs = [[run.get(number) for run in side] for side in (before, after)]
        if any(answer is None for side in runs for answer in side):
            continue
        old, new = ([answer for answer in side if answer is not None] for side in runs)
        found.append(_compared(request, old, new, headers))
    return found


def _compared(
    request: Request, old: Sequence[Answer], new: Sequence[Answer], headers: Sequence[str]
) -> list[Difference]:
    noise = _unsteady([parts(a, headers) for a in old]) | _unsteady([parts(a, headers) for a in new])
    was, now = parts(old[0], headers), parts(new[0], headers)
    if "status" in noise:
        return []
    if was["status"] != now["status"]:
        kind = Kind.CHANGED
        if new[0].status >= _ERRORS:
            kind = Kind.BROKEN if old[0].status < _ERRORS else Kind.CHANGED
        elif old[0].status >= _ERRORS:
            kind = Kind.REPAIRED
        told = f"{now['status']} ({new[0].error})" if new[0].error else now["status"]
        return [Difference(request=request, kind=kind, part="status", before=was["status"], after=told)]
    if new[0].status >= _ERRORS:
        return []  # an error before and after: what its page says is of no interest
    return [
        Difference(request=request, kind=_kind(part, was, now), part=part, before=_of(part, was), after=_of(part, now))
        for part in dict.fromkeys((*was, *now))
        if was.get(part) != now.get(part) and _general(part) not in noise
    ]


def _kind(part: str, was: Mapping[str, str], now: Mapping[str, str]) -> Kind:
    if part not in was and part.startswith("$"):
        return Kind.ADDED
    return Kind.LOST if part not in now and part.startswith("$") else Kind.CHANGED


def _of(part: str, parts: Mapping[str, str]) -> str:
    text = parts.get(part, "nothing")
    return text if len(text) <= 60 else text[:59] + "…"


def _unsteady(runs: Sequence[Mapping[str, str]]) -> set[str]:
    first = runs[0]
    return {_general(p) for run in runs[1:] for p in {*first, *run} if first.get(p) != run.get(p)}


def _general(part: str) -> str:
    """The part whatever its place in lists; lines of text keep their number."""
    return re.sub(r"\[\d+\]", "[]", part)


def parts(answer: Answer, headers: Iterable[str]) -> dict[str, str]:
    """The answer taken apart: part → what it says."""
    found = {"status": str(answer.status)}
    for name in headers:
        value = answer.header(name)
        if name == "set-cookie":
            value = ", ".join(sorted(v.partition("=")[0] for k, v in answer.headers if k.lower() == name))
        if value:
            found[f"header {name}"] = value
    if "json" in answer.header("content-type") and answer.size <= len(answer.body):
        try:
            _flatten(json.loads(answer.body), "$", found, 0)
        except (ValueError, RecursionError):
            found["body"] = repr(answer.body)
        return found
    text = answer.body.decode("utf-8", "replace").splitlines()
    found |= {f"line {number}": line for number, line in enumerate(text[:_MOST_PARTS], 1)}
    return found


def _flatten(value: Any, path: str, found: dict[str, str], depth: int) -> None:
    if len(found) > _MOST_PARTS or depth > _DEEPEST:
        found[path] = "…"
    elif isinstance(value, dict):
        if not value:
            found[path] = "{}"
        for key, inner in value.items():
            _flatten(inner, f"{path}.{key}", found, depth + 1)
    elif isinstance(value, list):
        found[f"{path}.length"] = str(len(value))
        for index, inner in enumerate(value):
            _flatten(inner, f"{path}[{index}]", found, depth + 1)
    else:
        found[path] = json.dumps(value, ensure_ascii=False)
