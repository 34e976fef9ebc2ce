"""Where the next page of a list begins, as a text that clients hand back as they got it.

A cursor belongs to one list with its filters: it carries a check value over both, so that one that was made up, or
taken from another list, is noticed. It is no secret and gives no rights: what somebody may see is decided on each page.

>>> cursor = write("runs?status=failed", "run_1")
>>> read("runs?status=failed", cursor), read("runs?status=queued", cursor)
('run_1', None)
"""

import base64
import binascii
import hashlib

CHECKED = 9
"""Bytes of the check value."""
LONGEST = 512


def write(of: str, position: str) -> str:
    """The cursor of a place in the list ``of``."""
    return base64.urlsafe_b64encode(_check(of, position) + position.encode()).decode().rstrip("=")


def read(of: str, cursor: str) -> str | None:
    """The place; ``None`` when it is no cursor of this list."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = data[CHECKED:].decode()
    except (binascii.Error, ValueError):
        return None
    # also refuses other spellings of the same bytes
    return position if write(of, position) == cursor else None


def _check(of: str, position: str) -> bytes:
    return hashlib.sha256(b"karkhana cursor 1\0" + of.encode() + b"\0" + position.encode()).digest()[:CHECKED]
