"""Lists files, or lines that match, below the working directory. A JSON job on stdin, a JSON answer on stdout.

A list of jobs is answered by a list, each by a process of its own.

Runs with the target's interpreter; standard library only. Never follows symbolic links, opens regular files only.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from typing import Any

SKIPPED = (".git", "__pycache__", ".pytest_cache")


def files(name: str) -> list[str]:
    """Paths that match, sorted, folder by folder."""
    matches = re.compile(name, re.DOTALL).fullmatch
    found: list[str] = []
    for folder, folders, names in os.walk("."):
        folders[:] = [f for f in folders if f not in SKIPPED]
        prefix = "" if folder == "." else folder[2:] + "/"
        found.extend(prefix + n for n in names if n != ".git" and matches(prefix + n))
    found.sort()
    return found


def regular(path: str, largest: int) -> bytes | None:
    """The bytes of a regular file that is not too large, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            return None
        return file.read(largest)


def lines(job: dict[str, Any]) -> list[list[Any]]:
    """At most limit + 1 matches."""
    search = re.compile(job["pattern"]).search
    found: list[list[Any]] = []
    for path in files(job["name"]):
        data = regular(path, job["file_max"])
        if data is None or b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            if search(line.rstrip("\r")):
                found.append([path, number, line.rstrip("\r")[: job["line_max"]]])
                if len(found) > job["limit"]:
                    return found
    return found


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """What one job asks for."""
    found: list[Any] = lines(job) if "pattern" in job else files(job["name"])
    kept = found[: job["limit"]]
    return {"matches" if "pattern" in job else "paths": kept, "truncated": len(found) > len(kept)}


def started(job: dict[str, Any]) -> int:
    """Where a process of its own will write the answer."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as output:
            json.dump(answer(job), output)
        # without what the interpreter does at its end, which is the first process's to do
        os._exit(0)
    os.close(writing)
    return reading


def collected(reading: int) -> Any:
    """The answer; None if the process did not end well."""
    with os.fdopen(reading, "rb") as file:
        written = file.read()
    os.wait()  # so that its time counts
    try:
        return json.loads(written)
    except ValueError:
        return None


def main() -> None:
    wanted = json.load(sys.stdin)
    if isinstance(wanted, list):
        json.dump([collected(reading) for reading in [started(job) for job in wanted]], sys.stdout)
    else:
        json.dump(answer(wanted), sys.stdout)


main()
