"""Whether the failing tests are what a ticket tells of. Works on words: the ticket's, and those of the tests' own text.

Of 88 mined tickets 84 share a word with the tests that their fix turned green; with those of another ticket of the same
library a little less than half do. So a shared word means little, and none at all means much.
"""

import ast
import re
from collections.abc import Sequence

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.localise import words_of
from karkhana.engineers.symbolic.reproduction import names
from karkhana.engineers.symbolic.reproduction.hopeless import table
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.staging import Scene
from karkhana.engineers.symbolic.reproduction.trial import look_up
from karkhana.engineers.symbolic.reproduction.writing import parsed_long

_ENOUGH = 3
"""Words that say something, from which on a ticket that shares none of them is about something else."""
_FILES = 12
_KINDS = ("function", "class", "method")
_NAMES_MAX = 60
_TESTS = re.compile(r"\b(?:tests?|test_\w+|test ?suite|pytest|unittest|ci|build|pipeline|red)\b", re.I)
_IDENTIFIER = re.compile(r"`(?!__)([A-Za-z_]\w{2,})`|\b([A-Za-z_]\w{2,})(?=\()|\b([a-z]+_\w+|[A-Z][a-z]+[A-Z]\w+)\b")
"""A name that is written as one."""


def failing_results(report: TestReport) -> list[TestResult]:
    """The tests that fail or break."""
    return [r for r in report.results if r.outcome in (Outcome.FAILED, Outcome.ERROR)]


def fits(baseline: TestReport, text: str, called: set[str]) -> bool:
    """Whether a failing test is named in the ticket, or is about something that its examples call."""
    for result in failing_results(baseline):
        function = _function(result)
        if result.name in text or (len(function) > 5 and function in text):
            return True
        told = f"{result.message}\n{result.traceback}"
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", told) or _named_after(function, name) for name in called):
            return True
    return False


def called_in(scenes: Sequence[Scene]) -> set[str]:
    """What the examples call or take from elsewhere."""
    codes = ["\n".join((*scene.setup, scene.subject)) for scene in scenes]
    return {name for code in codes for name in (*names.attributes(code), *names.missing(code)) if len(name) > 1}


def named_alike(baseline: TestReport, text: str) -> bool:
    """Whether failing tests share any word with the ticket by their names."""
    return bool(words_of(text) & words_of(" ".join(baseline.failing)))


def refuse_unrelated(hands: Hands) -> None:
    """Raises ``Abstention`` when nothing in the failing tests has to do with what the ticket says.

    Tickets of a few everyday words, and those that speak of tests, are taken to mean the failing ones.
    """
    baseline, text = hands.assignment.baseline, hands.assignment.ticket.text
    failing = failing_results(baseline)
    if not failing or _TESTS.search(text):
        return
    said = words_of(text) - table().everyday
    if not said or said & _evidence(hands, failing):
        return
    known = _defined(hands, text) if len(said) < _ENOUGH else []
    if len(said) < _ENOUGH and not known:
        return
    listed = ", ".join(r.name for r in failing[:3])
    raise Abstention(
        f"the failing tests ({listed}) are not what the ticket tells of: they share no word with it"
        + (f", and it names `{known[0]}`" if known else ""),
        "Which call goes wrong, what does it give, and what should it give? If the failing tests are meant, name them.",
    )


def _evidence(hands: Hands, failing: Sequence[TestResult]) -> frozenset[str]:
    """Words of the failing tests: their names, what they told, and their source."""
    told = [f"{r.name}\n{r.message}\n{r.traceback[-20_000:]}" for r in failing]
    functions = {_function(r) for r in failing}
    for path in list(dict.fromkeys(r.name.split("::")[0] for r in failing))[:_FILES]:
        source = hands.text(path) if path.endswith(".py") else None
        tree = parsed_long(source) if source else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in functions:
                lines = (source or "").split("\n")
                top = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                told.append("\n".join(lines[top - 1 : node.end_lineno]))
    return words_of("\n".join(told))


def _defined(hands: Hands, text: str) -> list[str]:
    """Names in the ticket that the repository defines."""
    wanted = list(dict.fromkeys(m[m.lastindex or 0] for m in _IDENTIFIER.finditer(text)))[:_NAMES_MAX]
    index = look_up(hands.run, wanted) if wanted else Index()
    return [n for n in wanted if any(not e.aside and e.kind in _KINDS for e in index.found.get(n, ()))]


def _named_after(function: str, name: str) -> bool:
    return bool(words_of(name)) and words_of(name) <= words_of(function)


def _function(result: TestResult) -> str:
    return result.name.split("[")[0].rsplit("::", 1)[-1]
