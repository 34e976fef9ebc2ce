"""Take inputs along to a process that imports the repository anew, with one changed file in place of the one on disk.

Inputs travel as pickles; one that cannot be pickled, or not be rebuilt in the changed program, is not known of it.
Knows inputs and where their functions are; knows nothing of how they were found.
"""

from __future__ import annotations

import base64
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from .forks import Send
from .fresh import edited_file, overlay_all
from .recording import Call, Own
from .scripts import Script
from .state import ModuleState, Variables
from .subject import EXAMPLE_TIMES, UNKNOWN, Input, Subject, keeps, run_all
from .swap import live_functions
from .takeover import Runner, take_over

_PICKLES = 8 << 20
PLAIN = ("--assert=plain",)
"""Rewritten assertions would add their own texts to the constants of tests."""


def packed(
    inputs: list[Input], limits: list[float], entries: list[types.FunctionType], modules: list[str]
) -> dict[str, Any]:
    """Inputs, as far as they can be carried, how to find the entries there, and the modules that are watched."""
    parts: list[str] = []
    size = 0
    for one in inputs:
        fields = [getattr(one, name) for name in type(one).__slots__]
        try:
            data = pickle.dumps((type(one).__name__, fields))
        # Objects of the repository may refuse to be pickled in any way.
        except Exception:
            data = b""
        size += len(data)
        parts.append(base64.b64encode(data if size < _PICKLES else b"").decode())
    places = [[str(Path(e.__code__.co_filename).resolve()), e.__qualname__] for e in entries]
    return {"inputs": parts, "limits": limits, "entries": places, "modules": modules}


def _unpacked(text: str) -> Input | None:
    try:
        kind, fields = pickle.loads(base64.b64decode(text))  # noqa: S301 - made by this program a moment ago
    # What cannot be rebuilt in the changed program is not known of it.
    except Exception:
        return None
    return (Call if kind == "Call" else Script)(*fields)


def parts_of(variant: list[Any]) -> list[list[Any]]:
    """``[target, edits]`` of everything that a variant changes; what it changes besides the first comes fourth."""
    return [variant[:2], *(variant[3] if len(variant) > 3 else ())]


class Fresh:
    """One variant in a process that collects the tests with the changed file; called in a child of its own."""

    def __init__(self, job: dict[str, Any], root: str, number: int, kept: dict[str, Any], stop_at: float) -> None:
        self.job = job
        self.root = root
        self.kept = kept
        self.stop_at = stop_at
        self.parts = parts_of(job["variants"][number])

    def __call__(self, send: Send) -> None:
        targets = self.job["targets"]
        overlay_all(self.root, dict(edited_file(self.root, targets[n], edits) for n, edits in self.parts))
        take_over([*self.job["pytest"], *PLAIN], lambda session: send(self._observed(session)))

    def _observed(self, session: pytest.Session) -> dict[str, Any]:
        runner = Runner(session)
        own = Own(self.root, {str(Path(str(item.path)).resolve()) for item in session.items})
        functions = live_functions(self.root)
        entries = [_unique(functions.get(path, ()), name) for path, name in self.kept["entries"]]
        watched = Variables([sys.modules[name] for name in self.kept["modules"] if name in sys.modules])
        subject = Subject(runner, own, entries, ModuleState(self.root), watched)
        numbers: list[int] = []
        inputs: list[Input] = []
        for number, text in enumerate(self.kept["inputs"]):
            one = _unpacked(text)
            if one is not None and (isinstance(one, Call) or one.test in runner.items):
                numbers.append(number)
                inputs.append(one)
        limits = [self.kept["limits"][n] for n in numbers]
        found, _ = run_all(subject, inputs, limits, None, self.stop_at)
        outcomes = [UNKNOWN] * len(self.kept["inputs"])
        for number, outcome in zip(numbers, found):  # noqa: B905 - new in 3.10
            outcomes[number] = outcome
        return {"outcomes": outcomes, "examples": self._examples(functions)}

    def _examples(self, functions: dict[str, Any]) -> list[bool]:
        found: list[bool] = []
        limit = EXAMPLE_TIMES * self.job["call_limit"]
        for index, call, expected in self.job["examples"]:
            data = self.job["targets"][index]
            name = ".".join([*data["classes"], data["name"]])
            function = _unique(functions.get(str(Path(self.root, data["path"]).resolve()), ()), name)
            found.append(function is not None and keeps(function, call, expected, limit))
        return found


def _unique(functions: Any, name: str) -> Any:
    found = [f for f in functions if f.__qualname__ == name]
    return found[0] if len(found) == 1 else None
