"""Real historical bugs through the full line: the commit before the fix, the fix's tests, and its message as ticket.

*Passing*: the change makes the whole of the changed test files pass. *Right*: the changed source is, statement for
statement, what the maintainers wrote (compared as syntax trees without docstrings and comments); a passing change that
differs from theirs is *disputed* and printed for a person's eye.

    python -m benchmarks.history --repositories DIR [--json]

DIR holds a git repository (bare or not) for each library, named OWNER+NAME, OWNER+NAME/repo or NAME.
"""

import argparse
import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.common import emit, git, replayed, run_ticket


def find_repository(folder: Path, name: str) -> Path:
    """The git directory of ``OWNER/NAME`` below ``folder``."""
    owner, _, short = name.partition("/")
    for place in (f"{owner}+{short}/repo", f"{owner}+{short}", short, f"{short}.git"):
        for candidate in (folder / place, folder / place / ".git"):
            if (candidate / "objects").is_dir():
                return candidate
    raise SystemExit(f"{name}: fetch it into {folder}/{owner}+{short} first")


def make_case(source: Path, fix: str, folder: Path) -> tuple[str, list[str], list[str]]:
    """A repository in ``folder`` at the fix's parent with the fix's tests; its ticket, tests and source files."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", source, folder], check=True, capture_output=True)
    git(folder, "checkout", "--quiet", f"{fix}^")
    changed = git(folder, "diff", "--name-only", f"{fix}^", fix).splitlines()
    tests = [path for path in changed if "test" in path]
    sources = [path for path in changed if path.endswith(".py") and path not in tests]
    git(folder, "checkout", fix, "--", *tests)
    git(folder, "checkout", "--quiet", "-B", "work")
    git(folder, "remote", "remove", "origin")
    git(folder, "commit", "--quiet", "--all", "--message", "the fix's tests")
    return git(folder, "show", "--no-patch", "--format=%B", fix), tests, sources


def same_code(left: str, right: str) -> bool:
    """Whether two modules are the same but for comments, docstrings and layout."""
    return _code(left) == _code(right)


def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            del body[0]
    return ast.dump(tree)


def measure(bug: dict[str, str], repositories: Path, home: Path) -> dict[str, Any]:
    """One bug: how the run ended and what it is worth."""
    case: dict[str, Any] = {"name": f"{bug['repository']}@{bug['fix']}", "passing": False, "right": False}
    with tempfile.TemporaryDirectory(prefix="karkhana-history-") as temporary:
        folder = Path(temporary) / "repository"
        source = find_repository(repositories, bug["repository"])
        ticket, tests, sources = make_case(source, bug["fix"], folder)
        command = "python -m pytest " + " ".join(path for path in tests if path.endswith(".py"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = run_ticket(folder, ticket, home=home, test_command=command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        case["cpu_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
        case["status"], case["diff"] = result.get("status", "error"), result.get("diff", "")
        case["reason"] = result.get("reason") or json.dumps(result.get("error", ""))
        case["score"] = (result.get("confidence") or {}).get("score")
        case["abstained"] = not case["diff"]
        if case["diff"]:
            case["replayed"] = replayed(result, home)
            patch = Path(temporary) / "change.patch"
            patch.write_text(case["diff"])
            git(folder, "apply", str(patch))
            case["passing"] = result["tests"]["after"]["failing"] == []
            case["right"] = case["passing"] and all(
                same_code((folder / path).read_text(), git(folder, "show", f"{bug['fix']}:{path}")) for path in sources
            )
            case["disputed"] = case["passing"] and not case["right"]
    return case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", "--dataset", type=Path, required=True)
    parser.add_argument("--only", help="part of a case's name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bugs = tomllib.loads((Path(__file__).parent / "history.toml").read_text())["bug"]
    cases = []
    with tempfile.TemporaryDirectory(prefix="karkhana-home-") as home:
        for bug in bugs:
            if options.only and options.only not in f"{bug['repository']}@{bug['fix']}":
                continue
            case = measure(bug, options.repositories, Path(home))
            cases.append(case)
            verdict = "right" if case["right"] else "passing, disputed" if case["passing"] else case["status"]
            print(f"{case['name']:<50} {verdict:<20} {case['cpu_s']:>7.1f} s  {case['reason'][:100]}", file=sys.stderr)
            if case.get("disputed"):
                print(case["diff"], file=sys.stderr)
    cpu = sorted(case["cpu_s"] for case in cases)
    figures = {
        "total": len(cases),
        "passing": sum(case["passing"] for case in cases),
        "right": sum(case["right"] for case in cases),
        "abstained": sum(case["abstained"] for case in cases),
        "median_cpu_s": cpu[len(cpu) // 2] if cpu else None,
        "cases": cases,
    }
    emit("Historical bugs", figures, as_json=options.json)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
