"""Gate ``dependencies``: says when a change alters what else gets installed.

A changed list of dependencies brings in code that no other gate looks at. Knows nothing of which packages
are good ones.
"""

from karkhana.domain.evidence import Finding, GateResult, GateStatus
from karkhana.ports import GateContext
from karkhana.quality import paths
from karkhana.quality.diffs import line_diff
from karkhana.quality.gates.wording import some

NAME = "dependencies"


class Dependencies:
    """Finds changed dependency files."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        touched = [p for p in context.change.paths if paths.is_dependency_file(p)]
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
            summary=f"the change alters {some(touched)}" if touched else "no dependency file changed",
            measures={"changed_files": float(len(touched))},
            findings=findings,
        )


def _what(contents: tuple[bytes | None, bytes | None]) -> str:
    before, after = contents
    if before is None:
        return "a new file of dependencies"
    if after is None:
        return "a file of dependencies was deleted"
    diff = line_diff(before, after)
    return f"{len(diff.added)} lines added and {len(diff.removed)} removed in a file of dependencies"
