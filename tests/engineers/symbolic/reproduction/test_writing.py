import ast

import pytest

from karkhana.engineers.symbolic.reproduction.claims import Claim
from karkhana.engineers.symbolic.reproduction.manner import manner
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.staging import Scene
from karkhana.engineers.symbolic.reproduction.trial import Outcome, Trial
from karkhana.engineers.symbolic.reproduction.writing import Manner, slug, write


def claim(subject: str, expected: str, setup: tuple[str, ...] = (), kind: str = "equal") -> Claim:
    trial = Trial(Scene(subject=subject, setup=setup), ("from shop import total",))
    outcome = Outcome(stage="done", repr="1", type="int")
    return Claim(kind=kind, trial=trial, outcome=outcome, expected=expected, score=1.0, now="gives 1")


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", '"""\nimport os\n', "a" * 500, "\x1b[31mred", "ß", "\\", 'x"""; y = """', ""]
)
def test_titles_do_no_harm(title: str) -> None:
    written = write([claim("total([1])", "2")], title, Manner(folder="tests"), Index())
    tree = ast.parse(written.text)
    assert [type(node).__name__ for node in tree.body] == ["Expr", "ImportFrom", "FunctionDef"]
    assert written.path.startswith("tests/test_ticket_")
    assert written.path.count("/") == 1
    assert len(written.path) < 90


def test_a_taken_name_is_not_overwritten() -> None:
    manner_ = Manner(folder="")
    path = write([claim("total([1])", "2")], "x", manner_, Index()).path
    assert write([claim("total([1])", "2")], "x", manner_, Index(), taken=[path]).path == "test_ticket_x_2.py"


def test_looking_is_left_out_and_doing_is_kept() -> None:
    setup = ("from shop import total", "x = [1]  # a list", "total(1)", "print(x)", "x.append(2)")
    text = write([claim("total(x)", "3", setup)], "t", Manner(folder=""), Index()).text
    assert "def test_t():\n    x = [1]\n    x.append(2)\n    assert total(x) == 3\n" in text


def test_strings_over_several_lines_stay_as_they_are() -> None:
    setup = ('x = """a\n  b\n"""',)
    text = write([claim("total(x)", "True", setup)], "t", Manner(folder=""), Index()).text
    assert '    x = """a\n  b\n"""\n    assert total(x) is True\n' in text


def test_exceptions() -> None:
    text = write([claim("total(None)", "ValueError", kind="raises")], "t", Manner(folder=""), Index()).text
    assert "import pytest\n" in text
    assert "    with pytest.raises(ValueError):\n        total(None)\n" in text


def test_an_existing_file_grows_before_its_main_part() -> None:
    existing = '"""Tests."""\n\nimport re\n\n\ndef test_t():\n    pass\n\n\nif __name__ == "__main__":\n    run()\n'
    way = Manner(folder="", append="test_a.py")
    written = write([claim("total([1])", "2")], "t", way, Index(), existing=existing)
    tree = ast.parse(written.text)
    kinds = [type(node).__name__ for node in tree.body]
    assert kinds == ["Expr", "Import", "ImportFrom", "FunctionDef", "FunctionDef", "If"]
    assert written.functions == ("test_t_again",)


@pytest.mark.parametrize(
    ("names", "command", "folder", "pattern", "append"),
    [
        (["tests/test_a.py::test_x", "tests/test_b.py::test_y"], "python -m pytest", "tests", "test_{}.py", ""),
        (["a_test.py::test_x"], "python -m pytest", "", "{}_test.py", ""),
        (["lib/tests.py::test_x"], "python -m pytest", "lib", "test_{}.py", ""),
        (["tests/test_a.py::test_x"], "pytest tests/test_a.py", "tests", "test_{}.py", "tests/test_a.py"),
        (["tests.test_b.Case.test_y"], "python -m unittest", "tests", "test_{}.py", ""),
    ],
)
def test_manners(names: list[str], command: str, folder: str, pattern: str, append: str) -> None:
    found = manner(names, tuple(command.split()), ["lib/b.py"])
    assert (found.folder, found.append) == (folder, append)
    assert found.append or found.pattern == pattern


def test_slugs_are_words() -> None:
    assert slug("Don't `../../etc` crash: total() ignores ß!") == "don_t_etc_crash_total_ignores"
    assert slug("??") == "ticket"
