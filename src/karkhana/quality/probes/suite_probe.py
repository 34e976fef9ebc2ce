"""Runs a test command and says, per test, how it ended and how long it took; with the lines that ran on request.

A program for the sandbox: standard library only, run by the target's own interpreter, read from standard input. It
prints one JSON object. Everything it prints is as untrustworthy as the code it ran. Knows nothing of the factory.

    main({"command": ["python", "-m", "pytest"], "root": "/workspace", "cover": ["cart.py"], "lines": text of
          line_probe.py, "reach": {"cart.py": [[10, 20]]}, "only": [], "seed": 0, "timeout_s": 60, "test_cpu_s": 10.0})
"""

import ast
import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple  # noqa: UP035 - targets may run older interpreters than we do

Job = Dict[str, Any]  # noqa: UP006

OBSERVER = """
import json, os, random, sys
import pytest

class _Reach:
    def __init__(self, lines, wanted, stream):
        self.lines, self.wanted, self.stream = lines, wanted, stream

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lines.settle()
        yield
        ran = self.lines.settle()
        found = [first + n for first, last in self.wanted for n in self.lines.numbers(ran[first : last + 1])]
        if found:
            self.stream.write(json.dumps([item.nodeid, found]) + "\\n")
            self.stream.flush()

class _Chosen:
    def __init__(self, choice):
        self.choice = choice

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        names, seed = set(self.choice["only"]), self.choice["seed"]
        files = {name.partition("::")[0] for name in names} if seed else ()
        items[:] = [i for i in items if i.nodeid in names or i.nodeid.partition("::")[0] in files]
        if seed:
            random.Random(seed).shuffle(items)

class _Observer:
    def __init__(self, stream):
        self.stream = stream

    def write(self, *row):
        self.stream.write(json.dumps(row) + "\\n")
        self.stream.flush()

    def pytest_runtest_logreport(self, report):
        self.write(report.nodeid, report.when, report.outcome, report.duration)

    def pytest_collectreport(self, report):
        if report.failed:
            self.write(report.nodeid, "collect", "failed", 0.0)

def pytest_configure(config):
    target = os.environ.get("KARKHANA_OBSERVED")
    choice = os.path.join(target or "", "choice")
    if target and os.path.exists(choice):
        with open(choice) as stream:
            config.pluginmanager.register(_Chosen(json.load(stream)), "karkhana-choice")
    karkhana_lines = sys.modules.get("karkhana_lines")
    if target and karkhana_lines is not None and karkhana_lines.begun():
        if hasattr(config, "workerinput"):
            karkhana_lines.separate()
        with open(os.path.join(target, "wanted")) as stream:
            wanted = json.load(stream)
        stream = open(os.path.join(target, "reach-%d" % os.getpid()), "w")
        config.pluginmanager.register(_Reach(karkhana_lines, wanted, stream), "karkhana-reach")
        config.add_cleanup(stream.close)
    if target and not hasattr(config, "workerinput"):
        stream = open(os.path.join(target, "tests-%d" % os.getpid()), "w")
        config.pluginmanager.register(_Observer(stream), "karkhana-observer")
        config.add_cleanup(stream.close)
"""


def main(job: Job) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="karkhana-"))
    try:
        json.dump(measure(job, scratch), sys.stdout)
    finally:
        shutil.rmtree(str(scratch), ignore_errors=True)


def measure(job: Job, scratch: Path) -> Job:
    environment = dict(os.environ)
    (scratch / "karkhana_observer.py").write_text(OBSERVER, encoding="utf-8")
    if job["only"]:
        choice = {"only": job["only"], "seed": job["seed"]}
        (scratch / "choice").write_text(json.dumps(choice), encoding="utf-8")
    # A cache folder of our own instead of none: suites may name the cache's options in their configuration.
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    limited = any(Path(folder, "karkhana_limit.py").exists() for folder in folders)
    environment["KARKHANA_TEST_LIMIT_S"], environment["KARKHANA_TEST_CPU_S"] = "60", str(job["test_cpu_s"])
    addopts = ["-p karkhana_limit" if limited else "", environment.get("PYTEST_ADDOPTS", "")]
    addopts += ["-p karkhana_observer", "-o cache_dir=%s/cache" % scratch]  # noqa: UP031
    if job["cover"]:
        places = prepare_lines(job, scratch, environment)
        if importlib.util.find_spec("pytest_cov") is not None:
            addopts.append("--no-cov")
    environment["PYTEST_ADDOPTS"] = " ".join(part for part in addopts if part)
    environment["PYTHONPATH"] = os.pathsep.join([str(scratch)] + [p for p in [environment.get("PYTHONPATH")] if p])
    environment["KARKHANA_OBSERVED"] = str(scratch)
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
    answer = run(job, environment)
    answer["tests"] = read_tests(scratch)
    if job["cover"]:
        answer["coverage"] = read_lines(job, scratch, places)
    return answer


