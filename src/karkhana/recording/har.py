"""A HAR file (version 1.2) that grows by one request at a time.

Only the status of answers is kept: a replay compares what two programs answer, and what users were told is theirs. The
file is written anew after some requests and at the end, and always whole. A file that cannot be written is told once in
the log and never stops the application.

Knows nothing of servers. Source: http://www.softwareishard.com/blog/har-12-spec/
"""

import atexit
import contextlib
import datetime
import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from karkhana.recording.redaction import Redaction

_log = logging.getLogger("karkhana.recording")


class HarFile:
    """Keeps the first ``most`` requests; ``names`` as in :class:`Redaction`. Safe to use from several threads."""

    def __init__(self, path: str | Path, *, most: int = 500, names: Sequence[str] = (), every: int = 25) -> None:
        self._path = Path(path)
        self._most = most
        self._every = every
        self._redaction = Redaction(names)
        self._entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._unwritten = 0
        self._failed = False
        atexit.register(self.close)

    @property
    def full(self) -> bool:
        return len(self._entries) >= self._most

    def add(
        self, method: str, path: str, query: str, *, headers: Sequence[tuple[str, str]], body: bytes, status: int
    ) -> None:
        """Keep one request, unless secrets cannot be found in its kind of body. ``status`` 0: not known."""
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        text = self._redaction.body(kind.lower(), body)
        if text is None or self.full:
            return
        shown = self._redaction.query(query)
        entry = {
            "startedDateTime": datetime.datetime.now(datetime.UTC).isoformat(),
            "time": 0,
            "request": {
                "method": method,
                "url": f"http://localhost{self._redaction.text(path)}" + (f"?{shown}" if shown else ""),
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [{"name": name, "value": self._redaction.header(name, value)} for name, value in headers],
                "queryString": [],
                "headersSize": -1,
                "bodySize": len(text.encode()),
                **({"postData": {"mimeType": kind, "text": text}} if text else {}),
            },
            "response": {
                "status": status,
                "statusText": "",
                "httpVersion": "HTTP/1.1",
                "cookies": [],
                "headers": [],
                "content": {"size": 0, "mimeType": ""},
                "redirectURL": "",
                "headersSize": -1,
                "bodySize": -1,
            },
            "cache": {},
            "timings": {"send": 0, "wait": 0, "receive": 0},
        }
        with self._lock:
            if not self.full:
                self._entries.append(entry)
                self._unwritten += 1
                if self._unwritten >= self._every or self.full:
                    self._write()

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            if self._unwritten:
                self._write()
        atexit.unregister(self.close)

    def _write(self) -> None:
        creator = {"name": "karkhana.recording", "version": "1"}
        text = json.dumps({"log": {"version": "1.2", "creator": creator, "entries": self._entries}}, indent=1)
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}.partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, "utf-8")
            partial.replace(self._path)
            self._unwritten = 0
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            if not self._failed:
                _log.warning("the recording %s cannot be written: %s", self._path, error)
            self._failed = True
