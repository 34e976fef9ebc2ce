"""How the command line speaks: results on stdout, progress and errors on stderr.

``--json`` prints exactly one JSON object; colours follow NO_COLOR and the terminal.
"""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from karkhana.domain.errors import KarkhanaError

_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")


def print_json(value: Any) -> None:
    """One JSON object (or array) and a newline on stdout."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Names and patches of files that are not UTF-8; `runs diff` and `runs replay` print their exact bytes.
        encoded = json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")
    # JSON escapes only the control characters below 32, and a terminal obeys these others too
    encoded = _CONTROLS.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), encoded)
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.buffer.flush()


def print_json_line(value: Any) -> None:
    """One line of an NDJSON stream."""
    print_json(value)


def progress_line(text: str) -> None:
    """What goes on, on stderr."""
    sys.stderr.write(f"{visible(text)}\n")


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


def print_patch(text: str) -> None:
    """A patch: its exact bytes for a program, without control characters on a terminal, which they could drive."""
    shown = visible(text) if sys.stdout.isatty() else text
    sys.stdout.buffer.write(shown.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; the last one is cut to the terminal's width when there is a terminal."""
    cells = [[visible(cell).replace("\n", " ").replace("\t", " ") for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        sys.stdout.write(text[:limit] + "\n")
