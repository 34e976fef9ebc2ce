"""Untrusted text, made fit to be shown: in a commit message, in a patch header, in Markdown.

Ticket text, model output and test output may hold terminal escapes, bidirectional overrides, forged trailers or
Markdown. Knows nothing of where the text comes from.

>>> clean("fix\\x1b[31m it\\u202e")
'fix[31m it'
"""

import re
import textwrap
import unicodedata

WIDTH = 72

_BIDI = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
_TRAILER = re.compile(
    r"(?i)(?:\w+(?:-\w+)+|from|date|subject|to|cc|bug|issue|fixes|closes|resolves|refs?|see|task|link)\s*[:=]"
    r"|\(cherry picked from"
)
_PATCH_START = re.compile(r"---|diff -|Index: |From |>+From ")


def clean(text: str) -> str:
    """Without control, bidirectional and unpaired surrogate characters; line feeds and tabs stay."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(
        c for c in unified if c in "\n\t" or (c not in _BIDI and unicodedata.category(c) not in ("Cc", "Cs"))
    )


def one_line(text: str, most: int) -> str:
    """The first line with anything on it, in at most ``most`` characters."""
    for line in clean(text).split("\n"):
        words = " ".join(line.split())
        if words:
            return words if len(words) <= most else words[: most - 1].rstrip() + "…"
    return ""


def paragraphs(text: str, most: int = 4000) -> str:
    """Wrapped for a commit message, so that no line is taken for a mail header, a trailer or the start of a patch."""
    wrapped = ["\n".join(_wrap(block)) for block in re.split(r"\n\s*\n", clean(text)[:most].strip())]
    return "\n\n".join(w for w in wrapped if w)


def _wrap(block: str) -> list[str]:
    lines = []
    for line in block.split("\n"):
        lines += textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f" {line}" if _TRAILER.match(line) or _PATCH_START.match(line) else line for line in lines]


def fenced(text: str, language: str = "") -> str:
    """A Markdown code block that nothing in ``text`` can close."""
    body = clean(text).rstrip("\n")
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def inline(text: str, most: int = 300) -> str:
    """Plain words for Markdown and table cells: every character that could mean something is escaped."""
    escaped = re.sub(r"([\\`*_{}\[\]()<>#+!|~&$-])", r"\\\1", one_line(text, most))
    return escaped.replace("@", "@\u200b")  # forges notify people wherever their name follows an @
