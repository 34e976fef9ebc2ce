"""The files of a report are written by untrusted code: nothing in them may break or fool the reader badly."""

import json

import pytest

from karkhana.domain.suites import Outcome, TestResult
from karkhana.domain.tools import CommandResult
from karkhana.workspace.testing_report import Evidence, merge, results_of


def evidence(progress: list[object] | bytes = b"", xml: bytes = b"", exit_code: int = 0) -> Evidence:
    lines = progress if isinstance(progress, bytes) else b"".join(json.dumps(p).encode() + b"\n" for p in progress)
    done = CommandResult(exit_code=exit_code, stdout=b"", stderr=b"", duration_s=1.0)
    return Evidence(command=("python", "-m", "pytest"), done=done, progress=lines, xml=xml, limit_s=None)


COMPLETE = [["begin", 1], ["start", "a"], ["phase", "a", "call", "passed", 0.5, ""], ["finish", "a", 0.5], ["end", 0]]
BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""


@pytest.mark.parametrize(
    "xml", [b"", b"<testsuite><testca", b"\xff\xfe nonsense", BOMB, b"<a/>", b"<testsuite>" * 100_000]
)
def test_without_a_readable_report_the_progress_counts(xml: bytes) -> None:
    results, _ = results_of(evidence(COMPLETE, xml))
    assert results == (TestResult("a", Outcome.PASSED, 0.5),)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"[1]",
        b'["start"]',
        b'["phase", "a", "call"]',
        b'["start", 7]',
        b"\xff",
        b"[" * 100_000,
        b'["phase", "a", "call", "passed", "x", ""]',
    ],
)
def test_forged_progress_lines_tell_nothing(line: bytes) -> None:
    lines = b"".join(json.dumps(p).encode() + b"\n" for p in COMPLETE)
    results, _ = results_of(evidence(line + b"\n" + lines + line))
    assert [r.name for r in results] == ["a"]


def test_a_file_entity_is_not_read(tmp_path: object) -> None:
    xml = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&a;"/></testsuite>'
    results, _ = results_of(evidence(COMPLETE, xml))
    assert "root" not in str(results)


def test_long_texts_are_cut() -> None:
    xml = b'<testsuite><testcase name="a"><failure message="%s">%s</failure></testcase></testsuite>' % (
        b"m" * 100_000,
        b"t" * 100_000,
    )
    (result,), _ = results_of(evidence(COMPLETE, xml))
    assert (len(result.message), len(result.traceback)) == (2_000, 20_000)


def test_unreasonable_durations_count_as_none() -> None:
    cases = b"".join(b'<testcase name="%s" time="%s"/>' % (time, time) for time in (b"nan", b"-1", b"x"))
    xml = b"<testsuite>" + cases + b"</testsuite>"
    results, _ = results_of(evidence(COMPLETE, xml))
    assert [r.duration_s for r in results] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("seconds", [b"NaN", b"Infinity", b"-1", b"1e999", b"1" + b"0" * 400])
def test_unreasonable_durations_of_phases_count_as_none(seconds: bytes) -> None:
    results, _ = results_of(
        evidence(b'["begin", 1]\n["phase", "a", "call", "passed", ' + seconds + b', ""]\n["end", 0]')
    )
    assert [(r.name, r.duration_s) for r in results] == [("a", 0.0)]


def test_a_name_that_is_nested_too_deeply_is_none() -> None:
    value = "[" * 100_000
    xml = f'<testsuite><testcase name="a"><property name="karkhana_nodeid" value="{value}"/></testcase></testsuite>'
    results, _ = results_of(evidence(xml=xml.encode()))
    assert [r.name for r in results if r.outcome is Outcome.PASSED] == ["a"]


def test_the_worst_outcome_of_a_test_counts() -> None:
    both = [
        TestResult("a", Outcome.ERROR, 1.0, "e"),
        TestResult("a", Outcome.FAILED, 2.0, "f"),
        TestResult("a", Outcome.PASSED),
    ]
    assert merge(both) == (TestResult("a", Outcome.FAILED, 3.0, "f"),)


def test_a_run_that_never_began_has_no_results() -> None:
    assert results_of(evidence(exit_code=1)) == ((), ())


def test_durations_are_not_rounded() -> None:
    lines = [["begin", 1], ["start", "a"], ["finish", "a", 0.0001234], ["end", 0]]
    (result,), _ = results_of(evidence(lines, b'<testsuite><testcase name="a" time="0.000"/></testsuite>'))
    assert result.duration_s == 0.0001234
