"""Runs a test command and says, per test, how it ended and how long it took; with coverage on request.

A program for the sandbox: standard library only (and ``coverage`` when asked for), run by the target's own
interpreter, read from standard input. It prints one JSON object. Everything it prints is as untrustworthy as
the code it ran. Knows nothing of the factory.

    main({"command": ["python", "-m", "pytest"], "root": "/workspace", "cover": ["cart.py"],
          "reach": {"cart.py": [[10, 20]]}, "only": [], "seed": 0, "timeout_s": 60, "test_cpu_s": 10.0})
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
import json, os, random
import pytest
if os.environ.get("COVERAGE_PROCESS_START"):
    import coverage

class _Reach:
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        tracer = coverage.Coverage.current()
        if tracer is not None:
            tracer.switch_context(item.nodeid)
        yield
        if tracer is not None:
            tracer.switch_context("")

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
    if target and os.environ.get("COVERAGE_PROCESS_START"):
        config.pluginmanager.register(_Reach(), "karkhana-reach")
    if target and not hasattr(config, "workerinput"):
        stream = open(os.path.join(target, "tests-%d" % os.getpid()), "w")
        config.pluginmanager.register(_Observer(stream), "karkhana-observer")
        config.add_cleanup(stream.close)
"""

COVERAGE_RC = """
[run]
branch = False
parallel = True
data_file = {data}
include =
    {include}
disable_warnings = no-data-collected, module-not-imported, module-not-measured, couldnt-parse, trace-changed
[report]
exclude_lines =
    if (typing\\.)?TYPE_CHECKING:
    @(typing\\.)?overload
"""

GLOB = set("*?[]{},\n#;%$")


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
    places = environment.get("PYTHONPATH", "").split(os.pathsep)
    limited = any(Path(place, "karkhana_limit.py").exists() for place in places)
    environment["KARKHANA_TEST_LIMIT_S"], environment["KARKHANA_TEST_CPU_S"] = "60", str(job["test_cpu_s"])
    addopts = ["-p karkhana_limit" if limited else "", environment.get("PYTEST_ADDOPTS", "")]
    addopts += ["-p karkhana_observer", "-o cache_dir=%s/cache" % scratch]  # noqa: UP031
    if job["cover"]:
        prepare_coverage(job, scratch, environment)
        if importlib.util.find_spec("pytest_cov") is not None:
            addopts.append("--no-cov")
    environment["PYTEST_ADDOPTS"] = " ".join(part for part in addopts if part)
    environment["PYTHONPATH"] = os.pathsep.join([str(scratch)] + [p for p in [environment.get("PYTHONPATH")] if p])
    environment["KARKHANA_OBSERVED"] = str(scratch)
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
    answer = run(job, environment)
    answer["tests"] = read_tests(scratch)
    if job["cover"]:
        answer["coverage"] = read_coverage(job, scratch)
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


def prepare_coverage(job: Job, scratch: Path, environment: Dict[str, str]) -> None:  # noqa: UP006
    root = Path(job["root"]).resolve()
    paths = [str(root / path) for path in job["cover"]]
    if any(GLOB & set(path) for path in paths):
        paths = [str(root / "*")]
    settings = COVERAGE_RC.format(data=scratch / "data", include="\n    ".join(paths))
    (scratch / "coverage.rc").write_text(settings, encoding="utf-8", errors="surrogateescape")
    (scratch / "sitecustomize.py").write_text("import coverage\ncoverage.process_startup()\n", encoding="utf-8")
    environment["COVERAGE_PROCESS_START"] = str(scratch / "coverage.rc")


def read_coverage(job: Job, scratch: Path) -> Optional[Job]:  # noqa: UP045
    import coverage

    measured = coverage.Coverage(config_file=str(scratch / "coverage.rc"))
    try:
        measured.combine(strict=True)
    except coverage.CoverageException:
        return None  # no process wrote any data: nothing was imported, or the suite never started
    found = {}
    for path in job["cover"]:
        file = str(Path(job["root"]).resolve() / path)
        try:
            _, statements, _, missing, _ = measured.analysis2(file)
        except coverage.CoverageException:
            continue  # not parseable by this interpreter: stays unmeasured
        found[path] = {"statements": statements, "missing": missing, "owners": owners(job, path)}
        found[path]["reach"] = reach(measured.get_data(), file, job["reach"].get(path, []))
    return found


def reach(data: Any, file: str, spans: List[Tuple[int, int]]) -> Dict[str, List[str]]:  # noqa: UP006
    """Line → the tests that ran it, for the lines in ``spans``."""
    lines = data.contexts_by_lineno(file) if spans else {}
    inside = {line: tests for line, tests in lines.items() if any(a <= line <= b for a, b in spans)}
    return {str(line): sorted(set(tests) - {""}) for line, tests in inside.items()}


def owners(job: Job, path: str) -> List[Tuple[int, int]]:  # noqa: UP006
    """``(line, first line)`` for every further line of a statement: coverage knows only the first."""
    tree = ast.parse((Path(job["root"]) / path).read_bytes())
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
