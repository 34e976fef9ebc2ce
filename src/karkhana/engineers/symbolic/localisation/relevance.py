"""Which tests of a dear suite to trace: those that fail, and the passing ones that most likely guard the same code.

Tracing a suite costs about twice its own time. What is left out here still has its say: every change is confirmed on
the whole suite before it is handed over. Knows names and durations of tests; knows nothing of coverage.
"""

from karkhana.domain.suites import Outcome, TestReport
from karkhana.engineers.symbolic.localisation.localise import words_of

_TRACED = 2.0
"""Time of a test under the tracer, in times of its own."""
_FAILING = 60
"""Failing tests that are traced."""


def worth_tracing(baseline: TestReport, ticket: str, seconds: float) -> tuple[str, ...] | None:
    """Names of the tests to trace within ``seconds``; ``None`` when all of them fit, or nothing is known of them.

    Failing tests come first, those that the ticket names before the others. Then passing tests of the same files,
    then those of files whose names share words with the failing tests and the ticket; quick ones before slow ones.
    """
    if baseline.timed_out or not baseline.failing:
        return None
    if sum(result.duration_s for result in baseline.results) * _TRACED <= seconds:
        return None
    broken = [r for r in baseline.results if r.outcome in (Outcome.FAILED, Outcome.ERROR)]
    broken.sort(key=lambda r: (_function(r.name) not in ticket, r.duration_s))
    chosen = {r.name: r.duration_s for r in broken[:_FAILING]}
    files = {name.split("::")[0] for name in chosen}
    words = words_of(" ".join([ticket, *chosen]))
    passing = [r for r in baseline.results if r.outcome is Outcome.PASSED]
    distance = {path: _distance(path, files, words) for path in {r.name.split("::")[0] for r in passing}}
    passing.sort(key=lambda r: (distance[r.name.split("::")[0]], r.duration_s))
    left = seconds - _TRACED * sum(chosen.values())
    for result in passing:
        left -= _TRACED * result.duration_s
        if left < 0:
            break
        chosen[result.name] = result.duration_s
    return tuple(r.name for r in baseline.results if r.name in chosen)


def _function(name: str) -> str:
    return name.split("[", maxsplit=1)[0].rsplit("::", 1)[-1]


def _distance(path: str, files: set[str], words: frozenset[str]) -> tuple[bool, int]:
    return path not in files, -len(words & words_of(path))
