"""What a small model is told of a fault: the code, one failing test, what came of it, and where to look.

Every token of it costs a local model as much as two of its own, so it is short. The beginning is the same for all
questions about one place, so that a server can keep what it has read. Knows cases; knows nothing of models.
"""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from karkhana.behaviour.spectra import Failure
from karkhana.engineers.llm.prompting import filled
from karkhana.engineers.llm.small.gaps import MARK, Gap
from karkhana.engineers.llm.small.passages import Passage, suspicious_lines
from karkhana.engineers.symbolic.proposals import Case, Told

_TEST_LINES = 14
_TEST_CHARS = 900
_AFTER = 2
"""Lines behind the one that fails: what the test would have asserted."""
_CALLABLE = frozenset({"function", "module", "type", "method", "builtin_function_or_method"})
_MESSAGE = 280
_VALUE = 90
_VALUES = 5
_TICKET = 320
_DOCUMENTATION = 500
_FAILURES = 2
"""Failures of the test that are told."""
_ENDLESS = "Overtime"
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Says nothing, and is another one in each run."""


def question(case: Case, passage: Passage, *, hint: int | None = None, one_line: bool = False) -> str:
    """What is asked about a passage; ``hint``: point to its so many likeliest line, from 0.

    ``one_line``: only the line that is wrong is wanted.
    """
    about = _about(case, passage)
    code = passage.text.rstrip()
    return _ADDRESS.sub("", filled("rewrite", **about, code=code, hint=_line(passage, hint), one_line=one_line))


def gap_question(case: Case, passage: Passage, gap: Gap, *, plain: bool = False) -> str:
    """What is asked about a gap; ``plain``: without tests. What is the same for all gaps of a function stands first."""
    about = _about(case, passage) | ({"test": "", "failure": ""} if plain else {})
    return _ADDRESS.sub("", filled("gap", **about, code=passage.with_gap(gap).rstrip(), mark=MARK))


def _about(case: Case, passage: Passage) -> dict[str, Any]:
    """What is told of a function besides its code."""
    place = passage.place
    tests = [told for told, n in zip(case.tests, case.numbers, strict=True) if n in place.suspect.failing]
    shown = tests or list(case.tests)
    first = shown[0] if shown else Told(name="", source="")
    same = [told for told in shown if told.source == first.source][:_FAILURES]
    return {
        "whole": passage.whole,
        "where": f", a method of {place.suspect.place.classes[-1]}" if place.suspect.place.classes else "",
        "head": passage.head,
        "documentation": passage.documentation[:_DOCUMENTATION],
        "test": shortened(first),
        "failure": "\n".join(dict.fromkeys(_came_of(told, place.suspect.path) for told in same)),
        "ticket": _words(case.ticket),
    }


def shortened(told: Told) -> str:
    """A test's source without decorators and documentation; of a long one the lines up to where it fails."""
    lines = textwrap.dedent(told.source).splitlines()
    begin = next((n for n, line in enumerate(lines) if line.startswith(("def ", "async def "))), 0)
    end = len(lines)
    if told.failure is not None and told.line and told.failure.frames:
        end = min(end, max(begin + 1, told.failure.frames[0].line - told.line + 1 + _AFTER))
    head, body = lines[begin : begin + 1], lines[begin + 1 : end]
    if len(body) > _TEST_LINES:
        body = ["    ...", *body[-_TEST_LINES:]]
    text = "\n".join([*head, *body])
    return text if len(text) <= _TEST_CHARS else text[:80] + "\n    ...\n" + text[-_TEST_CHARS:]


def _came_of(told: Told, path: str) -> str:
    failure = told.failure
    if failure is None:
        return f"{told.name.rpartition('::')[2]} fails."
    values = _values(failure.frames[0].locals if failure.frames else {})
    ended = "the function never ends" if failure.type == _ENDLESS else _error(failure)
    frame = next((f for f in reversed(failure.frames) if f.path == path), None)
    raised = frame is not None and failure.type not in {"AssertionError", "Failed"}
    inside = _values(frame.locals) if frame is not None and raised else ""
    where = f" There {inside}." if inside else ""
    return f"With {values}: {ended}.{where}" if values else f"It fails: {ended}.{where}"


def _error(failure: Failure) -> str:
    message = " ".join(failure.message.split())[:_MESSAGE]
    return f"{failure.type}: {message}" if message else failure.type


def _values(known: Mapping[str, tuple[str, str]]) -> str:
    """The first variables whose values say something; ``known``: name → type and value."""
    plain = {name: text for name, (kind, text) in known.items() if text and kind not in _CALLABLE}
    told = [f"{name} = {text[:_VALUE]}" for name, text in plain.items() if not text.startswith("<")]
    return ", ".join(told[:_VALUES])


def _words(ticket: str) -> str:
    text = " ".join(ticket.split())
    return text if len(text) <= _TICKET else text[:_TICKET] + " ..."


def _line(passage: Passage, hint: int | None) -> str:
    if hint is None:
        return ""
    first = passage.place.suspect.place.start
    inside = [
        n for n in suspicious_lines(passage.place) if passage.start < n - first + (not passage.whole) <= passage.end
    ]
    lines = passage.place.text.splitlines()
    texts = [text for n in inside if n - first < len(lines) and (text := lines[n - first].strip())]
    return texts[hint % len(texts)] if texts else ""
