"""Which files are code, and which lines of them mean something. Knows nothing of commits.

>>> is_code("src/cart.py"), is_code("docs/cart.rst"), is_source("tests/test_cart.py")
(True, False, False)
>>> means_something("cart.py", "    # only a comment"), means_something("cart.py", "    return 1")
(False, True)
"""

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any

from karkhana.quality.paths import is_test

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w")


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    text = resources.files("karkhana.quality.history").joinpath("kinds_of_files.toml").read_text("utf-8")
    return tomllib.loads(text)


@lru_cache(maxsize=1)
def _comments() -> dict[str, tuple[str, ...]]:
    data = _data()
    return {
        suffix: tuple(data["families"][family]) for family, suffixes in data["suffixes"].items() for suffix in suffixes
    }


def _suffix(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()


def is_code(path: str) -> bool:
    """A file in a programming language, tests included."""
    return _suffix(path) in _comments()


@lru_cache(maxsize=65_536)
def is_source(path: str) -> bool:
    """Code that is no test: what users of the repository run."""
    return is_code(path) and not is_test(path)


def means_something(path: str, line: str) -> bool:
    """Whether a line of a file is more than white space, a comment or punctuation."""
    bare = line.strip()
    return bool(_WORD.search(bare)) and not bare.startswith(_comments().get(_suffix(path), ("#",)))


def squeezed(line: str) -> str:
    """A line by which moved and re-indented ones are recognised: without any white space and a closing comma."""
    return _SPACE.sub("", line).rstrip(",;")
