"""What a hand-over says about tests, held against what was really run after the last edit.

An edit is a changed file, whichever tool changed it; a test run is what ``run_tests`` reported. Pure; knows nothing of
models and of how calls are carried out.

>>> seen = Claims()
>>> seen.saw(EditFile(path="cart.py", old="a", new="b"), EditResult("cart.py", "-a\\n+b\\n"))
>>> seen.objection(PushChanges(title="Mend it", summary="All tests pass."))[:48]
'Not handed over: you have not run the tests sinc'
>>> [finding.rule for finding in seen.standing(PushChanges(title="Mend it", summary="All tests pass."))]
['unproven-claim']
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from karkhana.domain.evidence import Finding
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import CommandResult, EditFile, EditResult, PushChanges, ToolCall, WriteFile
from karkhana.engineers.llm.prompting import told

RULE = "unproven-claim"
_SUCCESS = re.compile(
    r"\b(?:tests?|test_\w+|suite|checks?|everything|all)\b[^.\n]{0,60}\b(?:pass(?:es|ed|ing)?|succeed(?:s|ed)?|green|ok)\b"
    r"|\b(?:passing|green)\b[^.\n]{0,30}\b(?:tests?|suite)\b"
    r"|\b(?:verified|confirmed|tested|ran|checked)\b[^.\n]{0,60}\b(?:tests?|suite|pytest)\b",
    re.IGNORECASE,
)
"""Words that say that tests passed."""
_DENIED = re.compile(r"\b(?:not|never|no|without|cannot|could not|couldn't|didn't|haven't)\b", re.IGNORECASE)
_TEST_NAME = re.compile(r"\btest_\w+")
_LITTER = re.compile(r"(?:^|/)(?:__pycache__|\.(?:pytest|mypy|ruff)_cache|\.coverage)(?:/|$)|\.pyc$")
"""What running a program leaves behind: no edit."""


class Claims:
    """Of one attempt. ``failing``: tests that failed before any change."""

    def __init__(self, failing: Collection[str] = (), *, tests_known: bool = True) -> None:
        """``tests_known``: whether there is a suite to run at all."""
        self._failing = frozenset(failing)
        self._tests_known = tests_known
        self._objected = False
        self._edited = ""
        """What was changed last, if no test ran after it."""
        self._passed: set[str] = set()
        self._failed: set[str] = set()
        self._ran = False
        """Whether tests ran after the last edit, by ``run_tests``: what a command prints can be made up."""
        self._broken = False
        """Whether a run of theirs did not end well as a whole."""

    def saw(self, call: ToolCall[Any], result: Any) -> None:
        """One call that was carried out."""
        match result:
            case EditResult() if isinstance(call, EditFile | WriteFile):
                self._edit(result.path)
            case TestReport():
                self._tests(result)
            case CommandResult():
                for path in result.changed:
                    if not _LITTER.search(path):
                        self._edit(path)

    def objection(self, push: PushChanges, around: Callable[[str], str] = str) -> str:
        """What the author is told instead of handing over: once, empty afterwards. ``around`` marks material."""
        if self._objected or not self._tests_known:
            return ""
        if not self._ran:
            said = told("claims", "untested", path=around(self._edited[:200]) if self._edited else "any file")
        else:
            wrong = [finding.message for finding in self.standing(push)]
            said = told("claims", "unproven", listed=around("\n".join(wrong))) if wrong else ""
        self._objected = bool(said)
        return said

    def standing(self, push: PushChanges) -> tuple[Finding, ...]:
        """What the hand-over says and nothing shows."""
        return tuple(Finding(rule=RULE, message=message) for message in self._unproven(f"{push.title}\n{push.summary}"))

    def _unproven(self, said: str) -> Iterator[str]:
        claims = [sentence for sentence in re.split(r"(?<=[.!\n])\s", said) if claims_success(sentence)]
        if not claims:
            return
        quoted = claims[0].strip()[:160]
        if not self._ran:
            yield f"it says {quoted!r}, but no test ran after the last edit"
            return
        broken = sorted(self._failed - self._failing)
        if broken:
            names = ", ".join(broken[:5])
            yield f"it says {quoted!r}, but after the last edit there failed: {names}"
        elif self._broken and not self._failed:
            yield f"it says {quoted!r}, but the last run of the tests did not end well"
        for name in sorted({name for claim in claims for name in _TEST_NAME.findall(claim)}):
            if self._passed and not any(name in passed for passed in self._passed):
                yield f"it says that {name} passes, which did not run or did not pass after the last edit"

    def _edit(self, path: str) -> None:
        self._edited, self._ran, self._broken = path, False, False
        self._passed, self._failed = set(), set()

    def _tests(self, report: TestReport) -> None:
        """A later run says more about the tests that were in it; the others keep what they had."""
        if not report.results and not report.timed_out:
            return
        self._ran, self._edited = True, ""
        self._broken = report.timed_out or (report.exit_code != 0 and not report.failing)
        self._passed = (self._passed - set(report.failing)) | set(report.passed)
        self._failed = (self._failed - set(report.passed)) | set(report.failing)


def claims_success(sentence: str) -> bool:
    """Whether a sentence says that tests passed.

    >>> claims_success("All 12 tests pass now."), claims_success("The tests were not run, so none passed.")
    (True, False)
    """
    return bool(_SUCCESS.search(sentence)) and not _DENIED.search(sentence)
