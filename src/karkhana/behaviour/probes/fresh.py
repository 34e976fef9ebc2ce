"""A changed file in place of the one on disk, for a process that has not imported it yet.

Knows files and imports; knows nothing of tests.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KEPT = ("_pytest", "pytest", "pluggy", "__main__", "_karkhana_probes")
"""Packages that run the tests."""


def edited_file(root: str, target: dict[str, Any], edits: list[list[Any]]) -> tuple[str, str]:
    """The resolved path of a target's file, and its text with edits of the target carried out."""
    path = str(Path(root, target["path"]).resolve())
    text: str = target["text"]
    for start, end, replacement in sorted(edits, reverse=True, key=lambda e: (e[0], e[1])):
        text = text[:start] + replacement + text[end:]
    if target["name"]:
        lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
        text = "".join(lines[: target["start"] - 1]) + text + "".join(lines[target["end"] :])
    return path, text


def overlay(root: str, path: str, text: str) -> None:
    """Make this process import ``text`` where it would import the file at ``path``, and all of ``root`` anew."""
    overlay_all(root, {path: text})


def overlay_all(root: str, texts: Mapping[str, str]) -> None:
    """As :func:`overlay`, for several files: resolved path → text."""
    loader: Any = importlib.machinery.SourceFileLoader
    original = loader.get_code

    def get_code(self: Any, fullname: str) -> Any:
        path = str(Path(self.get_filename(fullname)).resolve())
        if path in texts:
            return compile(texts[path], path, "exec", dont_inherit=True)
        return original(self, fullname)

    loader.get_code = get_code
    # The repository may be a library that pytest or a plugin needs: all that imported the old file is out of date.
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and name.partition(".")[0] not in _KEPT and _is_own(root, str(file)):
            del sys.modules[name]


def _is_own(root: str, file: str) -> bool:
    path = str(Path(file).resolve())
    return path.startswith(root + "/") and "/site-packages/" not in path
