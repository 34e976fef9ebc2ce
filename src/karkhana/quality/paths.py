"""What the path of a file tells about it: a test, a document, a dependency list, a place to be careful with.

The patterns are data (``paths.toml``). Knows nothing of what the files hold.

>>> is_test("tests/test_cart.py"), is_test("src/cart.py")
(True, False)
"""

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    text = resources.files("karkhana.quality").joinpath("paths.toml").read_text("utf-8")
    return tomllib.loads(text)


def is_python(path: str) -> bool:
    """Python source, stubs included."""
    return path.endswith((".py", ".pyi"))


def is_test(path: str) -> bool:
    """A test or something only tests use."""
    return _matches(path, "tests")


def is_test_module(path: str) -> bool:
    """A Python file that a runner collects tests from or configures itself by."""
    name = path.rsplit("/", 1)[-1]
    return (
        is_test(path)
        and name.endswith(".py")
        and (name.startswith("test") or name.endswith("_test.py") or name == "conftest.py")
    )


def is_executable_kind(path: str) -> bool:
    """Whether a test could execute anything in a file of this kind."""
    return not _matches(path, "not_executable")


def is_public_module(path: str) -> bool:
    """A Python module whose names others may import: no part of its path starts with an underscore."""
    if not path.endswith(".py") or is_test(path) or _matches(path, "not_public"):
        return False
    parts = path[: -len(".py")].split("/")
    private = [p for p in parts if p.startswith("_") and p != "__init__"]
    return not private and parts[-1] != "__main__" and all(p.isidentifier() for p in parts[-1:])


def is_dependency_file(path: str) -> bool:
    """A file that says what else gets installed."""
    return _matches(path, "dependencies")


def protected_because(path: str) -> str | None:
    """Why a change of this file deserves a second look; ``None`` when it does not."""
    rule = _protection(path)
    return None if rule is None else str(rule["why"])


def is_guarded(path: str) -> bool:
    """Whether no change of this file goes ahead without a person."""
    rule = _protection(path)
    return rule is not None and bool(rule.get("guarded"))


def person_because(path: str, more: Sequence[str] = ()) -> str | None:
    """Why a person decides on every change of this file; ``None`` when its score may. ``more``: further patterns."""
    rule = _protection(path)
    if rule is not None and (rule.get("guarded") or rule.get("person")):
        return str(rule["why"])
    if more and _any(tuple(pattern.lower() for pattern in more)).match(path.lower()):
        return "the settings protect it"
    return None


def _protection(path: str) -> dict[str, Any] | None:
    rules: list[dict[str, Any]] = _data()["protected"]
    return next((rule for rule in rules if _any(tuple(rule["patterns"])).match(path.lower())), None)


def _matches(path: str, kind: str) -> bool:
    return _any(tuple(_data()[kind])).match(path.lower()) is not None


@lru_cache(maxsize=64)
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_translate(p)})" for p in patterns), re.DOTALL)


def _translate(pattern: str) -> str:
    out = ""
    for token in re.split(r"(\*\*/|\*\*|\*)", pattern):
        out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}.get(token, re.escape(token))
    return out + r"\Z"
