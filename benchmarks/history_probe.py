"""Which calls do tests make of some functions, and what do the functions answer to these and to similar calls?

Runs with a library's own interpreter, in its tree; standard library and pytest only. Job on standard input::

    {"probes": folder of the input generator, "pytest": [arguments], "functions": [[path, qualified name], …],
     "sources": [paths], "mode": "entries" | "answers", "count": calls to generate, "seed": n,
     "call_limit": CPU seconds, "seconds": CPU budget}

Answer with ``entries``: ``{"entries": [[path, name], …]}``, the outermost functions of ``sources`` through which the
tests reach the functions. With ``answers``: ``{"answers": {"path::name": [[key, preview, made?, outcome], …]}}``; key
stands for the arguments, outcome starts with ``=`` (a value), ``!`` (an exception) or ``~`` (no end).
"""

from __future__ import annotations

import contextlib
import copy
import dis
import gc
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import random
import re
import signal
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_CALLS = 120
_RECORDING_S = 0.3
_LAZY = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_CALLS_PER_TEST = 10
_LONGEST = 20_000
_PREVIEW = 200
_OUTCOME = 3000


class Overtime(BaseException):
    """A call computed for longer than it may."""


class Recorder:
    """A pytest plugin with a profile function: calls of chosen functions, or who they were reached through."""

    def __init__(self, job: dict[str, Any], canonical: Any) -> None:
        self.root = str(Path.cwd().resolve()) + os.sep
        self.wanted = {(path, name) for path, name in job["functions"]}
        self.sources = set(job["sources"])
        self.entries: dict[tuple[str, str], None] = {}
        self.calls: dict[tuple[str, str], list[Any]] = {key: [] for key in self.wanted}
        self.codes: dict[tuple[str, str], types.CodeType] = {}
        self.only_entries = job["mode"] == "entries"
        self._canonical = canonical
        self._places: dict[types.CodeType, tuple[str, str]] = {}
        self._seen: set[str] = set()
        self._left: dict[tuple[str, str], int] = {}
        self._test = ""
        self._times: dict[str, int] = {}
        self._open: dict[types.FrameType, tuple[tuple[str, str], str]] = {}
        self.seen: list[tuple[tuple[str, str], str, str]] = []
        """(function, test and arguments, answer) of calls as they happened."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        self._left, self._test = {}, item.nodeid
        sys.setprofile(self._event)
        yield
        sys.setprofile(None)

    def place(self, code: types.CodeType) -> tuple[str, str]:
        found = self._places.get(code)
        if found is None:
            path = os.path.realpath(code.co_filename)
            inside = path.removeprefix(self.root) if path.startswith(self.root) else ""
            found = self._places[code] = (inside, code.co_qualname)
        return found

    def _event(self, frame: types.FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame in self._open:
            work = self._see_end
        elif event == "call" and self._is_of_interest(frame):
            work = self._see_call
        else:
            return
        sys.setprofile(None)
        try:
            with cpu_limit(_RECORDING_S):
                work(frame, argument)
        # Arguments of any kind may refuse to be copied or shown (open files, locks, endless depth): left out.
        except (Exception, Overtime):
            pass
        finally:
            sys.setprofile(self._event)

    def _is_of_interest(self, frame: types.FrameType) -> bool:
        path, name = self.place(frame.f_code)
        left = self._left.get((path, name), _CALLS_PER_TEST)
        if (path, name.partition(".<locals>")[0]) not in self.wanted or left <= 0 or len(self.seen) >= _CALLS * 8:
            return False
        self._left[path, name] = left - 1
        return True

    def _see_call(self, frame: types.FrameType, argument: Any) -> None:
        key = self.place(frame.f_code)
        if self.only_entries:
            self._add_entry(frame)
            return
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
        if not frame.f_code.co_flags & _LAZY:
            given = self._canonical([frame.f_locals[name] for name in names if name in frame.f_locals])
            text = f"{self._test} {key[1]} {given}"
            self._times[text] = self._times.get(text, 0) + 1
            self._open[frame] = (key, f"{text} {self._times[text]}")
        if key in self.wanted and len(self.calls[key]) < _CALLS:
            self._add_call(key, frame)

    def _see_end(self, frame: types.FrameType, value: Any) -> None:
        """What a call really answered, for arguments that cannot be copied and functions inside of functions."""
        key, text = self._open.pop(frame)
        # a call that ends with an exception also looks as if it returned None
        returned = dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")
        place = (key[0], key[1].partition(".<locals>")[0])
        self.seen.append((place, text, "=" + self._canonical(value)[:_OUTCOME] if returned else "!raised"))

    def _add_entry(self, frame: types.FrameType | None) -> None:
        outermost = None
        while frame is not None:
            place = self.place(frame.f_code)
            if place[0] in self.sources and "<" not in place[1]:
                outermost = place
            frame = frame.f_back
        if outermost is not None:
            self.entries[outermost] = None

    def _add_call(self, key: tuple[str, str], frame: types.FrameType) -> None:
        code, values = frame.f_code, frame.f_locals
        plain = code.co_argcount + code.co_kwonlyargcount
        names = code.co_varnames
        arguments = [values[name] for name in names[: code.co_argcount]]
        named = {name: values[name] for name in names[code.co_argcount : plain]}
        star = bool(code.co_flags & 0x04)
        if star:
            arguments += list(values[names[plain]])
        if code.co_flags & 0x08:
            named |= values[names[plain + star]]
        call = copy.deepcopy((arguments, named))
        text = self._canonical(call)
        if text not in self._seen and len(text) < _LONGEST:
            self._seen.add(text)
            self.codes[key] = code
            self.calls[key].append(call)


def answers(recorder: Recorder, job: dict[str, Any], inputs: Any, outcomes: Any) -> dict[str, list[list[Any]]]:
    """What each function answers to its recorded calls and to those made from them."""
    stop_at = time.process_time() + job["seconds"]
    found: dict[str, list[list[Any]]] = {}
    for key in sorted(recorder.codes):
        function = function_of(recorder.codes[key])
        calls = recorder.calls[key]
        if function is None:
            continue
        made = inputs.Generator([("passing", call) for call in calls], [], job["seed"]).generate(job["count"])
        rows = found["::".join(key)] = []
        for number, call in enumerate([*calls, *(call for _, call in made)]):
            if time.process_time() > stop_at:
                break
            text = outcomes.canonical(call)
            name = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
            rows.append([name, text[:_PREVIEW], number >= len(calls), outcome(function, call, job, outcomes)])
    for key, text, answer in recorder.seen:
        name = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
        found.setdefault("::".join(key), []).append([name, text[-_PREVIEW:], False, answer])
    return found


def function_of(code: types.CodeType) -> types.FunctionType | None:
    gc.collect()
    found = [f for f in gc.get_referrers(code) if isinstance(f, types.FunctionType) and f.__code__ is code]
    return found[0] if found else None


def outcome(function: Any, call: Any, job: dict[str, Any], outcomes: Any) -> str:
    """What one call gives: the value and how it changed its arguments, the exception's type, or no end."""
    random.seed(0)
    try:
        arguments, named = copy.deepcopy(call)
        before = [outcomes.canonical(a) for a in arguments]
    # Objects of the library may refuse to be copied.
    except Exception:
        return "~"
    try:
        with cpu_limit(job["call_limit"]):
            text = "=" + outcomes.canonical(outcomes.settled(function(*arguments, **named)))
    except Overtime:
        return "~"
    # Whatever the function raises is its answer.
    except BaseException as error:
        return f"!{type(error).__name__}: {_message(error)}"
    with contextlib.suppress(Exception):
        for position, old in enumerate(before):
            new = outcomes.canonical(arguments[position])
            if new != old:
                text += f" and argument {position} = {new}"
    return text[:_OUTCOME]


