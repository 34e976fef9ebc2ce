"""What the review looks at: one change with everything known about it, read once for all rules.

Knows nothing of rules.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from karkhana.domain.changes import Change
from karkhana.domain.evidence import Finding, Severity
from karkhana.domain.suites import Outcome, TestReport
from karkhana.domain.tasks import Ticket
from karkhana.quality import paths
from karkhana.quality.diffs import LineDiff, is_binary, line_diff, split_lines, text_of
from karkhana.syntax import Unparsable, parse, statements

Contents = Mapping[str, tuple[bytes | None, bytes | None]]


class Source:
    """The parsed top-level statements of a Python file that stand in given lines, with the place of every node.

    Only what a change touches is parsed: parsing and placing a file of 4,000 lines takes a second of CPU.
    Raises ``Unparsable``.
    """

    def __init__(self, content: bytes, lines: frozenset[int]) -> None:
        self._pieces: list[tuple[int, Mapping[cst.CSTNode, CodeRange]]] = []
        try:
            parsed = [self._read(offset, piece) for offset, piece in _pieces(content, lines)]
        except Unparsable:  # the estimate of where statements begin may be wrong
            self._pieces.clear()
            parsed = [self._read(0, content)]
        self.module = cst.Module(body=[statement for module in parsed for statement in module.body])

    def _read(self, offset: int, content: bytes) -> cst.Module:
        wrapper = MetadataWrapper(parse(content), unsafe_skip_copy=True)
        self._pieces.append((offset, wrapper.resolve(PositionProvider)))
        return wrapper.module

    def lines(self, node: cst.CSTNode) -> range:
        """The lines that a node covers."""
        for offset, ranges in self._pieces:
            if node in ranges:
                return range(ranges[node].start.line + offset, ranges[node].end.line + offset + 1)
        return range(0)

    def line(self, node: cst.CSTNode) -> int:
        return self.lines(node).start

    def code(self, node: cst.CSTNode) -> str:
        return self.module.code_for_node(node)

    @cached_property
    def functions(self) -> dict[str, cst.FunctionDef]:
        """Qualified name → function, methods and nested functions included; the last of equal names."""
        return dict(_functions(self.module, ""))


def _pieces(content: bytes, lines: frozenset[int]) -> list[tuple[int, bytes]]:
    """``(lines before it, bytes)`` of each run of top-level statements that ``lines`` touch."""
    text = "\n".join(split_lines(content)) + "\n"
    wanted = [found for found in statements(text) if any(number in lines for number in found)]
    every = text.split("\n")
    return [
        (
            found.start - 1,
            ("\n".join(every[found.start - 1 : found.stop - 1]) + "\n").encode("utf-8", "surrogateescape"),
        )
        for found in wanted
    ]


def _functions(node: cst.CSTNode, prefix: str) -> Iterator[tuple[str, cst.FunctionDef]]:
    for child in node.children:
        if isinstance(child, cst.FunctionDef):
            yield prefix + child.name.value, child
            yield from _functions(child.body, f"{prefix}{child.name.value}.")
        elif isinstance(child, cst.ClassDef):
            yield from _functions(child.body, f"{prefix}{child.name.value}.")
        else:
            yield from _functions(child, prefix)


class File:
    """One changed file."""

    def __init__(self, path: str, before: bytes | None, after: bytes | None) -> None:
        self.path = path
        self.before = before
        self.after = after

    @cached_property
    def diff(self) -> LineDiff:
        return line_diff(self.before, self.after)

    @property
    def is_test(self) -> bool:
        return paths.is_test(self.path)

    @property
    def is_python(self) -> bool:
        return paths.is_python(self.path)

    @property
    def is_text(self) -> bool:
        return not is_binary(self.before) and not is_binary(self.after)

    @cached_property
    def source_before(self) -> Source | None:
        """The statements that the change touches, as they were; ``None`` when they cannot be parsed."""
        return _parse(self.before, self.diff.around_before) if self.is_python else None

    @cached_property
    def source_after(self) -> Source | None:
        """The statements that the change touches, as they are; ``None`` when they cannot be parsed."""
        return _parse(self.after, self.diff.around_after) if self.is_python else None

    @property
    def unreadable(self) -> bool:
        """Python that the review could not parse."""
        return self.is_python and self.after is not None and self.source_after is None

    @property
    def text_before(self) -> str:
        return text_of(self.before)

    @property
    def text_after(self) -> str:
        return text_of(self.after)

    def touches(self, lines: range) -> bool:
        """Whether an added line lies in ``lines`` of the new file."""
        return any(number in lines for number in self.diff.added)

    def finding(self, rule: str, message: str, line: int = 0, severity: Severity = Severity.WARNING) -> Finding:
        return Finding(rule=rule, message=message, severity=severity, path=self.path, line=line)


def _parse(content: bytes | None, lines: frozenset[int]) -> Source | None:
    if content is None or is_binary(content):
        return None
    try:
        return Source(content, lines)
    except Unparsable:
        return None  # said by the rule "unreviewed"


class Subject:
    """A change under review."""

    def __init__(
        self, change: Change, contents: Contents, ticket: Ticket, baseline: TestReport, result: TestReport | None = None
    ) -> None:
        self.change = change
        self.ticket = ticket
        self.baseline = baseline
        self.result = result
        self.files = tuple(File(path, *contents[path]) for path in change.paths)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every identifier that the ticket mentions."""
        return frozenset(re.findall(r"\w+", self.ticket.text))

    @cached_property
    def failures(self) -> str:
        """Names, messages and tracebacks of the tests that failed before."""
        failed = [r for r in self.baseline.results if r.outcome in (Outcome.FAILED, Outcome.ERROR)]
        return "\n".join(f"{r.name}\n{r.message}\n{r.traceback}" for r in failed)


@lru_cache(maxsize=1)
def rules() -> dict[str, Any]:
    """The data of all rules, from ``rules.toml``."""
    return tomllib.loads(resources.files("karkhana.quality.review").joinpath("rules.toml").read_text("utf-8"))
