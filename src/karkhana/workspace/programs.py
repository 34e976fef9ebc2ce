"""The launcher and the guest in compiled form: they are run as programs, which Python compiles anew each time.

Compiled once into Karkhana's own folder, under a name that changes with the source and the interpreter.

>>> # compiled(home, "guest").name  ->  "guest-1f2e3d4c5b6a7988.pyc"
"""

import functools
import hashlib
import importlib.util
import os
import py_compile
from pathlib import Path


def compiled(home: Path, name: str) -> Path:
    """Path of the compiled ``name.py`` of this room."""
    source = Path(__file__).with_name(f"{name}.py")
    place = home / "programs" / f"{name}-{_digest(source)}.pyc"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = place.with_name(f"{place.name}-{os.getpid()}")
        py_compile.compile(
            str(source),
            cfile=str(partial),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        partial.chmod(0o644)  # the sandbox's user reads it
        partial.replace(place)
    return place


@functools.cache
def _digest(source: Path) -> str:
    return hashlib.sha256(importlib.util.MAGIC_NUMBER + source.read_bytes()).hexdigest()[:16]
