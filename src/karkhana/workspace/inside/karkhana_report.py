"""A pytest plugin that tells the factory exactly what ran. Runs with the target's interpreter; standard library only.

It puts the exact node id on every test case of the JUnit report, writes a line for each thing that happens (so
that a hang or a crash still names the test that was running), restricts a run to chosen tests whatever command
started pytest, and stands in for the options of plugins that are not installed. It does nothing unless
``KARKHANA_REPORT`` names a folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

import pytest
from karkhana_progress import FOLDER, LONGEST, PROPERTY, Progress, chosen

OWNER = "KARKHANA_REPORT_OWNER"
STAND_INS: list[tuple[str, str, str]] = []


class Observer:
    """Registered in the process that writes the report."""

    def __init__(self, progress: Progress, notes: list[str]) -> None:
        self._status = -1
        self._seconds: dict[str, float] = {}
        self._progress = progress
        progress.add("begin", os.getpid())
        for note in notes:
            progress.add("note", note)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._progress.add("broken", report.nodeid, text_of(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._seconds[nodeid] = 0.0
        self._progress.add("start", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if report.when == "call" or report.outcome != "passed":
            text = "" if report.outcome == "passed" else text_of(report)
            self._progress.add("phase", report.nodeid, report.when, report.outcome, report.duration, text)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        # the JUnit report rounds to milliseconds
        self._progress.add("finish", nodeid, self._seconds.pop(nodeid, 0.0))

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        self._status = int(exitstatus)
        plugins = session.config.pluginmanager
        if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
            # it would load all of hypothesis for an empty summary: 0.7 s in each run that has no use for it
            plugins.unregister(name="hypothesispytest")

    def pytest_unconfigure(self) -> None:
        self._progress.add("end", self._status)


def text_of(report: Any) -> str:
    try:
        return str(report.longreprtext)[-LONGEST:]
    except Exception as error:  # the representation is made by code of the target
        return "(the failure could not be shown: %s)" % type(error).__name__


def pytest_addoption(parser: Any) -> None:
    """Accept the options of plugins that the target's configuration names but that are not installed."""
    if not FOLDER:
        return
    with open(os.path.join(os.path.dirname(__file__), "karkhana_plugins.json"), encoding="utf-8") as file:
        known = json.load(file)
    for module, plugin in known.items():
        if importlib.util.find_spec(module) is None:
            add_stand_ins(parser, plugin)


def add_stand_ins(parser: Any, plugin: dict[str, Any]) -> None:
    group = parser.getgroup("karkhana", "stand-ins for plugins that are not installed")
    for names, kind in [(n, k) for k in ("flag", "value", "optional") for n in plugin.get(k, ())]:
        how: dict[str, dict[str, Any]] = {
            "flag": {"action": "count"},
            "value": {"action": "append"},
            "optional": {"action": "append", "nargs": "?"},
        }
        # single-letter options are reserved for pytest itself in the public method
        add = group._addoption if any(len(name) == 2 for name in names.split()) else group.addoption
        dest = "karkhana_unused_" + names.split()[-1].strip("-").replace("-", "_")
        try:
            add(*names.split(), dest=dest, default=None, **how[kind])
        except ValueError:
            continue  # another plugin has the option
        STAND_INS.append((dest, names.split()[-1], plugin["distribution"]))
    for name in plugin.get("ini", ()):
        try:
            parser.addini(name, "of %s, which is not installed" % plugin["distribution"], default=None)
        except ValueError:
            continue


def pytest_configure(config: Any) -> None:
    if not FOLDER or hasattr(config, "workerinput"):
        return
    if os.environ.get(OWNER, str(os.getpid())) != str(os.getpid()):
        return  # a pytest that a test started
    os.environ[OWNER] = str(os.getpid())
    notes = [
        "option %s has no effect: %s is not installed" % (name, distribution)
        for dest, name, distribution in STAND_INS
        if getattr(config.option, dest, None) is not None
    ]
    config.pluginmanager.register(Observer(Progress(FOLDER), notes), "karkhana-observer")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    selection = chosen()
    if selection is None:
        return
    kept = [item for item in items if item.nodeid in selection]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in selection])
        items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: Any) -> None:
    if FOLDER and not any(name == PROPERTY for name, value in item.user_properties):
        item.user_properties.append((PROPERTY, json.dumps(item.nodeid)))
