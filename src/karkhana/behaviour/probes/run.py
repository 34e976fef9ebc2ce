"""Entry of the probes: ``python run.py spectrum|validate|observe < job.json``, answers as marked JSON lines.

Three things keep the repository's code from speaking in the probe's name. What this file imports comes from the
interpreter's own folders, never from the repository, whatever ``PYTHONPATH`` says. This process only waits and passes
answers on; the probe works in a child, which has no standard output and does not know the job's marker. And each line
of the child must carry the marker of its pipe (see ``forks``).

The folder is imported as a package with a name of its own and taken off ``sys.path``, so no module of the
repository under study is shadowed by it.
"""

from __future__ import annotations

import sys

_GIVEN = list(sys.path)
sys.path[:] = [entry for entry in sys.path if entry.startswith((sys.prefix, sys.base_prefix, sys.exec_prefix))]

import importlib  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

PACKAGE = "_karkhana_probes"
_IDLE_S = 1e7
"""The child is left to work: its own limits, and in the end the sandbox's, bound it."""


def private_stdout(marker: str) -> Callable[[dict[str, Any]], None]:
    """A function that writes one marked JSON line to what was standard output when the probe started."""
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 0)
    held = [marker]

    def forget() -> None:
        if held:
            held.clear()
            os.close(answers)

    os.register_at_fork(after_in_child=forget)

    def emit(answer: dict[str, Any]) -> None:
        # A line of its own, whatever else was written to the same place.
        data = f"\n{held[0]}{json.dumps(answer, separators=(',', ':'))}\n".encode()
        while data:
            data = data[os.write(answers, data) :]

    return emit


def load(name: str) -> Any:
    """Import the probe ``name`` from the folder of this file as part of the package ``PACKAGE``."""
    # __file__ is resolved before the working directory can change under us.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    location = os.path.join(here, "__init__.py")  # noqa: PTH118
    if PACKAGE not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACKAGE, location, submodule_search_locations=[here])
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        spec.loader.exec_module(package)
    return importlib.import_module(PACKAGE + "." + name)


def open_path() -> None:
    """Let the repository's modules be imported, and nothing of this folder by its bare name."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [entry for entry in _GIVEN if os.path.abspath(entry or os.curdir) != here]  # noqa: PTH100
    root = os.getcwd()  # noqa: PTH109
    if root not in sys.path:
        sys.path.insert(0, root)


def main() -> int:
    """Run the probe that the first argument names."""
    name = sys.argv[1]
    job = json.load(sys.stdin)
    emit = private_stdout(job.pop("marker"))
    forked = load("forks").forked
    sys.argv[:] = ["pytest"]

    def work(send: Callable[[Any], None]) -> None:
        open_path()
        load(name).main(job, send)

    state = forked(work, emit, _IDLE_S, confined=False)
    return 0 if state == "done" else 70


if __name__ == "__main__":
    # Threads and atexit handlers of the repository must not hold the probe back once its answer is written.
    status = main()
    os._exit(status)
