"""How and where a repository keeps its tests, from the names of the tests that its suite ran. Runs nothing.

>>> manner(["tests/test_cart.py::test_total"], ("python", "-m", "pytest"), ["shop/cart.py"]).folder
'tests'
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from karkhana.behaviour.running import pytest_arguments
from karkhana.engineers.symbolic.reproduction.writing import Manner


def test_files(names: Sequence[str]) -> list[str]:
    """Files that tests stand in, most tests first."""
    counts = Counter(_file(name) for name in names)
    return [path for path, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if path]


def _file(name: str) -> str:
    path = name.split("::", 1)[0]
    if path.endswith(".py"):
        return path
    # unittest: package.module.Class.test
    parts = name.split(".")
    upper = next((n for n, part in enumerate(parts) if part[:1].isupper()), 0)
    return "/".join(parts[:upper]) + ".py" if upper else ""


def closest(files: Sequence[str], sources: Sequence[str]) -> str:
    """The test file that belongs to the first of ``sources`` by its name, else the one with most tests."""
    for source in sources:
        pure = PurePosixPath(source)
        stem = pure.parent.name if pure.stem == "__init__" else pure.stem
        for wanted in (f"test_{stem}", f"{stem}_test", f"test{stem}", f"{stem}_tests"):
            for path in files:
                if PurePosixPath(path).stem.lower() == wanted.lower():
                    return path
    return files[0] if files else ""


def manner(names: Sequence[str], command: tuple[str, ...], sources: Sequence[str]) -> Manner:
    """Where a new test goes. ``sources`` are the files under test."""
    files = test_files(names)
    near = closest(files, sources)
    folder = str(PurePosixPath(near).parent) if near else ""
    folder = "" if folder == "." else folder
    stem = PurePosixPath(near).stem
    unittest = "unittest" in command
    words = [] if unittest else [w for w in pytest_arguments(command) if w[0] != "-" and "=" not in w]
    only_files = [w for w in words if w.split("::")[0].endswith(".py")]
    if near and (only_files or not (stem.startswith("test") or stem.endswith("_test"))):
        return Manner(folder=folder, append=near, unittest=unittest)
    return Manner(folder=folder or ("" if files else "tests"), pattern=_pattern(stem), unittest=unittest)


def _pattern(stem: str) -> str:
    if stem.endswith("_test") and not stem.startswith("test"):
        return "{}_test.py"
    return "test_{}.py"
