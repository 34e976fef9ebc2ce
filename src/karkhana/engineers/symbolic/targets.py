"""Which failing tests is the ticket about?

Knows test names and ticket words. Tests that fail for other reasons are left alone and named.
"""

from collections.abc import Collection

import msgspec

from karkhana.behaviour.spectra import Spectrum
from karkhana.engineers.symbolic.localise import words_of

_MESSAGE_CHARS = 300


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """The tests to turn green, and those set aside."""

    chosen: tuple[int, ...]
    others: tuple[int, ...]
    why: str


def choose_targets(spectrum: Spectrum, ticket: str, baseline: Collection[str] = ()) -> Targets:
    """Failing tests named by the ticket; else those that share its words; else all.

    A ticket names a test by its full identifier, or by the name of its function. Only tests that also fail in
    ``baseline`` (names; empty: unknown) count: the tracer makes tests slower.
    """
    known = tuple(n for n in spectrum.failing if spectrum.tests[n].name in baseline)
    failing = known or spectrum.failing
    named = [n for n in failing if _is_named(spectrum.tests[n].name, ticket)]
    if named:
        return _split(failing, named, "named by the ticket")
    words = words_of(ticket)
    scores = {n: _shared(spectrum, n, words) for n in failing}
    best = max(scores.values(), default=0.0)
    chosen = [n for n in failing if scores[n] >= best / 2] if best else list(failing)
    if len(chosen) < len(failing):
        return _split(failing, chosen, "closest to the words of the ticket")
    return _split(failing, list(failing), "all that fail")


def groups(spectrum: Spectrum, targets: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Targets that fail at the same place, largest group first: several faults may hide behind one ticket."""
    found: dict[object, list[int]] = {}
    for number in targets:
        failure = spectrum.tests[number].failure
        frames = [f for f in failure.frames if not spectrum.is_test_file(f.path)] if failure else []
        name = spectrum.tests[number].name.split("[")[0]
        key: object = (frames[-1].path, frames[-1].function) if frames else name
        found.setdefault(key, []).append(number)
    return [tuple(g) for g in sorted(found.values(), key=lambda g: (-len(g), g))]


def _split(failing: tuple[int, ...], chosen: list[int], why: str) -> Targets:
    return Targets(chosen=tuple(chosen), others=tuple(n for n in failing if n not in set(chosen)), why=why)


def _is_named(test: str, ticket: str) -> bool:
    function = test.split("[", maxsplit=1)[0].rsplit("::", 1)[-1]
    return test in ticket or (len(function) > 5 and function in ticket.replace("(", " ").split())


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
