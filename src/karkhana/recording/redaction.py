"""Leaves secrets out of recorded requests: by the name of what holds them, and by their shape (``redaction.toml``).

Knows nothing of HAR or of servers.

>>> redaction = Redaction()
>>> redaction.header("Cookie", "sid=1; theme=dark")
'sid=[redacted]; theme=[redacted]'
>>> redaction.query("q=tea&access_token=abc")
'q=tea&access_token=%5Bredacted%5D'
>>> redaction.body("application/json", b'{"user": "ann", "password": "x"}')
'{"user": "ann", "password": "[redacted]"}'
"""

import json
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

_DEEPEST = 60
_PAIR = re.compile(r"([?&;#]([\w.~%+\[\]-]{1,100})=)[^&;#\s\"'<>]+")
"""A name and its value in the query of a URL, or behind its ``#``."""


class Redaction:
    """``names``: further names of headers, parameters and fields that hold secrets."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        rules = _rules()
        self.placeholder: str = rules["placeholder"]
        self._parts = tuple(_plain(name) for name in (*rules["names"], *names))
        # Of several words, however a field joins them: accessKey. A single one would then be found across two others.
        self._joined = tuple(part.replace("_", "") for part in self._parts if "_" in part)
        self._whole = frozenset(map(_plain, rules["whole"]))
        self._shapes = re.compile("|".join(rules["shapes"]))

    def is_secret(self, name: str) -> bool:
        """Whether what goes by this name is left out."""
        plain = _plain(name)
        if plain in self._whole or any(part in plain for part in self._parts):
            return True
        joined = plain.replace("_", "")
        return any(part in joined for part in self._joined)

    def header(self, name: str, value: str) -> str:
        """A header's value; of cookies the names are kept."""
        if name.lower() == "cookie":
            names = [pair.partition("=")[0].strip() for pair in value.split(";")]
            return "; ".join(f"{known}={self.placeholder}" for known in names if known)
        return self.placeholder if self.is_secret(name) else self.text(value)

    def query(self, query: str) -> str:
        """A query, or the body of a form."""
        pairs = parse_qsl(query, keep_blank_values=True)
        shown = [(name, self.placeholder if self.is_secret(name) else self.text(value)) for name, value in pairs]
        return query if shown == pairs else urlencode(shown)

    def body(self, kind: str, content: bytes) -> str | None:
        """The body of a request as text; ``None`` when it is of a kind in which secrets cannot be found."""
        if not content:
            return ""
        try:
            text = content.decode()
            if "json" in kind:
                shown = json.dumps(self._fields(json.loads(text), 0), ensure_ascii=False)
                shown.encode()  # half of a surrogate pair may be escaped in JSON, and is no text that a file can hold
                return shown
        except (ValueError, RecursionError):
            return None
        if "x-www-form-urlencoded" in kind:
            return self.query(text)
        return self.text(text) if kind.startswith("text/") else None

    def text(self, text: str) -> str:
        """Without what has the shape of a secret, nor what a URL in it has under the name of one."""
        return _PAIR.sub(self._pair, self._shapes.sub(self.placeholder, text))

    def _pair(self, found: re.Match[str]) -> str:
        return found[1] + self.placeholder if self.is_secret(unquote_plus(found[2])) else found[0]

    def _fields(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return self.placeholder
        if isinstance(value, dict):
            return {
                key: self.placeholder if self.is_secret(key) and inner is not None else self._fields(inner, depth + 1)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._fields(inner, depth + 1) for inner in value]
        if isinstance(value, int) and self._shapes.search(str(value)):
            return self.placeholder
        return self.text(value) if isinstance(value, str) else value


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("redaction.toml").read_text("utf-8"))
