"""Gate ``dependencies``: says when a change alters what else gets installed.

A changed list of dependencies brings in code that no other gate looks at. Of a ``pyproject.toml`` only the
tables count that name packages. Knows nothing of which packages are good ones.
"""

import tomllib
from typing import Any

from karkhana.domain.evidence import Finding, GateResult, GateStatus
from karkhana.ports import GateContext
from karkhana.quality import paths
from karkhana.quality.diffs import line_diff, split_lines, text_of
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, some

NAME = "dependencies"


class Dependencies:
    """Finds changed dependency files."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        touched = [p for p in context.change.paths if paths.is_dependency_file(p) and _alters(p, context.contents[p])]
        findings = tuple(
            Finding(
                rule="dependencies:changed",
                message=f"{_what(context.contents[path])}: look at what it brings in",
                path=path,
                line=next(iter(line_diff(*context.contents[path]).added), 0),
            )
            for path in touched
        )
        return GateResult(
            gate=NAME,
            status=GateStatus.FAILED if touched else GateStatus.PASSED,
            summary=f"the change alters {some(touched)}" if touched else "no dependency changed",
            measures={"changed_files": float(len(touched))},
            findings=findings,
        )


def _alters(path: str, contents: tuple[bytes | None, bytes | None]) -> bool:
    before, after = contents
    if path.rsplit("/", 1)[-1].lower() == "pyproject.toml":
        try:
            return _named(before) != _named(after)
        except (tomllib.TOMLDecodeError, RecursionError):
            return True
    return [line for line in map(_meaning, split_lines(before)) if line] != [
        line for line in map(_meaning, split_lines(after)) if line
    ]


def _named(content: bytes | None) -> list[Any]:
    """What the tables of a ``pyproject.toml`` that name packages hold."""
    data = tomllib.loads(text_of(content).replace("\r\n", "\n"))
    found = []
    for place in limits(NAME)["tables"]:
        value: Any = data
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        found.append(value)
    return found


def _meaning(line: str) -> str:
    """A line without its comment: a remark in a list of dependencies installs nothing."""
    return "" if line.lstrip().startswith(("#", "//")) else line.partition(" #")[0].strip()


def _what(contents: tuple[bytes | None, bytes | None]) -> str:
    before, after = contents
    if before is None:
        return "a new file of dependencies"
    if after is None:
        return "a file of dependencies was deleted"
    diff = line_diff(before, after)
    return f"{plural(len(diff.added), 'line')} added and {len(diff.removed)} removed in a file of dependencies"
