"""Many candidates at once: right ones are found, hostile ones harm nobody but themselves."""

import pytest

from karkhana.behaviour.spectra import FunctionPlace, measure
from karkhana.behaviour.validation import Edit, Proposal, Target, Validation, apply, validate


def attempt(bench, files: dict[str, str], path: str, name: str, replacements: list[tuple[str, str]], **options) -> str:
    """Statuses of candidates that replace one text in a function, or (``name`` is empty) in the whole file."""
    return outcome(bench, files, path, name, replacements, **options).statuses


def outcome(
    bench, files: dict[str, str], path: str, name: str, replacements: list[tuple[str, str]], **options
) -> Validation:
    run = bench(files).run
    spectrum = measure(run, limit_s=0.2)
    whole = files[path]
    place = next((p for p in spectrum.functions.get(path, ()) if p.name == name), None)
    lines = whole.splitlines(keepends=True)
    text = "".join(lines[place.start - 1 : place.end]) if place else whole
    proposals = []
    for old, new in replacements:
        at = text.index(old)
        proposals.append(Proposal(0, (Edit(at, at + len(old), new),)))
    target = Target(path=path, text=text, place=place, failing=spectrum.failing, passing=spectrum.passing)
    limits = [max(0.05, 6 * test.seconds if test.outcome != "timeout" else 0.05) for test in spectrum.tests]
    names = [test.name for test in spectrum.tests]
    return validate(
        run,
        arguments=(),
        tests=names,
        limits=limits,
        targets=[target],
        proposals=proposals,
        seconds=60,
        beyond=1000,
        **options,
    )


GCD = {
    "m.py": "def gcd(a, b):\n    if b == 0:\n        return a\n    return gcd(a % b, b)\n",
    "test_m.py": (
        "import pytest\nfrom m import gcd\n\n\n"
        "@pytest.mark.parametrize('a, b, c', [(12, 8, 4), (7, 0, 7), (5, 3, 1)])\n"
        "def test_gcd(a, b, c):\n    assert gcd(a, b) == c\n"
    ),
}


def test_statuses_of_a_mixed_lot(bench) -> None:
    old = "gcd(a % b, b)"
    statuses = attempt(
        bench,
        GCD,
        "m.py",
        "gcd",
        [
            (old, "gcd(b, a % b)"),
            (old, "gcd(b, (a % b))"),
            (old, "b"),
            (old, "gcd(b"),
            (old, "__import__('os')._exit(0)"),
            (old, "exit()"),
            (old, "[0] * 10 ** 13"),
            (old, "print('noise') or gcd(b, a % b)"),
            (old, "len(iter(int, 1) and [0 for _ in iter(int, 1)])"),
            (old, "gcd(a, b)"),
        ],
    )
    assert statuses == "pdfscffptf"


def test_loop_that_swallows_every_exception_is_stopped(bench) -> None:
    files = {
        "m.py": "def f(n):\n    return n\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    stubborn = (
        "return n\n    while True:\n        try:\n            n += 1\n        except BaseException:\n            pass\n"
    )
    endless = stubborn.split("\n", 1)[1]
    statuses = attempt(bench, files, "m.py", "f", [("    return n\n", endless), ("return n", "return n + 1")])
    assert statuses[0] in "tc"
    assert statuses[1] == "p"


def test_slow_right_change_is_waited_for_and_an_endless_one_is_not(bench) -> None:
    files = {
        "m.py": (
            "import time\n\n\ndef slow(n):\n    end = time.process_time() + (1.2 if n > 9 else 0.0)\n"
            "    while time.process_time() < end:\n        pass\n    return n\n\n\n"
            "def endless(n):\n    while n > 9:\n        pass\n    return n\n\n\ndef f(n):\n    return n\n"
        ),
        "test_m.py": (
            "from m import f\n\n\ndef test_f():\n    assert f(1) == 2\n\n\ndef test_g():\n    assert f(10) == 11\n"
        ),
    }
    changes = [("return n", "return endless(n) + 1"), ("return n", "return slow(n) + 1"), ("return n", "return n + 1")]
    assert attempt(bench, files, "m.py", "f", changes) == "tpp"
    assert attempt(bench, files, "m.py", "f", changes[1:]) == "pp"


