"""Give inputs to a program, or to a variant of it, and tell what each did.

A child of its own runs the inputs; one that changed the module's variables, or never came back, is followed by a new
child for the rest. An outcome is a text: ``=`` and a value, ``!`` and an exception, ``~`` for no end, ``?`` for what
is not known. Knows calls and limits; knows nothing of how inputs were found.
"""

from __future__ import annotations

import contextlib
import copy
import random
import time
from typing import Any

from .forks import DONE, Overtime, Send, cpu_limit, cpu_seconds, forked
from .outcomes import canonical, settled
from .recording import Call, Own
from .scripts import Script, trace
from .state import ModuleState, Variables
from .swap import Unswappable
from .takeover import Runner

UNKNOWN = "?"
Input = Any
"""A ``Call`` or a ``Script``."""
LITTLE_S = 0.01
_FULL, _ENDLESS = 4, 12
"""Inputs without an end after which a variant gets little time for each of the others, and none."""
_DEATH = 5
"""So many inputs without an end does it count for when the process had to be ended."""
_RESTARTS = 40
_OUTCOME_CHARS = 2000


class Subject:
    """What the inputs are given to."""

    def __init__(self, runner: Runner, own: Own, entries: list[Any], state: ModuleState, watched: Variables) -> None:
        self.runner = runner
        self.own = own
        self.entries = entries
        self.state = state
        self.watched = watched

    def outcome(self, one: Input, limit_s: float) -> str:
        self.state.clear_caches()
        if isinstance(one, Script):
            return trace(self.runner, one, self.own)
        entry = self.entries[one.entry]
        return UNKNOWN if entry is None else _outcome(entry, one, limit_s)


def install(change: Any) -> None:
    """Carry out a change: pairs of live functions and the code that they shall run; ``None`` is no change."""
    for functions, code in change or ():
        with contextlib.suppress(Unswappable):
            functions.install(code)


def run_all(
    subject: Subject, inputs: list[Input], limits: list[float], change: Any, stop_at: float
) -> tuple[list[str], list[float]]:
    """Outcomes and CPU seconds per input; what the budget did not reach is not known and took no time."""
    outcomes: list[str] = []
    times: list[float] = []

    def receive(told: list[Any]) -> None:
        outcomes.append(told[0])
        times.append(told[1])

    def work(send: Send) -> None:
        install(change)
        watch = subject.watched if restarts < _RESTARTS else None
        before = watch.text() if watch is not None else ""
        endless = outcomes.count("~") + _DEATH * deaths
        for number in range(len(outcomes), len(inputs)):
            limit = limits[number] if endless < _FULL else min(limits[number], LITTLE_S)
            started = time.process_time()
            # A variant that never ends is not asked again and again.
            text = subject.outcome(inputs[number], limit) if endless < _ENDLESS else "~"
            spent = time.process_time() - started
            endless += text == "~"
            after = watch.text() if watch is not None else ""
            if after != before and text not in (UNKNOWN, "~"):
                text = f"{text} and variables {after[-_OUTCOME_CHARS:]}"
            send([text, spent])
            if after != before or base + time.process_time() > stop_at:
                return

    restarts = deaths = 0
    while len(outcomes) < len(inputs) and cpu_seconds() < stop_at:
        known, base = len(outcomes), cpu_seconds()
        limit = max(limits, default=0.0)
        if forked(work, receive, limit * 8 + 10) != DONE and len(outcomes) < len(inputs):
            receive(["~", limit])
            deaths += 1
        restarts += 1
        if len(outcomes) == known:
            break
    missing = len(inputs) - len(outcomes)
    return outcomes + [UNKNOWN] * missing, times + [0.0] * missing


EXAMPLE_TIMES = 10
"""An example may take so many times as long as an input: it is not one of hundreds, and its answer is known."""


def keeps(function: Any, call: str, expected: str, limit_s: float) -> bool:
    """Whether an example of the documentation holds: a call of the function and the text or value of its answer."""
    names = dict(function.__globals__)
    try:
        with cpu_limit(limit_s):
            value = settled(eval(call, names))  # noqa: S307 - this whole program is the repository's own code
            return bool(repr(value) == expected or value == eval(expected, names))  # noqa: S307
    # An example that cannot be evaluated is not kept.
    except BaseException:
        return False


def _outcome(function: Any, call: Call, limit_s: float) -> str:
    try:
        arguments, named = copy.deepcopy((call.arguments, call.named))
        before = [canonical(a) for a in arguments]
    # Objects of the repository may refuse to be copied at any time.
    except Exception:
        return UNKNOWN
    random.seed(0)
    try:
        with cpu_limit(limit_s):
            text = "=" + canonical(settled(function(*arguments, **named)))
    except Overtime:
        return "~"
    # Whatever the function raises is its answer.
    except BaseException as error:
        text = "!" + type(error).__name__
    with contextlib.suppress(Exception):
        for position, old in enumerate(before):
            new = canonical(arguments[position])
            if new != old:
                text += f" and argument {position} = {new}"
    return text[:_OUTCOME_CHARS]
