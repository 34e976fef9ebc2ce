"""The file that a weak model sees stays as the workspace has it, whatever the model does."""

from karkhana.domain.tools import EditFile, EditResult, FileText, ReadFile, RunTests, WriteFile
from karkhana.engineers.llm.sight import Sight

CODE = "def f(x):\n    if x:\n        return x\n    return x\n"
DONE = EditResult("a.py", "")


def test_only_lines_that_stand_in_the_file_once_can_be_named() -> None:
    assert Sight("a.py", CODE).lines == ["    if x:", "        return x"]
    assert Sight().lines == []


def test_an_edit_is_seen() -> None:
    sight = Sight("a.py", CODE)
    sight.saw(EditFile(path="a.py", old="    if x:", new="    if not x:"), DONE)
    assert "    if not x:" in sight.lines
    sight.saw(WriteFile(path="b.py", content="y = 1\n"), DONE)
    assert (sight.path, sight.lines) == ("b.py", ["y = 1"])
    sight.saw(ReadFile(path="a.py"), FileText("z = 1\n", 1))
    assert (sight.path, sight.lines) == ("a.py", ["z = 1"])
    sight.saw(RunTests(), None)
    assert sight.path == "a.py"


def test_a_file_that_is_no_longer_known_is_out_of_sight() -> None:
    sight = Sight("a.py", CODE)
    sight.saw(EditFile(path="a.py", old="if x:\nreturn x", new="return x"), DONE)
    assert sight.path == ""