def test_memory_hog_fails_alone(bench) -> None:
    files = {
        "m.py": "def f(n):\n    return n\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    hog = "return bytearray(3 * 10 ** 9) and n + 1"
    assert attempt(bench, files, "m.py", "f", [("return n", hog), ("return n", "return n + 1")]) == "fp"


def test_parametrised_data_is_fresh_for_every_candidate(bench) -> None:
    files = {
        "m.py": "def total(values):\n    return sum(values) + 1\n",
        "test_m.py": (
            "import pytest\nfrom m import total\n\n\n@pytest.mark.parametrize('values', [[1, 2, 3]])\n"
            "def test_total(values):\n    assert total(values) == 6\n"
        ),
    }
    statuses = attempt(
        bench,
        files,
        "m.py",
        "total",
        [("return sum(values) + 1", "return values.clear()"), ("sum(values) + 1", "sum(values)")],
    )
    assert statuses == "fp"


def test_state_left_in_modules_does_not_reach_the_next_candidate(bench) -> None:
    files = {
        "m.py": "CACHE = {}\n\n\ndef f(n):\n    return CACHE.get(n, 0)\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    statuses = attempt(
        bench,
        files,
        "m.py",
        "f",
        [
            ("return CACHE.get(n, 0)", "CACHE[n] = 2"),
            ("CACHE.get(n, 0)", "CACHE.get(n, 1)"),
            ("CACHE.get(n, 0)", "CACHE.get(n, 2)"),
        ],
    )
    assert statuses == "ffp"


def test_cached_functions_are_asked_afresh(bench) -> None:
    files = {
        "m.py": "import functools\n\n\n@functools.lru_cache\ndef f(n):\n    return n\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f(1) == 2\n",
    }
    assert attempt(bench, files, "m.py", "f", [("return n", "return n - 1"), ("return n", "return n + 1")]) == "fp"


def test_order_dependent_tests_run_in_their_order(bench) -> None:
    files = {
        "m.py": "LOG = []\n\n\ndef note(n):\n    LOG.append(n + 1)\n    return len(LOG)\n",
        "test_m.py": (
            "from m import LOG, note\n\n\ndef test_one():\n    assert note(1) == 1\n\n\n"
            "def test_two():\n    note(2)\n    assert LOG == [1, 2]\n"
        ),
    }
    change = [("LOG.append(n + 1)", "LOG.append(n)")]
    assert attempt(bench, files, "m.py", "note", change, ordered=True) == "p"
    assert attempt(bench, files, "m.py", "note", change) == "f"


@pytest.mark.parametrize(
    ("code", "name", "change", "test"),
    [
        (
            "class C:\n    def f(self):\n        return self.__g() + 1\n\n    def __g(self):\n        return 1\n",
            "f",
            ("+ 1", "+ 2"),
            "C().f() == 3",
        ),
        (
            "class A:\n    def f(self):\n        return 1\n\n\n"
            "class B(A):\n    def f(self):\n        return super().f()\n",
            "f",
            ("super().f()", "super().f() + 1"),
            "B().f() == 2",
        ),
        ("def g(n):\n    yield from range(n)\n", "g", ("range(n)", "range(n + 1)"), "list(g(2)) == [0, 1, 2]"),
        (
            "def f(n):\n    def inner(m):\n        return m + n\n    return inner(1)\n",
            "f",
            ("m + n", "m - n"),
            "f(1) == 0",
        ),
        (
            "import functools\n\n\ndef twice(f):\n    @functools.wraps(f)\n    def inner(n):\n        return f(f(n))\n"
            "    return inner\n\n\n@twice\ndef h(n):\n    return n\n",
            "h",
            ("return n", "return n + 1"),
            "h(1) == 3",
        ),
        (
            "class P:\n    @property\n    def x(self):\n        return 1\n",
            "x",
            ("return 1", "return 2"),
            "P().x == 2",
        ),
        (
            "import asyncio\n\n\nasync def one():\n    return 1\n\n\nasync def f():\n    return one()\n",
            "f",
            ("one()", "await one()"),
            "asyncio.run(f()) == 1",
        ),
    ],
)
def test_kinds_of_functions(bench, code: str, name: str, change: tuple[str, str], test: str) -> None:
    old, new = change
    header = "from m import *\nimport warnings\nwarnings.simplefilter('ignore')\n\n\n"
    files = {"m.py": code, "test_m.py": f"{header}def test_it():\n    assert {test}\n"}
    run = bench(files).run
    spectrum = measure(run)
    place = [p for p in spectrum.functions["m.py"] if p.name == name][-1]
    text = "".join(code.splitlines(keepends=True)[place.start - 1 : place.end])
    at = text.index(old)
    result = validate(
        run,
        arguments=(),
        tests=[spectrum.tests[0].name],
        limits=[0.2],
        targets=[Target(path="m.py", text=text, place=place, failing=(0,), passing=())],
        proposals=[Proposal(0, (Edit(at, at + len(old), new),))],
        seconds=30,
    )
    assert result.statuses == "p"


def test_module_constants_and_defaults_need_a_fresh_interpreter(bench) -> None:
    files = {
        "m.py": "LIMIT = 3\n\n\ndef f(n=LIMIT):\n    return n\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f() == 4\n",
    }
    assert attempt(bench, files, "m.py", "", [("LIMIT = 3", "LIMIT = 5"), ("LIMIT = 3", "LIMIT = 4")]) == "fp"
    assert (bench({}).root / "m.py").read_text() == files["m.py"]


def test_fresh_candidate_of_a_function(bench) -> None:
    run = bench(
        {
            "m.py": "def f(n=1):\n    return n\n",
            "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f() == 2\n",
        }
    ).run
    place = FunctionPlace(name="f", top=1, start=1, end=2)
    target = Target(path="m.py", text="def f(n=1):\n    return n\n", place=place, failing=(0,), passing=())
    result = validate(
        run,
        arguments=(),
        tests=["test_m.py::test_f"],
        limits=[0.2],
        targets=[target],
        proposals=[Proposal(0, (Edit(8, 9, "2"),)), Proposal(0, (Edit(8, 9, "2"),), fresh=True)],
        seconds=30,
    )
    assert result.statuses == "dp"


def test_each_fresh_candidate_imports_every_module_of_the_repository_anew(bench) -> None:
    files = {
        "pytest.ini": "[pytest]\nfilterwarnings = error\n",
        "conftest.py": "import registry\n\nregistry.add('conftest')\n",
        "registry.py": "KNOWN = []\n\n\ndef add(name):\n    assert name not in KNOWN\n    KNOWN.append(name)\n",
        "m.py": "import decimal\nimport registry\n\nregistry.add('m')\nLIMIT = decimal.Decimal(3)\n",
        "test_m.py": "import m\nimport registry\n\n\ndef test_m():\n    assert m.LIMIT == 5\n"
        "    assert registry.KNOWN == ['conftest', 'm']\n",
    }
    changes = [("Decimal(3)", f"Decimal({n})") for n in (1, 2, 4, 5)]
    assert attempt(bench, files, "m.py", "", changes) == "fffp"


def test_it_stops_a_while_after_the_first_hit(bench) -> None:
    run = bench(GCD).run
    place = FunctionPlace(name="gcd", top=1, start=1, end=4)
    text = GCD["m.py"]
    at = text.index("gcd(a % b, b)")
    end = at + len("gcd(a % b, b)")
    proposals = [Proposal(0, (Edit(at, end, "gcd(b, a % b)"),))]
    proposals += [Proposal(0, (Edit(at, end, f"a + {n}"),)) for n in range(200)]
    result = validate(
        run,
        arguments=(),
        tests=["test_m.py::test_gcd[12-8-4]"],
        limits=[0.2],
        targets=[Target(path="m.py", text=text, place=place, failing=(0,), passing=())],
        proposals=proposals,
        seconds=30,
        beyond=50,
    )
    assert result.statuses.startswith("p")
    assert result.statuses.count("-") == 150


def test_apply_carries_out_several_edits() -> None:
    assert apply("f(a, b)", [Edit(2, 3, "b"), Edit(5, 6, "a")]) == "f(b, a)"


def test_the_same_program_is_not_collected_twice(bench) -> None:
    files = {
        "m.py": "LIMIT = 3\n\n\ndef f():\n    return LIMIT\n",
        "test_m.py": "from m import f\n\n\ndef test_f():\n    assert f() == 4\n",
    }
    changes = [("LIMIT = 3", "LIMIT = 5"), ("LIMIT = 3", "LIMIT = (5)"), ("LIMIT = 3", "LIMIT = 4")]
    assert attempt(bench, files, "m.py", "", changes) == "fdp"
