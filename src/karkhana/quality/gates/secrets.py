"""Gate ``secrets``: key-shaped strings and high-entropy assignments in the lines that a change adds. Hard.

Only what a change adds counts, in any kind of file. The message names the kind of secret and never its text.
Knows nothing of secrets that were there before.
"""

import math
import re
from collections import Counter
from collections.abc import Callable

from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext
from karkhana.quality.diffs import is_binary, line_diff
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, some
from karkhana.storage.redaction import Redactor

NAME = "secrets"

_ASSIGNMENT = re.compile(
    # bounded, and without the beginning of the name: a line may be megabytes of what a name consists of
    r"""(?ix) (?:secret|token|passw(?:or)?d|api_?-?key|access_?-?key|private_?-?key|credential) [\w.-]{0,100} ["']?
    \s* (?: = | : | => | := ) \s*
    (?P<quote>["']) (?P<value>[^"'\s]+) (?P=quote)"""
)
_PLACEHOLDER = re.compile(r"(?i)example|change_?me|placeholder|dummy|your[_-]|<|\{|\$|xxxx|\*\*\*|test|fake|sample")


class Secrets:
    """``redact`` gives a text back with every known secret replaced by ``[redacted:KIND]``."""

    name = NAME

    def __init__(self, redact: Callable[[str], str] | None = None) -> None:
        self._redact = redact or Redactor({}).text

    def check(self, context: GateContext) -> GateResult:
        findings: list[Finding] = []
        lines = 0
        for path in context.change.paths:
            before, after = context.contents[path]
            if after is None or is_binary(after):
                continue
            added = line_diff(before, after).added_lines()
            lines += len(added)
            findings += [_finding(path, line, kind) for block in _blocks(added) for line, kind in self._find(block)]
        return GateResult(
            gate=NAME,
            status=GateStatus.FAILED if findings else GateStatus.PASSED,
            hard=True,
            summary=_summary(findings, lines),
            measures={"added_lines": float(lines), "secrets": float(len(findings))},
            findings=tuple(findings),
        )

    def _find(self, block: list[tuple[int, str]]) -> list[tuple[int, str]]:
        found = [(number, kind) for number, text in block if (kind := self._kind(text))]
        whole = self._shape("\n".join(text for _, text in block))
        # a key block spans lines, none of which is a secret by itself
        return found or ([(block[0][0], whole)] if whole else [])

    def _kind(self, text: str) -> str:
        return self._shape(text) or ("high-entropy value" if _looks_random(text) else "")

    def _shape(self, text: str) -> str:
        redacted = self._redact(text)
        if redacted == text:
            return ""
        found = re.search(r"\[redacted:([^\]]+)\]", redacted)
        return found[1] if found else "secret"


def _blocks(added: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Runs of neighbouring lines."""
    blocks: list[list[tuple[int, str]]] = []
    for number, text in added:
        if blocks and blocks[-1][-1][0] == number - 1:
            blocks[-1].append((number, text))
        else:
            blocks.append([(number, text)])
    return blocks


def _looks_random(text: str) -> bool:
    for found in _ASSIGNMENT.finditer(text[:2000]):
        value = found["value"]
        mixed = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]")) >= 2
        long_enough = len(value) >= limits(NAME)["shortest"]
        if mixed and long_enough and not _PLACEHOLDER.search(value) and entropy(value) >= limits(NAME)["entropy"]:
            return True
    return False


def entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _finding(path: str, line: int, kind: str) -> Finding:
    return Finding(
        rule="secrets:added",
        message=f"this line adds what looks like a secret ({kind})",
        severity=Severity.ERROR,
        path=path,
        line=line,
    )


def _summary(findings: list[Finding], lines: int) -> str:
    if not findings:
        return f"no secret in {plural(lines, 'added line')}"
    return f"{plural(len(findings), 'secret')} added at {some([f'{f.path}:{f.line}' for f in findings])}"
