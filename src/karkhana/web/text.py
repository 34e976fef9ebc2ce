"""Untrusted text for a page: what cannot be seen, or turns the order of what can be seen, becomes a visible mark.

Escaping is the templates' business; this is about what survives escaping: control characters, terminal colours, and
the bidirectional and zero-width characters of "Trojan Source" (CVE-2021-42574).

>>> visible("a\\x1b[31m" + chr(0x202E) + "b")
'a␛[31m⟦U+202E⟧b'
"""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """``text`` with a mark for each hidden character; line feeds and tabs stay."""
    return _HIDDEN.sub(_mark, text)


def _mark(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xDC80 <= code <= 0xDCFF:
        # a byte of a file that is not UTF-8
        return f"⟦{code - 0xDC00:02x}⟧"
    return f"⟦U+{code:04X}⟧"


def clipped(text: str, length: int) -> str:
    """At most so many characters, with an ellipsis when some are left out.

    >>> clipped("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"
