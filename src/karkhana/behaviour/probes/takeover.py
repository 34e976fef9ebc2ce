"""Take pytest over after collection, and run single tests without its report machinery.

Knows what a test is and how it failed; knows nothing of coverage or candidates.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import inspect
import os
import sys
import time
import traceback
import types
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from .forks import Overtime, cpu_limit

_MESSAGE_CHARS = 2000
_VALUE_CHARS = 120
_FRAMES = 8
_LOCALS = 40
_DROPPED = {"-q", "-qq", "-v", "-vv", "-vvv", "-x", "--exitfirst", "--lf", "--last-failed", "--ff", "--failed-first"}
_DROPPED_WITH_VALUE = ("--maxfail", "--junitxml", "--junit-xml", "--durations", "-n", "--numprocesses", "--tb", "-r")


class Verdict:
    """What one test did: ``passed``, ``failed``, ``error``, ``skipped`` or ``timeout``."""

    __slots__ = ("excinfo", "outcome", "seconds")

    def __init__(self, outcome: str, seconds: float, excinfo: BaseException | None = None) -> None:
        self.outcome = outcome
        self.seconds = seconds
        self.excinfo = excinfo


def arguments(given: list[str]) -> list[str]:
    """The arguments of the user's own command without what only shapes its report, plus what we need."""
    kept: list[str] = []
    skip = False
    for argument in given:
        if skip:
            skip = False
        elif argument in _DROPPED_WITH_VALUE:
            skip = True
        elif argument not in _DROPPED and not argument.startswith(tuple(o + "=" for o in _DROPPED_WITH_VALUE)):
            kept.append(argument)
    # -s: output goes to a descriptor that nobody reads, so there is nothing to capture for a report.
    ours = ["-s", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faulthandler"]
    if _loaded("pytest_cov"):
        ours.append("--no-cov")
    if _loaded("xdist"):
        ours += ["-n", "0"]
    return kept + ours


def _loaded(plugin: str) -> bool:
    """Whether pytest will load a plugin because it is installed."""
    return not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and importlib.util.find_spec(plugin) is not None


class _Plugin:
    def __init__(self, work: Callable[[pytest.Session], None]) -> None:
        self.work = work
        self.collect_errors: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        # A file that cannot be imported is told with its traceback; making one for each failing test would be dear.
        session.config.option.tbstyle = "short"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.option.tbstyle = "no"
        self.work(session)
        plugins = session.config.pluginmanager
        if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
            # it would load all of hypothesis for an empty summary: 0.7 s in each run that has no use for it
            plugins.unregister(name="hypothesispytest")
        return True

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.collect_errors.append({"id": report.nodeid, "message": str(report.longrepr)[-_MESSAGE_CHARS:]})


def take_over(given: list[str], work: Callable[[pytest.Session], None]) -> list[dict[str, Any]]:
    """Collect with pytest, call ``work(session)`` in place of the run; returns the collection errors."""
    plugin = _Plugin(work)
    if pytest.main(arguments(given), plugins=[plugin]) == pytest.ExitCode.USAGE_ERROR:
        # The repository's own configuration names options of plugins that are not installed: do without all of them.
        pytest.main([*arguments(given), "-o", "addopts="], plugins=[plugin])
    return plugin.collect_errors


class _Catcher:
    """Remembers the exception of the test that runs, which pytest's reports only keep as text."""

    def __init__(self) -> None:
        self.excinfo: BaseException | None = None

    def forget(self) -> None:
        self.excinfo = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> None:
        if call.excinfo is not None and self.excinfo is None:
            self.excinfo = call.excinfo.value


def _direct_parameters(item: Any) -> dict[str, Any] | None:
    """Arguments of a test that needs no fixture, so that it can be called as a plain function; else ``None``."""
    if type(item) is not pytest.Function or inspect.iscoroutinefunction(item.obj):
        return None
    if any(item.get_closest_marker(name) for name in ("skip", "skipif", "xfail")):
        return None
    callspec = getattr(item, "callspec", None)
    values: dict[str, Any] = {}
    if callspec is not None:
        values.update(getattr(callspec, "funcargs", None) or {})
        for name, value in callspec.params.items():
            definitions = item._fixtureinfo.name2fixturedefs.get(name) or ()
            if any(d.func.__name__ != "get_direct_param_fixture_func" for d in definitions):
                return None
            values[name] = value
    if set(item.fixturenames) - set(values):
        return None
    return {name: values[name] for name in item._fixtureinfo.argnames}


class Runner:
    """Runs collected tests, each as cheaply as it allows."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.items: dict[str, pytest.Item] = {}
        for item in session.items:
            self.items.setdefault(item.nodeid, item)
        self._catcher = _Catcher()
        session.config.pluginmanager.register(self._catcher)
        self._direct: dict[str, dict[str, Any] | None] = {}

    def run(self, name: str, limit_s: float, following: pytest.Item | None = None) -> Verdict:
        """Run one test with at most ``limit_s`` CPU seconds."""
        item: Any = self.items[name]
        if name not in self._direct:
            try:
                self._direct[name] = _direct_parameters(item)
            # pytest's internals differ between versions: whatever is unknown takes the long way.
            except Exception:
                self._direct[name] = None
        direct = self._direct[name]
        started = time.process_time()
        if direct is not None:
            outcome, caught = self._call(item, direct, limit_s)
        else:
            outcome, caught = self._protocol(item, limit_s, following)
        return Verdict(outcome, time.process_time() - started, caught)

    def _call(self, item: Any, parameters: dict[str, Any], limit_s: float) -> tuple[str, BaseException | None]:
        try:
            values = copy.deepcopy(parameters)
        # Data that cannot be copied is used as it is, like pytest would.
        except Exception:
            values = parameters
        try:
            with cpu_limit(limit_s):
                if item.cls is not None:
                    getattr(item.cls(), item.originalname)(**values)
                else:
                    item.obj(**values)
        except Overtime as error:
            return "timeout", error
        except pytest.skip.Exception as error:
            return "skipped", error
        # Anything that a test raises, SystemExit and KeyboardInterrupt included, is its failure.
        except BaseException as error:
            return "failed", error
        return "passed", None

    def _protocol(self, item: Any, limit_s: float, following: pytest.Item | None) -> tuple[str, BaseException | None]:
        self._catcher.forget()
        callspec = getattr(item, "callspec", None)
        parameters = callspec.params if callspec is not None else {}
        original = dict(parameters)
        # As above: data that cannot be copied is shared.
        with contextlib.suppress(Exception):
            parameters.update(copy.deepcopy(original))
        try:
            reports: list[Any] = []
            with cpu_limit(limit_s):
                reports = runtestprotocol(item, log=False, nextitem=following)
        except Overtime as error:
            return "timeout", error
        # Whatever leaves the runner, also a SystemExit of the code under test, is this test's outcome.
        except BaseException as error:
            return "error", error
        finally:
            parameters.update(original)
        caught = self._catcher.excinfo
        if isinstance(caught, Overtime):
            return "timeout", caught
        for report in reports:
            if report.failed:
                return ("failed" if report.when == "call" else "error"), caught
        if any(report.skipped for report in reports):
            return "skipped", caught
        return "passed", None


def describe(error: BaseException, root: str) -> dict[str, Any]:
    """An exception as data: type, message, and the frames inside ``root`` with their local variables."""
    inside = [(f, n) for f, n in traceback.walk_tb(error.__traceback__) if f.f_code.co_filename.startswith(root + "/")]
    if len(inside) > _FRAMES:
        inside = inside[:2] + inside[2 - _FRAMES :]
    frames = [
        {
            "path": frame.f_code.co_filename[len(root) + 1 :],
            "line": line,
            "function": frame.f_code.co_name,
            "locals": {k: _value(v) for k, v in list(frame.f_locals.items())[:_LOCALS] if not k.startswith("@")},
        }
        for frame, line in inside
    ]
    try:
        message = str(error)
    # The repository's exceptions may have a broken __str__.
    except Exception:
        message = ""
    return {
        "type": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__[1:-1]],
        "message": message[:_MESSAGE_CHARS],
        "frames": frames,
        "name": str(getattr(error, "name", "") or ""),
    }


def _value(value: Any) -> list[str]:
    kind = type(value).__name__
    if value is None or isinstance(value, (bool, int, float, str, bytes, list, tuple, dict, set, frozenset)):
        try:
            text = repr(value)
        # A container may hold objects with a broken __repr__.
        except Exception:
            text = ""
        return [kind, text[:_VALUE_CHARS]]
    if isinstance(value, (types.ModuleType, types.FunctionType, type)):
        return [kind, getattr(value, "__name__", "")]
    return [kind, ""]
