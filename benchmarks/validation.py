"""Candidates validated per CPU second, on small functions of ours and of fetched libraries.

For each function: measure its suite once, make a thousand changes of one token or two and validate them all. CPU
seconds are those of the whole validation inside the probe, pytest's start and collection included; ``rate`` is without
that start. ``fresh_ms`` is the cost of one candidate that needs a new interpreter state, the first left out.

Runs code of the libraries as plain subprocesses: only for libraries that you trust.

    python -m benchmarks.validation --dataset /path/to/mirror [--json]
"""

import argparse
import io
import statistics
import subprocess
import tarfile
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from karkhana.behaviour.running import Run
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.behaviour.validation import Edit, Proposal, Target, Validation, apply, validate
from karkhana.domain.tools import CommandResult
from karkhana.workspace.memory import TemporaryWorkspace

BAR = 500.0
"""Candidates per CPU second."""
_OPERATORS = ("+", "-", "*", "//", "%", "==", "!=", "<", "<=", ">", ">=")
_WORDS = {"and": ("or",), "or": ("and",), "True": ("False", "None"), "False": ("True", "None"), "is": ("is not",)}
_LEAST_S = 0.03
_CANDIDATES = 1000
Parts = tuple[dict[str, str | bytes], str, str, str]
"""Files, path of the module, name of the function, test file."""


