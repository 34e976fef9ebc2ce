"""How the command line speaks: results on stdout, progress and errors on stderr.

``--json`` prints exactly one JSON object; colours follow NO_COLOR and the terminal.
"""

import sys
from typing import Any

import msgspec

from karkhana.domain.errors import KarkhanaError


def print_json(value: Any) -> None:
    """One JSON object (or array) and a newline on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_json_line(value: Any) -> None:
    """One line of an NDJSON stream."""
    print_json(value)


def print_error(error: KarkhanaError, *, as_json: bool) -> None:
    """What went wrong and the next step; never a traceback."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "next": error.next}})
    sys.stderr.write(f"error: {visible(error.message)}\n")
    if error.next:
        sys.stderr.write(f"hint: {visible(error.next)}\n")


def visible(text: str) -> str:
    """``text`` without control characters, so that untrusted text cannot drive the terminal."""
    return "".join(c if c in "\n\t" or (c.isprintable()) else f"\\x{ord(c):02x}" for c in text)
