"""Which path suits a model: the free loop of tools, or one function at a time.

A name that states its size in billions of parameters decides; else the known families of ``capability.toml``; else the
room for a conversation. Knows names and numbers.

>>> is_weak("qwen2.5-coder-1.5b-instruct", 32_768), is_weak("claude-sonnet-4-5", 200_000)
(True, False)
"""

import functools
import re
import tomllib
from importlib import resources
from typing import Any

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b(?!\w)", re.IGNORECASE)


@functools.cache
def _data() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("capability.toml").read_text(encoding="utf-8"))


def billions(name: str) -> float | None:
    """Parameters that a model's name states, in billions; the largest of several.

    >>> billions("mixtral-8x7b"), billions("llama3.2:3b"), billions("gpt-4o")
    (None, 3.0, None)
    """
    found = [float(size) for size in _SIZE.findall(re.sub(r"[-_:]", " ", name))]
    return max(found, default=None)


def is_weak(name: str, context: int) -> bool:
    """Whether a model is better asked for one function at a time; ``context`` in tokens."""
    size = billions(name)
    if size is not None:
        return size < float(_data()["least_billions"])
    lower = name.lower()
    if any(word in lower for word in _data()["weak"]):
        return True
    return context < int(_data()["least_context"])
