"""Gate ``static_analysis``: warnings of ruff that the change brings in; a new syntax error is a hard failure.

Ruff only parses. It gets copies of the contents under names of ours in a folder of ours, with ``--isolated``,
so no configuration of the target is ever read and nothing of it runs. A warning is new when the file had no
such warning on an equal line before: moved code is not blamed.

Knows nothing of types, nor of languages other than Python.
"""

import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from ruff import find_ruff_bin  # type: ignore[import-untyped]

from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext
from karkhana.quality import paths
from karkhana.quality.diffs import split_lines
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, some

NAME = "static_analysis"
SYNTAX = "invalid-syntax"
UNREADABLE = "E902"
"""Ruff reads UTF-8 only."""


class Diagnostic(msgspec.Struct, frozen=True):
    """One remark of ruff; ``code`` is ``invalid-syntax`` when the file cannot be parsed."""

    code: str
    message: str
    line: int


class StaticAnalysis:
    """Ruff before and after on the changed Python files."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        python = [p for p in context.change.paths if paths.is_python(p)]
        if not python:
            return _no_python(context)
        try:
            before = lint({p: context.contents[p][0] for p in python})
            after = lint({p: context.contents[p][1] for p in python})
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
            return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=f"ruff could not run: {error}")
        return _judge(context, python, before, after)


def lint(files: Mapping[str, bytes | None]) -> dict[str, list[Diagnostic]]:
    """Ruff's remarks on each of the contents (absent ones have none).

    Raises ``OSError`` or ``subprocess.SubprocessError`` when ruff cannot run.
    """
    found: dict[str, list[Diagnostic]] = {path: [] for path in files}
    for tests in (False, True):
        chosen = [p for p, content in files.items() if content is not None and paths.is_test(p) is tests]
        found |= _ruff(chosen, files, tests=tests)
    return found


def _ruff(chosen: list[str], files: Mapping[str, bytes | None], *, tests: bool) -> dict[str, list[Diagnostic]]:
    if not chosen:
        return {}
    settings = limits(NAME)
    ignored = settings["ignore"] + (settings["ignore_in_tests"] if tests else [])
    command = [find_ruff_bin(), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--output-format=json"]
    command += ["--ignore-noqa", "--target-version=py314", "--no-respect-gitignore", "--preview"]
    command += [f"--select={','.join(settings['select'])}", f"--ignore={','.join(ignored)}", "."]
    with tempfile.TemporaryDirectory(prefix="karkhana-ruff-") as folder:
        names = {}
        for number, path in enumerate(chosen):
            name = f"file_{number:05d}{Path(path).suffix}"
            (Path(folder) / name).write_bytes(files[path] or b"")
            names[name] = path
        run = subprocess.run(command, cwd=folder, capture_output=True, timeout=settings["timeout_s"], check=True)
    found: dict[str, list[Diagnostic]] = {path: [] for path in chosen}
    for remark in msgspec.json.decode(run.stdout, type=list[dict[str, Any]]):
        found[names[Path(remark["filename"]).name]].append(_diagnostic(remark))
    return found


def _diagnostic(remark: dict[str, Any]) -> Diagnostic:
    return Diagnostic(remark["code"] or SYNTAX, remark["message"], remark["location"]["row"])


def _no_python(context: GateContext) -> GateResult:
    other = [p for p in context.change.paths if paths.is_executable_kind(p)]
    if other:
        return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=f"no analyser for {some(other)}")
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED,
        summary="the change has no code to analyse",
        measures={"new_warnings": 0, "new_security": 0, "fixed_warnings": 0},
    )


def _judge(
    context: GateContext,
    python: list[str],
    before: dict[str, list[Diagnostic]],
    after: dict[str, list[Diagnostic]],
) -> GateResult:
    findings: list[Finding] = []
    fixed = 0
    unread = [p for p in python if any(d.code == UNREADABLE for d in after[p])]
    for path in [p for p in python if p not in unread]:
        old, new = context.contents[path]
        known = Counter(_key(d, split_lines(old)) for d in before[path])
        fixed += sum((known - Counter(_key(d, split_lines(new)) for d in after[path])).values())
        for diagnostic in after[path]:
            key = _key(diagnostic, split_lines(new))
            if known[key] > 0:
                known[key] -= 1
            else:
                findings.append(_finding(path, diagnostic))
    syntax = [f for f in findings if f.severity is Severity.ERROR]
    security = [f for f in findings if _is_security(f.rule)]
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if findings else GateStatus.UNKNOWN if unread else GateStatus.PASSED,
        hard=bool(syntax),
        summary=_summary(python, findings, security=security, syntax=syntax, fixed=fixed)
        + (f"; not readable as UTF-8: {some(unread)}" if unread else ""),
        measures={
            "new_warnings": float(len(findings)),
            "new_security": float(len(security)),
            "fixed_warnings": float(fixed),
        },
        findings=tuple(findings),
    )


def _key(diagnostic: Diagnostic, lines: tuple[str, ...]) -> tuple[str, str]:
    if diagnostic.code == SYNTAX:
        return SYNTAX, ""
    text = lines[diagnostic.line - 1].strip() if 0 < diagnostic.line <= len(lines) else ""
    return diagnostic.code, text


def _finding(path: str, diagnostic: Diagnostic) -> Finding:
    broken = diagnostic.code == SYNTAX and not (paths.is_test(path) and not paths.is_test_module(path))
    return Finding(
        rule=f"ruff:{diagnostic.code}",
        message=diagnostic.message,
        severity=Severity.ERROR if broken else Severity.WARNING,
        path=path,
        line=diagnostic.line,
    )


def _is_security(rule: str) -> bool:
    code = rule.removeprefix("ruff:")
    return any(code == s or (s.isalpha() and code.rstrip("0123456789") == s) for s in limits(NAME)["security"])


def _summary(
    python: list[str], findings: list[Finding], *, security: list[Finding], syntax: list[Finding], fixed: int
) -> str:
    where = plural(len(python), "Python file")
    if syntax:
        return f"{syntax[0].path}:{syntax[0].line} can no longer be parsed: {syntax[0].message}"
    if not findings:
        return f"no new warning in {where}" + (f"; {plural(fixed, 'old one')} gone" if fixed else "")
    rules = sorted({f.rule for f in findings})
    text = f"{plural(len(findings), 'new warning')} in {where} ({some(rules)})"
    return text + (f", {len(security)} about security" if security else "")