def _message(error: BaseException) -> str:
    try:
        text = str(error).replace(str(Path.cwd().resolve()), "")
    # An exception of the library may be unable to say anything.
    except Exception:
        return ""
    return re.sub(r"0x[0-9a-f]+", "0x", text)[:_PREVIEW]


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise Overtime

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def load(folder: str) -> tuple[Any, Any]:
    """The input generator and the texts of outcomes, as modules of a package with a name of its own."""
    name = "_karkhana_history_probes"
    spec = importlib.util.spec_from_file_location(
        name, Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return importlib.import_module(name + ".inputs"), importlib.import_module(name + ".outcomes")


def main() -> None:
    job = json.load(sys.stdin)
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    here = str(Path(__file__).parent.resolve())
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != here]
    inputs, outcomes = load(job["probes"])
    root, plainly = str(Path.cwd().resolve()), outcomes.canonical
    # every tree stands in a folder of its own, which is no difference of behaviour
    outcomes.canonical = lambda value: plainly(value).replace(root, "")
    recorder = Recorder(job, outcomes.canonical)
    status = int(pytest.main([*job["pytest"], "-q", "-p", "no:cacheprovider"], plugins=[recorder]))
    reply: dict[str, Any] = {"status": status}
    if recorder.only_entries:
        reply["entries"] = list(recorder.entries)
    else:
        reply["answers"] = answers(recorder, job, inputs, outcomes)
    answer_to.write(json.dumps(reply) + "\n")
    answer_to.flush()
    # threads and exit handlers of the library are of no interest any more
    os._exit(0)


if __name__ == "__main__":
    main()
