"""Decorators that are missing."""

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.scene import Scene
from karkhana.engineers.symbolic.generation.source import FunctionView

MODULE = """\
class A:
    @recursive_repr()
    def __repr__(self):
        return repr(self.items)

    @staticmethod
    def made(n):
        return n


class B:
    def __repr__(self):
        return repr(self.items)

    def made(n):
        return n

    def __new__(cls):
        return object.__new__(cls)

    def size(self):
        return 3
"""


def changed(name: str, *, message: str = "") -> list[str]:
    """First lines of what the template makes of a method of ``B``."""
    lines = MODULE.splitlines(keepends=True)
    start = max(n for n, line in enumerate(lines) if f"def {name}(" in line)
    text = "".join(lines[start : start + 2])
    view = FunctionView(text, start + 1, module_text=MODULE, classes=("B",))
    failures = (Failure(type="TypeError", message=message),) if message else ()
    ideas = catalogue()["missing-decorator"].ideas(Scene(view, failures=failures, path="m.py"))
    return [apply(text, idea.edits).splitlines()[0].strip() for idea in ideas]


def test_what_functions_of_the_same_name_have() -> None:
    assert changed("__repr__") == ["@recursive_repr()"]


def test_a_method_without_self_is_static() -> None:
    assert changed("made") == ["@staticmethod"]


def test_python_itself_binds_some_methods() -> None:
    assert changed("__new__") == []


def test_a_property_only_when_the_failure_is_about_a_method() -> None:
    assert changed("size") == []
    assert changed("size", message="unsupported operand: 'method' and 'int'") == ["@property"]
