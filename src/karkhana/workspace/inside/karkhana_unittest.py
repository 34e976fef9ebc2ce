"""``python -m karkhana_unittest ARGS`` is ``python -m unittest ARGS`` with the report that the pytest plugin makes.

Runs with the target's interpreter; standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import unittest
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from karkhana_progress import FOLDER, LONGEST, PROPERTY, Progress, chosen


def printable(text: str) -> str:
    """``text`` without the characters that XML cannot hold."""
    return "".join(
        c if c in "\t\n\r" or " " <= c < "\ud800" or (c > "\udfff" and c not in "\ufffe\uffff") else "?" for c in text
    )


class Result(unittest.TextTestResult):
    """Writes progress while it goes and collects what the XML needs."""

    progress: Progress

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cases: dict[str, tuple[str, str]] = {}
        self._started: dict[str, float] = {}

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.progress.add("start", test.id())
        self._started[test.id()] = time.monotonic()
        self.cases.setdefault(test.id(), ("passed", ""))

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        outcome, text = self.cases[test.id()]
        seconds = time.monotonic() - self._started[test.id()]
        self._started[test.id()] = seconds
        self.progress.add("phase", test.id(), "call", outcome, seconds, text[-LONGEST:])
        self.progress.add("finish", test.id(), seconds)

    def _note(self, test: Any, outcome: str, text: str) -> None:
        known = self.cases.get(test.id(), ("passed", ""))
        if known[0] not in ("failed", "error"):
            self.cases[test.id()] = (outcome, text)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note(test, "error", "".join(traceback.format_exception(*err)))

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note(test, "failed", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcome = "failed" if issubclass(err[0], test.failureException) else "error"
            where = subtest.id()[len(test.id()) :].strip()
            self._note(test, outcome, where + "\n" + "".join(traceback.format_exception(*err)))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, "skipped", "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, "failed", "unexpected success")

    def write(self, path: str) -> None:
        suite = ElementTree.Element("testsuite", name="unittest")
        for name, (outcome, text) in self.cases.items():
            case = ElementTree.SubElement(suite, "testcase", classname="", name=printable(name))
            case.set("time", "%.6f" % self._started.get(name, 0.0))
            properties = ElementTree.SubElement(case, "properties")
            value = json.dumps(name)
            ElementTree.SubElement(properties, "property", name=PROPERTY, value=value)
            if outcome != "passed":
                tag = {"failed": "failure", "error": "error", "skipped": "skipped"}[outcome]
                last = text.strip().splitlines()[-1:] or [""]
                child = ElementTree.SubElement(case, tag, message=printable(last[0]))
                child.text = printable(text)
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def tests_of(suite: Any) -> Iterator[Any]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


class Runner(unittest.TextTestRunner):
    resultclass = Result

    def run(self, test: Any) -> Any:
        selection = chosen()
        if selection is not None:
            test = unittest.TestSuite(t for t in tests_of(test) if t.id() in selection)
        result: Any = super().run(test)
        result.write(os.path.join(FOLDER, "report.xml"))
        Result.progress.add("end", 0 if result.wasSuccessful() else 1)
        return result


if __name__ == "__main__":
    Result.progress = Progress(FOLDER)
    Result.progress.add("begin", os.getpid())
    unittest.main(module=None, argv=["python -m unittest", *sys.argv[1:]], testRunner=Runner)
