"""Which lines run, and in which tests, without a tracer."""

import ast
import sys

import pytest
from quality_contexts import PYTEST

from karkhana.quality import suite
from karkhana.quality.probes import line_probe
from karkhana.quality.suite import LineCoverage
from karkhana.workspace.memory import TemporaryWorkspace

CODE = '''"""Documented."""
from __future__ import annotations

import enum


class Kind(enum.Enum):
    """Kinds."""

    ONE = 1


def ask(number):
    """Answer."""
    global LAST
    LAST = number
    try:
        return 1 // number
    except TypeError:
        return "no number"
    except ZeroDivisionError:
        return None
    finally:
        number = 0
'''


def covered(files: dict[str, str], command: tuple[str, ...] = PYTEST, path: str = "code.py") -> LineCoverage:
    with TemporaryWorkspace(files) as workspace:
        found = suite.measure(workspace, command, cover=(path,), reach={path: [(1, 99)]})
    assert found.coverage is not None, found.output
    return found.coverage[path]


def test_a_marked_program_is_the_same_program() -> None:
    plain: dict[str, object] = {"__name__": "plain"}
    marked: dict[str, object] = {"__name__": "plain"}
    tree = ast.parse(CODE)
    lines = line_probe.mark(tree, 0)
    seen = bytearray(100)
    marked |= {line_probe.LINES: seen, line_probe.SAW: seen.__setitem__}
    exec(compile(CODE, "code.py", "exec"), plain)
    exec(compile(tree, "code.py", "exec"), marked)
    for name in ("__doc__", "__annotations__"):
        assert plain.get(name) == marked.get(name)
    assert plain["ask"].__doc__ == marked["ask"].__doc__ == "Answer."
    assert [repr(one) for one in marked["Kind"]] == [repr(one) for one in plain["Kind"]]  # type: ignore[attr-defined]
    assert [marked["ask"](n) for n in (2, 0)] == [plain["ask"](n) for n in (2, 0)] == [0, None]  # type: ignore[operator]
    ran = {line for line in range(100) if seen[line]}
    # Two handlers were asked whether the error is theirs, and one answered; nobody asked "no number".
    assert lines - ran == {20}
    assert {19, 21, 22, 24} <= ran


def test_lines_are_told_by_the_test_that_ran_them() -> None:
    half, none = "def test_half():\n    assert ask(2) == 0\n", "def test_none():\n    assert ask(0) is None\n"
    tests = f"from code_ import ask\n\n\n{half}\n\n{none}"
    found = covered({"code_.py": CODE, "test_it.py": tests}, path="code_.py")
    assert found.missing == (20,)
    assert found.reach[18] == ("test_it.py::test_half", "test_it.py::test_none")
    assert found.reach[22] == ("test_it.py::test_none",)
    assert 4 not in found.reach, "imports run before any test"


def test_what_a_killed_child_did_counts() -> None:
    tests = (
        "import os, signal\nimport code_\n\n\ndef test_child():\n    pid = os.fork()\n    if pid == 0:\n"
        "        code_.ask(0)\n        os.kill(os.getpid(), signal.SIGKILL)\n    os.waitpid(pid, 0)\n"
    )
    found = covered({"code_.py": CODE, "test_it.py": tests}, path="code_.py")
    assert found.reach[22] == ("test_it.py::test_child",)


SCRIPT = "import sys\nif len(sys.argv) > 1:\n    print(\n        sys.argv[1]\n    )\nelse:\n    print('nothing')\n"


@pytest.mark.parametrize("arguments", ["", ", 'word'"])
def test_a_script_is_traced(arguments: str) -> None:
    tests = (
        "import subprocess, sys\n\n\ndef test_script():\n"
        f"    assert subprocess.run([sys.executable, 'code_.py'{arguments}]).returncode == 0\n"
    )
    found = covered({"code_.py": SCRIPT, "test_it.py": tests}, path="code_.py")
    assert found.missing == ((7,) if arguments else (3,))
    assert found.owners == ((4, 3), (5, 3))


def test_code_that_is_read_and_run_is_traced() -> None:
    tests = "def test_it():\n    exec(compile(open('code_.py').read(), 'code_.py', 'exec'), {'x': 1})\n"
    found = covered({"code_.py": "if x:\n    y = 1\nelse:\n    y = 2\n", "test_it.py": tests}, path="code_.py")
    assert found.missing == (4,)


def test_what_only_a_type_checker_reads_is_no_statement() -> None:
    text = (
        "from typing import TYPE_CHECKING, overload\nif TYPE_CHECKING:\n    import os\n\n\n"
        "@overload\ndef f(x: int) -> int: ...\ndef f(x):\n    return x\n"
    )
    assert line_probe.statements(ast.parse(text)) == {1, 8, 9}


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the statement is newer")
def test_cases_are_statements() -> None:
    text = "def f(x):\n    match x:\n        case 1:\n            return 2\n        case _:\n            return 3\n"
    tests = "from code_ import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
    assert covered({"code_.py": text, "test_it.py": tests}, path="code_.py").missing == (5, 6)


def test_a_file_that_the_tests_replace_is_judged_as_it_was() -> None:
    tests = "import os\nimport code_\n\n\ndef test_f():\n    os.remove('code_.py')\n    assert code_.ask(2) == 0\n"
    found = covered({"code_.py": CODE, "test_it.py": tests}, path="code_.py")
    assert found.missing == (19, 20, 21, 22)


def test_what_is_no_file_stays_unmeasured() -> None:
    with TemporaryWorkspace({"test_it.py": "def test_it():\n    pass\n"}) as workspace:
        workspace.run(("ln", "-s", "/dev/zero", "code_.py"))
        found = suite.measure(workspace, PYTEST, cover=("code_.py",), reach={"code_.py": [(1, 9)]})
    assert found.coverage == {}


def test_a_file_in_which_nothing_can_run_makes_nobody_trace() -> None:
    test = "import sys\nimport empty\nimport told\n\ndef test_it():\n    assert sys.gettrace() is None\n"
    files = {"empty.py": "", "told.py": '"""Documented."""\n', "test_it.py": test}
    with TemporaryWorkspace(files) as workspace:
        found = suite.measure(workspace, PYTEST, cover=("empty.py", "told.py"))
    assert [row.outcome for row in found.tests] == ["passed"], found.output
    assert found.coverage is not None
    assert [(file.percent, file.missing) for file in found.coverage.values()] == [(100.0, ()), (100.0, ())]
