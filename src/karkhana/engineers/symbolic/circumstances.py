"""What the ticket and the failing tests say: the words, values and exceptions that candidates are judged by.

Knows texts; knows nothing of candidates.
"""

import re

import msgspec

from karkhana.behaviour.spectra import Spectrum
from karkhana.engineers.symbolic.choice.vetoes import inputs_only
from karkhana.engineers.symbolic.generation.hypotheses import expected_errors, literals_of
from karkhana.engineers.symbolic.hands import Hands
from karkhana.engineers.symbolic.localisation.targets import Targets

_ASSERTION = re.compile(r"(?m)^\s*assert\b|\bself\.assert\w+\(|\b(?:raises|warns)\(")
_ASSERTED = ("AssertionError", "Failed")
_READ = 6
"""Target tests whose words are looked at."""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all candidates of one search."""

    ticket: str = ""
    tests: str = ""
    """The text of the target tests."""
    literals: tuple[str, ...] = ()
    """Numbers and strings of the failing tests and the ticket, as Python text."""
    test_literals: tuple[str, ...] = ()
    """Those of the failing tests."""
    inputs: frozenset[str] = frozenset()
    """Those that the failing tests pass to calls and expect of nothing."""
    expected: tuple[str, ...] = ()
    """Exceptions that failing tests expect."""
    failed_with: frozenset[str] = frozenset()
    """Names of the exceptions that the failing tests end with, and of their bases; assertions apart."""
    target_tests: int = 1
    asserts: int = 1
    """Assertions of the target tests, parameter sets counted."""


def circumstances(hands: Hands, spectrum: Spectrum, targets: Targets) -> Circumstances:
    """Read the target tests once and sum up what they say."""
    ticket = hands.assignment.ticket.text
    bodies = {number: _body(hands, spectrum, number) for number in targets.chosen}
    failures = [f for n in targets.chosen[:_READ] if (f := spectrum.tests[n].failure) is not None]
    messages = [f.message for f in failures]
    tests = "\n".join([*dict.fromkeys(bodies[n] for n in targets.chosen[:_READ]), *messages])
    return Circumstances(
        ticket=ticket,
        tests="\n".join(dict.fromkeys(bodies.values())),
        literals=literals_of(ticket + "\n" + tests),
        test_literals=literals_of(tests),
        inputs=frozenset[str]().union(*(inputs_only(body) for body in dict.fromkeys(bodies.values()))),
        expected=expected_errors(ticket + "\n" + tests),
        failed_with=frozenset(name for f in failures if f.type not in _ASSERTED for name in (f.type, *f.bases)),
        target_tests=len(targets.chosen),
        asserts=sum(max(1, len(_ASSERTION.findall(body))) for body in bodies.values()),
    )


def _body(hands: Hands, spectrum: Spectrum, number: int) -> str:
    """The text of a test's function; empty when it is not found."""
    path, _, rest = spectrum.tests[number].name.partition("::")
    name = rest.split("[")[0].rsplit("::", 1)[-1]
    place = next((p for p in spectrum.functions.get(path, ()) if p.name == name), None)
    if place is None:
        return ""
    return "".join((hands.text(path) or "").splitlines(keepends=True)[place.top - 1 : place.end])
