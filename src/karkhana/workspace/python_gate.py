"""Refuses edits that break a Python file: new syntax errors, or names that are now undefined.

The file is compared before and after, so a file that is broken already may be edited as long as it gets no worse.
ruff reads both versions on its standard input, without any configuration of the target; nothing is imported or
run. Knows nothing of tools or workspaces.

>>> PythonGate().check("cart.py", b"total = 1\\n", b"total = 2\\n")
"""

import functools
import hashlib
import io
import json
import re
import shutil
import subprocess
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

import msgspec

from karkhana.domain.errors import InfrastructureFailure, ToolRefused

RULES = "E9,F7,F821,F822,F823"
"""Unreadable files, statements out of place, undefined names, undefined exports, locals used before assignment."""

TIME_LIMIT_S = 30.0
SHOWN = 5
_REMEMBERED = 256
_ENCODINGS = re.compile(r"utf-8(-sig)?|ascii|iso-8859-\d+|cp125\d|koi8-[ru]|euc-jp|shift_jis|gbk|big5", re.IGNORECASE)
# only decoders that take linear time, since the file chooses


class Problem(msgspec.Struct, frozen=True):
    """One complaint about a file."""

    syntax: bool
    message: str
    line: int


class PythonGate:
    """``version``: the target's Python as ``(major, minor)``; ruff's own default when absent."""

    def __init__(self, version: tuple[int, int] | None = None) -> None:
        self._version = version
        self._known: dict[tuple[str, str], tuple[Problem, ...]] = {}

    def check(self, path: str, before: bytes | None, after: bytes) -> None:
        """Raise ``ToolRefused`` when ``after`` is worse than ``before`` (``None``: a new file)."""
        if not path.endswith((".py", ".pyi")):
            return
        now = self._problems(path, after)
        if not now:
            return
        worse = tuple(_worse(self._problems(path, before) if before is not None else (), now))
        if worse:
            lines = [f"{path}:{p.line}: {p.message}" for p in worse[:SHOWN]]
            more = [f"and {len(worse) - SHOWN} more"] if len(worse) > SHOWN else []
            raise ToolRefused(
                "the edit was not made, because it would break the file:\n" + "\n".join([*lines, *more]),
                "define or import the name, or mend the syntax, in the same edit",
            )

    def _problems(self, path: str, content: bytes) -> tuple[Problem, ...]:
        key = (path, hashlib.sha256(content).hexdigest())
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = tuple(_inspect(path, content, self._version))
        return self._known[key]


def _worse(before: tuple[Problem, ...], now: tuple[Problem, ...]) -> Iterator[Problem]:
    broken_before = sum(p.syntax for p in before)
    broken_now = [p for p in now if p.syntax]
    if len(broken_now) > broken_before:
        yield from broken_now
    elif not broken_before:
        # while a file cannot be parsed its names are unknown, so mending the syntax may show old problems
        known = {p.message for p in before}
        yield from (p for p in now if p.message not in known)


def _inspect(path: str, content: bytes, version: tuple[int, int] | None) -> Iterator[Problem]:
    text = _text(content)
    if isinstance(text, Problem):
        yield text
        return
    name = "file.pyi" if path.endswith(".pyi") else "__init__.py" if path.endswith("__init__.py") else "file.py"
    target = ["--target-version", f"py{version[0]}{version[1]}"] if version else []
    argv = [_ruff(), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", "--output-format", "json"]
    try:
        done = subprocess.run(
            [*argv, "--select", RULES, *target, "--stdin-filename", name, "-"],
            input=text.encode(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            cwd="/",
            env={},
            check=False,
        )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError, OSError) as error:
        raise InfrastructureFailure(f"{path} could not be checked: {error}") from error
    for item in found:
        syntax = item["code"] in (None, "invalid-syntax", "E902", "E999")
        yield Problem(syntax, item["message"], item["location"]["row"] if item["location"] else 0)


def _text(content: bytes) -> str | Problem:
    """The source as text, in the encoding that it declares."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if not _ENCODINGS.fullmatch(encoding):
            return Problem(True, f"the encoding {encoding} is not supported here", 1)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        return Problem(True, str(error), 1)


@functools.cache
def _ruff() -> str:
    beside = Path(sysconfig.get_path("scripts"), "ruff")
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if found is None:
        raise InfrastructureFailure("ruff is not installed", "install Karkhana with its dependencies")
    return found