def run(job: Job, environment: Dict[str, str]) -> Job:  # noqa: UP006
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        job["command"],
        cwd=job["root"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    timed_out = False
    try:
        output, _ = process.communicate(timeout=job["timeout_s"])
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "exit_code": process.returncode,
        "timed_out": timed_out,
        "wall_s": time.monotonic() - started,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "output": output[-4000:].decode("utf-8", "replace"),
    }


def prepare_lines(job: Job, scratch: Path, environment: Dict[str, str]) -> Dict[str, Tuple[int, bytes]]:  # noqa: UP006
    """Have the lines of some files noted; returns where each file's begin in the map, and the file as it is now."""
    found, listed, size = {}, [], 0
    for path in job["cover"]:
        file = Path(job["root"]).resolve() / path
        if not file.is_file():
            continue  # a link to nowhere, or to a device: stays unmeasured
        data = file.read_bytes()
        found[path] = (size, data)
        listed += [str(size).encode(), os.fsencode(str(file.resolve()))]
        size += data.count(b"\n") + data.count(b"\r") + 2
    spans = [(found[path][0], a, b) for path, rows in job["reach"].items() if path in found for a, b in rows]
    wanted = [[at + a, at + b] for at, a, b in spans]
    (scratch / "files").write_bytes(b"\0".join(listed))
    (scratch / "map").write_bytes(bytes(2 * max(1, size)))
    (scratch / "wanted").write_text(json.dumps(wanted), encoding="utf-8")
    (scratch / "karkhana_lines.py").write_text(job["lines"], encoding="utf-8")
    (scratch / "sitecustomize.py").write_text("import karkhana_lines\nkarkhana_lines.begin()\n", encoding="utf-8")
    environment["KARKHANA_LINES"] = str(scratch)
    return found


def read_lines(job: Job, scratch: Path, places: Dict[str, Tuple[int, bytes]]) -> Optional[Job]:  # noqa: UP006, UP045
    if not (scratch / "begun").exists():
        return None  # no interpreter was started: the suite is of another kind, or never began
    lines = {"__name__": "karkhana_lines"}  # type: Dict[str, Any]
    exec(compile(job["lines"], "karkhana_lines", "exec"), lines)  # noqa: S102 - our own text, not a file that the suite could write
    ran = {n % (file.stat().st_size // 2) for file in scratch.glob("map*") for n in lines["numbers"](file.read_bytes())}
    tests = {}  # type: Dict[int, Dict[str, None]]
    for file in sorted(scratch.glob("reach-*")):
        for line in file.read_text().splitlines(True):
            if line.endswith("\n"):
                nodeid, numbers = json.loads(line)
                for number in numbers:
                    tests.setdefault(number, {})[nodeid] = None
    found = {}
    for path, (at, source) in places.items():
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue  # not parseable by this interpreter: stays unmeasured
        rest = owners(tree)
        first = dict(rest)
        statements = lines["statements"](tree)
        seen = {first.get(n, n) for n in statements | first.keys() if at + n in ran}
        names = {}  # type: Dict[int, Dict[str, None]]
        for line in statements | first.keys():
            names.setdefault(first.get(line, line), {}).update(tests.get(at + line, {}))
        reach = {str(line): sorted(rows) for line, rows in names.items() if rows}
        missing = sorted(statements - seen)
        found[path] = {"statements": sorted(statements), "missing": missing, "owners": rest, "reach": reach}
    return found


def owners(tree: ast.Module) -> List[Tuple[int, int]]:  # noqa: UP006
    """``(line, first line)`` for every further line of a statement, of which only the first is noted."""
    found = {}
    for node in ast.walk(tree):  # outer statements come before those in them, which overwrite their lines
        if isinstance(node, ast.stmt):
            for part in getattr(node, "decorator_list", []):
                found.update(dict.fromkeys(range(part.lineno, part.end_lineno + 1), part.lineno))
            found.update(dict.fromkeys(range(node.lineno, last_line(node) + 1), node.lineno))
    return sorted((line, first) for line, first in found.items() if line != first)


def last_line(node: ast.stmt) -> int:
    """Where a statement ends; for a compound one, where its head does."""
    body = [part.lineno for part in getattr(node, "body", [])]
    body += [case.pattern.lineno for case in getattr(node, "cases", [])]
    return max(node.lineno, body[0] - 1) if body else node.end_lineno or node.lineno


def read_tests(scratch: Path) -> List[List[Any]]:  # noqa: UP006
    phases: Dict[str, List[Tuple[str, str, float]]] = {}  # noqa: UP006
    for file in sorted(scratch.glob("tests-*")):
        for line in file.read_text().splitlines(True):
            if line.endswith("\n"):
                nodeid, when, outcome, duration = json.loads(line)
                phases.setdefault(nodeid, []).append((when, outcome, duration))
    return [[nodeid, judge(rows), sum(row[2] for row in rows)] for nodeid, rows in phases.items()]


def judge(rows: List[Tuple[str, str, float]]) -> str:  # noqa: UP006
    failed = {when for when, outcome, _ in rows if outcome == "failed"}
    if failed:
        return "failed" if failed == {"call"} else "error"
    if any(outcome == "skipped" for _, outcome, _ in rows):
        return "skipped"
    return "passed" if any(when == "call" for when, _, _ in rows) else "error"
