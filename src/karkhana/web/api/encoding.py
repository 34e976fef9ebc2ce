"""Values of the contract as JSON."""

import json
from typing import Any

import msgspec


def encoded(value: Any) -> bytes:
    """JSON; what is no UTF-8 in names and patches of files becomes a question mark.

    >>> encoded({"path": "caf\\udce9"})
    b'{"path": "caf?"}'
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")
