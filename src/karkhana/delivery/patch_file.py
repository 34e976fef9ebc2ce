"""A change as a file that ``git am`` takes, or ``git apply``: one message of an mbox.

The bytes of the patch go in as they are, so binary files and any encoding survive. Knows nothing of where the
file is written to.

    Path("fix.patch").write_bytes(patch_file(change, message, commit=receipt.commit, at=1_700_000_000))
"""

import base64
from email.header import Header
from email.utils import formatdate

from karkhana.domain.changes import Change
from karkhana.git.scratch import AUTHOR

_ZERO = "0" * 40
_MAGIC_DATE = "Mon Sep 17 00:00:00 2001"
"""The date that format-patch puts into every separator, by which tools know such a file."""


def patch_file(change: Change, message: str, *, at: int, commit: str = _ZERO, author: str = AUTHOR) -> bytes:
    """The whole file. ``message``: as committed; ``at``: seconds since the epoch; ``author``: ``Name <address>``.

    The message's own lines never end it early: :func:`karkhana.delivery.message.commit_message` sees to that.
    """
    subject, _, body = message.partition("\n")
    name, _, address = author.rpartition(" ")
    content = (
        body.strip("\n").encode("utf-8", "surrogateescape") + b"\n---\n\n" + _raw(change.patch) + b"-- \nkarkhana\n"
    )
    # git am drops the CR of CRLF lines that are not encoded
    encoding, content = ("base64", base64.encodebytes(content)) if b"\r" in content else ("8bit", content)
    headers = [
        f"From {commit} {_MAGIC_DATE}",
        f"From: {_encoded(name)} {address}",
        f"Date: {formatdate(at, localtime=False)}",
        f"Subject: [PATCH] {_encoded(subject)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return "\n".join([*headers, "", ""]).encode("utf-8", "surrogateescape") + content


def _raw(patch: str) -> bytes:
    content = patch.encode("utf-8", "surrogateescape")
    return content if content.endswith(b"\n") or not content else content + b"\n"


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=70).encode(linesep="\n")
