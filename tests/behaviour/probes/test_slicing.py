"""Which statements had a part in a failure."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from karkhana.behaviour.probes.slicing import influence, traced


def sliced(folder: Path, code: str, call: Callable[[ModuleType], object], *, endless: bool = False) -> dict[str, float]:
    """Text of a line → weight, for a call of a module with ``code`` that raises."""
    path = folder.resolve() / "sliced_module.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("sliced_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    raised: list[tuple[str, int]] = []

    def run() -> None:
        try:
            call(module)
        except AssertionError as error:
            frame = error.__traceback__
            while frame is not None:
                if frame.tb_frame.f_code.co_filename == str(path):
                    raised[:] = [(str(path), frame.tb_lineno)]
                frame = frame.tb_next

    previous = sys.gettrace()
    try:
        trace = traced(run, str(folder.resolve()))
    finally:
        sys.settrace(previous)
    assert raised
    lines = code.splitlines()
    return {lines[n - 1].strip(): w for n, w in influence(trace, raised[0]).get(str(path), {}).items()}


def test_uses_definitions_and_conditions_are_followed(tmp_path: Path) -> None:
    code = """\
def f(a, b):
    c = a + 1
    d = b + 1
    if a > 0:
        c = c * 2
    assert c == 0
"""
    found = sliced(tmp_path, code, lambda m: m.f(1, 1))
    assert found["assert c == 0"] == 1.0
    assert found["c = c * 2"] > found["c = a + 1"] > 0
    assert found["if a > 0:"] > 0
    assert "d = b + 1" not in found


def test_values_come_back_through_calls_and_go_in_through_parameters(tmp_path: Path) -> None:
    code = """\
def double(n):
    noise = n - 1
    return n * 2


def idle(n):
    return n


def f(a):
    b = a + 3
    other = idle(a)
    c = double(b)
    assert c == 0
"""
    found = sliced(tmp_path, code, lambda m: m.f(1))
    assert found["return n * 2"] > 0
    assert found["b = a + 3"] > 0
    assert {"noise = n - 1", "other = idle(a)", "return n"}.isdisjoint(found)


def test_an_earlier_way_out_counts_less_than_a_condition(tmp_path: Path) -> None:
    code = """\
def f(a):
    if a > 5:
        return None
    if a > 0:
        assert a == 0
"""
    found = sliced(tmp_path, code, lambda m: m.f(1))
    assert found["if a > 0:"] > found["if a > 5:"] > 0


def test_elements_comprehensions_and_generators(tmp_path: Path) -> None:
    code = """\
def numbers(limit):
    n = 0
    while n < limit:
        yield n
        n += 1


def put(table, key):
    table[key] = 5


def f():
    table = {}
    unused = [1]
    put(table, "a")
    rows = [n + table["a"] for n in numbers(3)]
    assert sum(rows) == 0
"""
    found = sliced(tmp_path, code, lambda m: m.f())
    for line in ('rows = [n + table["a"] for n in numbers(3)]', "yield n", "table[key] = 5", "table = {}"):
        assert found.get(line, 0.0) > 0, line
    assert "unused = [1]" not in found
