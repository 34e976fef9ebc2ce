"""Entry of the probes: ``python run.py spectrum|validate|observe < job.json``, answers as JSON lines.

The folder is imported as a package with a name of its own and taken off ``sys.path``, so no module of the
repository under study is shadowed by it. Standard output is moved to a private descriptor before anything of
the repository is imported: what its code prints cannot be mistaken for an answer.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from typing import Any

PACKAGE = "_karkhana_probes"


def private_stdout() -> Callable[[dict[str, Any]], None]:
    """A function that writes one JSON line to what was standard output when the probe started."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    owner = os.getpid()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 0)

    def emit(answer: dict[str, Any]) -> None:
        if os.getpid() == owner:
            answers.write(json.dumps(answer, separators=(",", ":")) + "\n")
            answers.flush()

    return emit


def load(name: str) -> Any:
    """Import the probe ``name`` from the folder of this file as part of the package ``PACKAGE``."""
    # __file__ is resolved before the working directory can change under us.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]  # noqa: PTH100
    root = os.getcwd()  # noqa: PTH109
    if root not in sys.path:
        sys.path.insert(0, root)
    location = os.path.join(here, "__init__.py")  # noqa: PTH118
    spec = importlib.util.spec_from_file_location(PACKAGE, location, submodule_search_locations=[here])
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return importlib.import_module(PACKAGE + "." + name)


def main() -> int:
    """Run the probe that the first argument names."""
    name = sys.argv[1]
    job = json.load(sys.stdin)
    emit = private_stdout()
    sys.argv[:] = ["pytest"]
    probe = load(name)
    probe.main(job, emit)
    return 0


if __name__ == "__main__":
    # Threads and atexit handlers of the repository must not hold the probe back once its answer is written.
    status = main()
    os._exit(status)
