"""Make a process ready to be forked for collections: everything imported that is not the repository's.

Starting pytest and importing its plugins and the libraries that the tests use costs far more than collecting a few
files again; done once in the parent, each child finds it there. The repository's own modules stay out, so that a
child imports all of them anew, the changed one included. Knows modules; knows nothing of candidates.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

_SKIPPED = ("_pytest", "pytest", "__main__", "_karkhana_probes", "conftest", "sitecustomize", "usercustomize")


def warm_pytest() -> None:
    """Load pytest with its installed plugins, by a run in an empty folder that sees nothing of the repository."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        os.chdir(folder)
        try:
            pytest.main(["-q", "--noconftest", "-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider", folder])
        finally:
            os.chdir(here)


def foreign_modules(root: str) -> list[str]:
    """Names of the imported modules whose file lies outside ``root``, in the order of their import."""
    found: list[str] = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _SKIPPED:
            continue
        file = getattr(module, "__file__", None)
        if file is not None and not str(Path(str(file)).resolve()).startswith(root + "/"):
            found.append(name)
    return found


def import_all(names: list[str]) -> None:
    """Import what can be imported."""
    for name in names:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            # A library may refuse to be imported by itself, in any way; the children then import it as they need it.
            except BaseException:  # noqa: S112
                continue
