"""Tells a suite that cannot run at all from one that shows a bug.

The kinds of fault are data (:file:`faults.toml`). Knows nothing of how suites are run.
"""

import functools
import re
import tomllib
from collections.abc import Collection
from importlib import resources

import msgspec

from karkhana.domain.suites import TestReport


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of fault."""

    pattern: str
    next: str
    unless_in_repository: str = ""
    """A group of the pattern; it is no fault when the repository has a module of that name."""


class Fault(msgspec.Struct, frozen=True):
    """What was found, and the step that helps."""

    found: str
    next: str


@functools.cache
def _kinds() -> tuple[Kind, ...]:
    text = resources.files("karkhana.factory").joinpath("faults.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["fault"], tuple[Kind, ...])


def environment_fault(report: TestReport, modules: Collection[str]) -> Fault | None:
    """The fault that keeps every test from running; ``None`` when a test passed or the code itself is to blame.

    ``modules`` are the names of the repository's own top-level modules and packages.
    """
    if report.passed:
        return None
    text = "\n".join([report.output, *(f"{result.message}\n{result.traceback}" for result in report.results)])
    for kind in _kinds():
        found = re.search(kind.pattern, text)
        if found is None or (kind.unless_in_repository and found[kind.unless_in_repository] in modules):
            continue
        return Fault(found[0].strip(), kind.next.format(**found.groupdict()))
    return None
