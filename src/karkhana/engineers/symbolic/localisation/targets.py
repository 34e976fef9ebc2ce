"""Which failing tests is the ticket about?

Knows test names, failures and ticket words. Tests that fail for other reasons are left alone and named.
"""

import re
from collections.abc import Collection

import msgspec

from karkhana.behaviour.spectra import Failure, Spectrum
from karkhana.engineers.symbolic.localisation.localise import words_of
from karkhana.engineers.symbolic.localisation.naming import as_pytest_name

_MESSAGE_CHARS = 300
_TELLING_CHARS = 12
"""Messages from this length on are told apart by their text."""
_SAID, _RAISED, _THROUGH = 6.0, 2.0, 3.0
"""Weight of a failure's message, kind and place in the ticket, beside 2 for a word of the test's name."""
_FRAME = re.compile(r'File "[^"\n]+", line \d+, in (\w+)')


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """The tests to turn green, and those set aside."""

    chosen: tuple[int, ...]
    others: tuple[int, ...]
    why: str


def choose_targets(spectrum: Spectrum, ticket: str, baseline: Collection[str] = ()) -> Targets:
    """Failing tests named by the ticket; else those that fail as it tells or share its words; else all.

    A ticket names a test by its full identifier, by the name of its function or class, or by its file. Tests that fail
    at the same place and in the same way as the chosen ones join them. Only tests that also fail in ``baseline``
    (names; empty: unknown) count: the tracer makes tests slower.
    """
    traced = {test.name for test in spectrum.tests}
    told = {as_pytest_name(name, traced) for name in baseline}
    known = tuple(n for n in spectrum.failing if spectrum.tests[n].name in told)
    failing = known or spectrum.failing
    for names in (_names_test, _names_class, _names_file):
        named = [n for n in failing if names(spectrum.tests[n].name, ticket)]
        if named:
            return _split(failing, named, "named by the ticket")
    words, frames = words_of(ticket), frozenset(_FRAME.findall(ticket))
    scores = {n: _shared(spectrum, n, words) + _told(spectrum.tests[n].failure, ticket, frames) for n in failing}
    best = max(scores.values(), default=0.0)
    chosen = [n for n in failing if scores[n] >= best / 2] if best else list(failing)
    chosen = _with_same_cause(spectrum, failing, chosen)
    if len(chosen) < len(failing):
        return _split(failing, chosen, "closest to the words of the ticket")
    return _split(failing, list(failing), "all that fail")


def groups(spectrum: Spectrum, targets: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Targets that fail at the same place, largest group first: several faults may hide behind one ticket."""
    found: dict[object, list[int]] = {}
    for number in targets:
        found.setdefault(_place(spectrum, number) or spectrum.tests[number].name.split("[")[0], []).append(number)
    return [tuple(g) for g in sorted(found.values(), key=lambda g: (-len(g), g))]


def _place(spectrum: Spectrum, number: int) -> tuple[str, str] | None:
    """(path, function) of the innermost frame that is no test code."""
    failure = spectrum.tests[number].failure
    frames = [f for f in failure.frames if not spectrum.is_test_file(f.path)] if failure else []
    return (frames[-1].path, frames[-1].function) if frames else None


def _with_same_cause(spectrum: Spectrum, failing: tuple[int, ...], chosen: list[int]) -> list[int]:
    def cause(number: int) -> object:
        place, failure = _place(spectrum, number), spectrum.tests[number].failure
        return (*place, failure.type) if place is not None and failure is not None else number

    causes = {cause(n) for n in chosen}
    return [n for n in failing if cause(n) in causes]


def _split(failing: tuple[int, ...], chosen: list[int], why: str) -> Targets:
    return Targets(chosen=tuple(chosen), others=tuple(n for n in failing if n not in set(chosen)), why=why)


def _names_test(test: str, ticket: str) -> bool:
    function = test.split("[", maxsplit=1)[0].rsplit("::", 1)[-1]
    return test in ticket or (len(function) > 5 and bool(re.search(rf"\b{re.escape(function)}\b", ticket)))


def _names_class(test: str, ticket: str) -> bool:
    middle = test.split("[", maxsplit=1)[0].split("::")[1:-1]
    return any(bool(re.search(rf"\b{re.escape(name)}\b", ticket)) for name in middle if len(name) > 4)


def _names_file(test: str, ticket: str) -> bool:
    name = test.partition("::")[0].rsplit("/", 1)[-1]
    return bool(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", ticket))


def _told(failure: Failure | None, ticket: str, frames: frozenset[str]) -> float:
    """How much of a failure the ticket tells: its message, its kind, the functions of its traceback."""
    if failure is None:
        return 0.0
    line = failure.message.strip().partition("\n")[0].strip()
    said = len(line) >= _TELLING_CHARS and line[:_MESSAGE_CHARS] in ticket
    raised = failure.type != "AssertionError" and bool(re.search(rf"\b{re.escape(failure.type)}\b", ticket))
    through = bool(failure.frames) and failure.frames[-1].function in frames
    return _SAID * said + _RAISED * raised + _THROUGH * through


def _shared(spectrum: Spectrum, number: int, words: frozenset[str]) -> float:
    test = spectrum.tests[number]
    failure = test.failure
    name = words & words_of(test.name)
    told = words & words_of(failure.message[:_MESSAGE_CHARS] + " " + failure.type) if failure else frozenset()
    places = frozenset(
        w
        for f in (failure.frames if failure else ())
        if not spectrum.is_test_file(f.path)
        for w in words_of(f.function)
    )
    return 2.0 * len(name) + 1.0 * len(words & places) + 0.5 * len(told)
