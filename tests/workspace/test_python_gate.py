import pytest

from karkhana.domain.errors import ToolRefused
from karkhana.workspace.python_gate import PythonGate

BROKEN = b"def f(:\n    return 1\n"


def refused(before: bytes | None, after: bytes, path: str = "a.py", gate: PythonGate | None = None) -> str:
    with pytest.raises(ToolRefused) as caught:
        (gate or PythonGate()).check(path, before, after)
    return caught.value.message


def accepted(before: bytes | None, after: bytes, path: str = "a.py", gate: PythonGate | None = None) -> None:
    (gate or PythonGate()).check(path, before, after)


def test_new_syntax_errors_are_refused_with_their_line() -> None:
    assert "a.py:1:" in refused(b"x = 1\n", BROKEN)
    assert "a.py:" in refused(None, b"x = 1\ny = (\n")


def test_newly_undefined_names_are_refused() -> None:
    assert "Undefined name `z`" in refused(b"x = 1\n", b"x = z\n")
    assert "`os`" in refused(b"import os\nx = os.sep\n", b"x = os.sep\n")
    assert "f" in refused(b"def f(): pass\n__all__ = ['f']\n", b"__all__ = ['f']\n")
    assert "Local variable `x`" in refused(b"x = 1\n", b"x = 1\ndef f():\n    print(x)\n    x = 2\n")


def test_statements_out_of_place_are_refused() -> None:
    assert "a.py:1" in refused(b"x = 1\n", b"return 1\n")


def test_names_that_were_undefined_already_are_let_be() -> None:
    accepted(b"x = _('a')\n", b"x = _('a')\ny = _('b')\n")
    assert "`q`" in refused(b"x = _('a')\n", b"x = _('a') + q\n")


def test_a_broken_file_may_be_edited_when_it_gets_no_worse() -> None:
    accepted(BROKEN, BROKEN + b"x = 1\n")
    accepted(BROKEN, b"def f():\n    return missing\n")
    assert refused(BROKEN, BROKEN + b"class (:\n")


def test_only_python_is_looked_at() -> None:
    accepted(None, b"def f(:", path="notes.txt")
    accepted(None, b"def f(self) -> Later: ...\nclass Later: ...\n", path="a.pyi")


def test_the_version_of_the_target_counts() -> None:
    newer = b"match 1:\n    case 1: pass\n"
    accepted(b"", newer, gate=PythonGate((3, 11)))
    assert "match" in refused(b"", newer, gate=PythonGate((3, 8)))


def test_marked_lines_are_respected_and_configuration_is_not_read() -> None:
    accepted(b"x = 1\n", b"x = later  # noqa: F821\n")


@pytest.mark.parametrize("name", ["-", "--config=x.py", "a b.py", "ä.py", "sub/__init__.py"])
def test_odd_file_names_are_only_names(name: str) -> None:
    accepted(b"x = 1\n", b"x = 2\n", path=name)
    if name.endswith(".py"):
        assert refused(b"x = 1\n", b"x = z\n", path=name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "a.py:1: invalid"),
        (b"x = '\xe9'\n", "a.py:1: invalid"),
        (b"# coding: punycode\nx = 1\n", "punycode is not supported"),
        (b"# coding: nonsense\nx = 1\n", "unknown encoding"),
        (b"x = 1\0\n", "a.py:1"),
    ],
)
def test_bytes_that_are_no_source_are_refused(content: bytes, reason: str) -> None:
    assert reason in refused(b"x = 1\n", content)


def test_a_declared_encoding_is_used() -> None:
    accepted(b"x = 1\n", b"# coding: latin-1\nx = '\xe9'\n")


def test_many_problems_are_summed_up() -> None:
    text = refused(b"", b"".join(b"x%d = y%d\n" % (n, n) for n in range(9)))
    assert text.endswith("and 4 more")
