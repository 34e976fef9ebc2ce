"""The gate ``public_api`` and the reading of interfaces."""

import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.quality.gates.public_api import PublicApi
from karkhana.quality.interfaces import breaks, interface


def check(before: dict[str, str], after: dict[str, str]) -> GateResult:
    with still_context(before, after) as context:
        return PublicApi().check(context)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("def f(): ...", "", "f() is gone"),
        ("class A: ...", "", "A is gone"),
        ("class A:\n    def m(self): ...", "class A:\n    pass", "A.m() is gone"),
        ("LIMIT = 3", "", "LIMIT is gone"),
        ("from .core import run", "", "run is gone"),
        ("def f(a, b): ...", "def f(a): ...", "f() lost its parameter b"),
        ("def f(a, b): ...", "def f(a, c): ...", "f() calls its parameter b now c"),
        ("def f(a, b): ...", "def f(b, a): ...", "f() takes a at another position"),
        ("def f(a, b): ...", "def f(a, *, b): ...", "f() no longer takes b by position"),
        ("def f(a): ...", "def f(a, /): ...", "f() no longer takes a by keyword"),
        ("def f(a): ...", "def f(a, b): ...", "f() has a new required parameter b"),
        ("def f(a): ...", "def f(a, *, b): ...", "f() has a new required parameter b"),
        ("def f(a=1): ...", "def f(a): ...", "f() now requires its parameter a"),
        ("def f(*, a): ...", "def f(): ...", "f() lost its parameter a"),
        ("def f(*args): ...", "def f(): ...", "f() no longer takes *args"),
        ("def f(**kw): ...", "def f(): ...", "f() no longer takes **kw"),
        ("def f(): ...", "async def f(): ...", "f() became asynchronous"),
        ("class A:\n    def m(self, a): ...", "class A:\n    def m(self): ...", "A.m() lost its parameter a"),
        ("class A:\n    def __init__(self): ...", "class A:\n    def __init__(self, x): ...", "A.__init__() has a new"),
        ("def f(): ...", "class f: ...", "f() was a function and is a class"),
        ("class A(B): ...", "class A: ...", "A is no longer a B"),
        ("class E(OSError): ...", "class E(ValueError): ...", "E is no longer a OSError"),
        ("class A:\n    @property\n    def x(self): ...", "class A:\n    def x(self): ...", "A.x has to be called now"),
        (
            "class A:\n    def x(self): ...",
            "class A:\n    @property\n    def x(self): ...",
            "A.x() is no longer called",
        ),
        ("class A:\n    def __init__(self):\n        self.x = 1", "class A:\n    pass", "A.x is gone"),
        ("@dataclass\nclass A:\n    x: int", "@dataclass\nclass A:\n    x: int\n    y: int", "A.__init__() has a new"),
        ("@dataclass\nclass A:\n    x: int = 1", "@dataclass\nclass A:\n    x: int", "A.__init__() now requires"),
    ],
)
def test_incompatible_changes(before: str, after: str, message: str) -> None:
    found = [b.message for b in breaks(before.encode(), after.encode())]
    assert found
    assert found[0].startswith(message)
    assert len(found) == (2 if "another position" in message else 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a): ...", "def f(a, b=1): ..."),
        ("def f(a): ...", "def f(a, *, b=1): ..."),
        ("def f(a): ...", "def f(a, *args, **kwargs): ..."),
        ("def f(a, b): ...", "def f(*args, **kwargs): ..."),
        ("def f(*, a): ...", "def f(a): ..."),
        ("def f(a, /): ...", "def f(b, /): ..."),
        ("def f(a): ...", "def f(a=1): ..."),
        ("class A:\n    def __init__(self, x): ...", "@dataclass\nclass A:\n    x: int"),
        ("def _f(a): ...", ""),
        ("class _A:\n    def m(self): ...", ""),
        ("class A:\n    def _m(self): ...", "class A: ..."),
        ("import os", ""),
        ("from os import path", ""),
        ("def f(): ...", "from .other import f"),
        ("def f(): ...", "f = make()"),
        ("class A:\n    @property\n    def x(self): ...", "class A:\n    x = 1"),
        ("class A:\n    @staticmethod\n    def m(a): ...", "class A:\n    @classmethod\n    def m(cls, a): ..."),
        ("__all__ = ['f']\ndef f(): ...\ndef g(): ...", "__all__ = ['f']\ndef f(): ..."),
        ("if x:\n    def f(): ...\nelse:\n    def f(): ...", "try:\n    def f(): ...\nexcept E:\n    f = None"),
        ("class E(Exception): ...", "class E(ValueError): ..."),
        ("class A(B): ...", "class A(C): ..."),
        ("class A(B): ...", "class C(B): ...\nclass A(C): ..."),
        ("class A(_B, Generic[T]): ...", "class A: ..."),
        ("class A:\n    def __init__(self):\n        self.x = 1", "class A(B):\n    pass"),
        ("class A:\n    def __init__(self):\n        self.x = self._y = 1", "class A:\n    x = 1"),
        ("@dataclass\nclass A:\n    x: int", "@dataclass\nclass A:\n    x: int\n    y: int = 0"),
        ("@dataclass\nclass A:\n    x: int", "@dataclass\nclass A:\n    x: int\n    y: int = field(init=False)"),
        ("@dataclass\nclass A:\n    x: int", "@dataclass\nclass A:\n    x: int\n    Y: ClassVar[int]"),
        ("@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef f(a): ...", "def f(a): ..."),
    ],
)
def test_compatible_changes(before: str, after: str) -> None:
    assert breaks(before.encode(), after.encode()) == []


def test_a_private_name_in_all_is_public() -> None:
    assert [b.message for b in breaks(b"__all__ = ['_f']\ndef _f(): ...", b"__all__ = []")] == ["_f() is gone"]


def test_newer_syntax_is_read() -> None:
    assert set(interface(b"type Pair[T] = tuple[T, T]\ndef f[T](x: T) -> T: ...\n")) == {"Pair", "f"}


def test_the_gate_names_the_place() -> None:
    result = check({"shop/cart.py": "\n\ndef f(a):\n    pass\n"}, {"shop/cart.py": "def f():\n    pass\n"})
    assert (result.status, result.hard) == (GateStatus.FAILED, False)
    assert [(f.path, f.line) for f in result.findings] == [("shop/cart.py", 1)]


def test_a_deleted_module_takes_its_names_along() -> None:
    assert check({"shop/cart.py": "def f(): ...\n"}, {}).measures["incompatible"] == 1


@pytest.mark.parametrize("path", ["shop/_cart.py", "_shop/cart.py", "tests/test_cart.py", "setup.py", "docs/conf.py"])
def test_private_modules_and_tests_have_no_interface(path: str) -> None:
    assert check({path: "def f(): ...\n"}, {path: "x = 1\n"}).status is GateStatus.PASSED


def test_what_cannot_be_parsed_is_unknown() -> None:
    result = check({"a.py": "print 'two'\n"}, {"a.py": "print('two')\n"})
    assert result.status is GateStatus.UNKNOWN


def test_moved_within_a_package_is_said() -> None:
    result = check({"a.py": "def f(): ...\n"}, {"b.py": "def f(): ...\n"})
    assert result.findings[0].message == "f() is gone"