def changes(text: str) -> Iterator[Edit]:
    """One-token changes of a function's text: operators, numbers and names for others of the same function."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    names = sorted({t.string for t in tokens if t.type == tokenize.NAME and not _is_word(t.string)})
    for token in tokens[3:]:
        start = starts[token.start[0] - 1] + token.start[1]
        for new in _instead(token, names):
            yield Edit(start, start + len(token.string), new)


def several_changes(single: list[Edit], count: int) -> list[tuple[Edit, ...]]:
    """Every single change, and pairs of them, evenly chosen, up to ``count``."""
    pairs = [(a, b) for n, a in enumerate(single) for b in single[n + 1 :] if a.end <= b.start]
    step = max(1, len(pairs) // max(1, count - len(single)))
    return [*((edit,) for edit in single), *pairs[::step]][:count]


def _is_word(text: str) -> bool:
    return text in _WORDS or text in {
        "def",
        "return",
        "if",
        "else",
        "elif",
        "for",
        "in",
        "while",
        "not",
        "raise",
        "break",
    }


def _instead(token: tokenize.TokenInfo, names: list[str]) -> list[str]:
    if token.type == tokenize.OP and token.string in _OPERATORS:
        return [o for o in _OPERATORS if o != token.string]
    if token.type == tokenize.NUMBER:
        return [f"({token.string} {change})" for change in ("+ 1", "- 1", "* 2", "+ 2")]
    if token.string in _WORDS:
        return list(_WORDS[token.string])
    if token.type == tokenize.NAME and token.string in names:
        return [n for n in names if n != token.string] + [f"({token.string} {c})" for c in ("+ 1", "- 1")]
    return []


def own(case: dict[str, Any]) -> Parts:
    """One of our own functions."""
    checks = "".join(f"def test_{n}():\n    assert {check}\n\n\n" for n, check in enumerate(case["tests"]))
    tests = f"from module import {case['name']} as f\n\n\n{checks}"
    return {"module.py": case["code"].lstrip(), "test_module.py": tests}, "module.py", case["name"], "test_module.py"


def library(case: dict[str, Any], mirror: Path) -> Parts:
    """A function of a fetched library, with its mistake put in."""
    folder = mirror / case["repository"] / "repo"
    done = subprocess.run(["git", f"--git-dir={folder}", "archive", "HEAD"], capture_output=True, check=True)
    files: dict[str, str | bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name] = content.read()
    text = _text(files[case["path"]])
    wrong, right = case["fix"]
    assert text.count(right) == 1, (case["function"], text.count(right))
    files[case["path"]] = text.replace(right, wrong)
    return files, case["path"], case["function"], case["tests"]


class Subject:
    """One function with its spectrum, ready to be validated."""

    def __init__(self, run: Run, text: str, path: str, function: str, tests: str) -> None:
        self.run = run
        self.arguments = (tests,)
        self.spectrum: Spectrum = measure(run, arguments=self.arguments)
        place = next(p for p in self.spectrum.functions[path] if p.name == function)
        self.text = "".join(text.splitlines(keepends=True)[place.start - 1 : place.end])
        covering = self.spectrum.covering(path, place.start, place.end)
        failing = [n for n in self.spectrum.failing if n in covering]
        passing = [n for n in self.spectrum.passing if n in covering]
        assert failing, function
        self.target = Target(path=path, text=self.text, place=place, failing=tuple(failing), passing=tuple(passing))

    def validate(self, proposals: list[Proposal]) -> Validation:
        tests = self.spectrum.tests
        return validate(
            self.run,
            arguments=self.arguments,
            tests=[t.name for t in tests],
            limits=[max(_LEAST_S, 6 * t.seconds) if t.outcome != "timeout" else _LEAST_S for t in tests],
            targets=[self.target],
            proposals=proposals,
            seconds=300,
            beyond=100_000,
            beyond_seconds=300.0,
        )


def measure_one(name: str, parts: Parts, fix: tuple[str, str]) -> dict[str, Any]:
    """A row of the report."""
    files, path, function, tests = parts
    with TemporaryWorkspace(files) as workspace:

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

        subject = Subject(run, _text(files[path]), path, function, tests)
        wrong, right = fix
        at = subject.text.index(wrong)
        hit = Proposal(0, (Edit(at, at + len(wrong), right),))
        different = list({apply(subject.text, (edit,)): edit for edit in changes(subject.text)}.values())
        proposals = [hit, *(Proposal(0, edits) for edits in several_changes(different, _CANDIDATES))]
        result = subject.validate(proposals)
        one, several = (subject.validate(_fresh(subject.text, n)) for n in (1, 5))
    return {
        "name": name,
        "candidates": len(proposals),
        "tried": result.tried,
        "hit": result.statuses[0] == "p",
        "timed_out": result.statuses.count("t"),
        "cpu_s": round(result.seconds, 3),
        "start_s": round(result.start_s, 3),
        "rate": round(result.tried / max(0.001, result.seconds - result.start_s)),
        "rate_with_start": round(result.tried / result.seconds),
        "fresh_first_ms": round(1000 * one.seconds),
        "fresh_ms": round(1000 * (several.seconds - one.seconds) / 4),
    }


def _fresh(text: str, count: int) -> list[Proposal]:
    """Candidates that fail, each in need of a new interpreter state."""
    return [Proposal(0, (Edit(0, len(text), text.rstrip() + f"  # {n}\n"),), fresh=True) for n in range(count)]


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dataset", type=Path, help="folder of mirrored repositories; without it only our own functions"
    )
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = tomllib.loads((Path(__file__).parent / "validation.toml").read_text(encoding="utf-8"))
    chosen = {n for n in options.only.split(",") if n}
    rows: list[dict[str, Any]] = []
    for case in [*data["own"], *(data["library"] if options.dataset else ())]:
        name = case.get("name") or f"{case['repository'].partition('+')[2]}.{case['function']}"
        if not chosen or name in chosen:
            parts = own(case) if "code" in case else library(case, options.dataset)
            rows.append(measure_one(name, parts, case["fix"]))
    figures = {
        "functions": len(rows),
        "median_rate": statistics.median(r["rate"] for r in rows),
        "lowest_rate": min(r["rate"] for r in rows),
        "overall_rate": round(sum(r["tried"] for r in rows) / sum(max(0.001, r["cpu_s"] - r["start_s"]) for r in rows)),
        "overall_rate_with_start": round(sum(r["tried"] for r in rows) / sum(r["cpu_s"] for r in rows)),
        "bar": BAR,
        "hits": sum(r["hit"] for r in rows),
        "median_fresh_ms": statistics.median(r["fresh_ms"] for r in rows),
        "cases": rows,
    }
    emit("Validation: candidates per CPU second", figures, as_json=options.json)


if __name__ == "__main__":
    main()
