"""What the reports of pytest and unittest share. Runs with the target's interpreter; standard library only.

Progress lines: ``["begin", pid]``, ``["note", text]``, ``["broken", nodeid, text]`` (collection failed),
``["start", nodeid]``, ``["phase", nodeid, when, outcome, seconds, text]``, ``["finish", nodeid, seconds]``,
``["end", exit status]``.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from typing import Any

PROPERTY = "karkhana_nodeid"
LONGEST = 20000
FOLDER = os.environ.get("KARKHANA_REPORT", "")


def chosen() -> frozenset[str] | None:
    """The names that the run is restricted to, or None."""
    packed = os.environ.get("KARKHANA_SELECT")
    if not packed:
        return None
    return frozenset(json.loads(zlib.decompress(base64.b64decode(packed)).decode("utf-8", "surrogatepass")))


class Progress:
    """Appends one JSON line per happening; opened anew each time, since tests may close descriptors."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._path = os.path.join(folder, "progress")
        self._pid = os.getpid()

    def add(self, *what: Any) -> None:
        if os.getpid() != self._pid:
            return
        line = json.dumps(what).encode("ascii") + b"\n"
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError:
            return
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
