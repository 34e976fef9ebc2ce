import pytest

from karkhana.engineers.symbolic.reproduction.names import Entry, Index, missing, refusal, resolve

INDEX = Index(
    found={
        "total": (
            Entry("shop.prices", "shop/prices.py", "total", "function", False, False),
            Entry("shop", "shop/__init__.py", "total", "import", False, True),
            Entry("tests.test_x", "tests/test_x.py", "total", "function", True, False),
        ),
        "_hidden": (Entry("shop._impl", "shop/_impl.py", "_hidden", "function", False, False),),
    },
    packages=("shop",),
    modules=("shop", "shop.prices", "shop._impl"),
)


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("total([1])", ("from shop import total",)),
        ("shop.prices.total([1])", ("import shop", "import shop.prices")),
        ("prices.total([1])", ("from shop import prices",)),
        ("Decimal('1') + total([])", ("from decimal import Decimal", "from shop import total")),
        ("datetime(2020, 1, 1)", ("from datetime import datetime",)),
        ("datetime.datetime(2020, 1, 1)", ("import datetime",)),
        ("math.floor(1.5)", ("import math",)),
        ("from shop import total\ntotal([1])", ()),
    ],
)
def test_imports(code: str, lines: tuple[str, ...]) -> None:
    found = resolve(code, INDEX, "total is wrong")
    assert found.lines == lines
    assert found.unknown == ()


def test_names_that_nothing_defines_are_told() -> None:
    assert resolve("total(basket)", INDEX, "").unknown == ("basket",)


def test_what_binds_a_name() -> None:
    code = "import a.b\nfor x in y:\n    z = [q for q in x]\ndef f(p):\n    return p + len(z)\nf(1)"
    assert missing(code) == {"y"}


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "from os import system",
        "import os as o",
        "os.system('ls')",
        "os.environ.clear()",
        "__import__('os')",
        "open('/etc/passwd')",
        "eval('1')",
        "getattr(os, 'sys' + 'tem')('ls')",
        "().__class__.__subclasses__()",
        "Path('x').unlink()",
        "x = (",
        "while True:\n    pass",
        "from urllib.request import urlopen",
        "sys.modules['os'].system('ls')",
    ],
)
def test_what_may_do_harm_is_refused(code: str) -> None:
    assert refusal(code)


@pytest.mark.parametrize("code", ["total([1])", "x.remove(1)", "d.rename('a')", "import datetime", "os.path.join('a')"])
def test_what_is_harmless_is_not(code: str) -> None:
    assert refusal(code) == ""
