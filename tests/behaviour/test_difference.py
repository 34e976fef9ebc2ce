"""A program before and after a change."""

from karkhana.behaviour.difference import Comparison, Revised, differences
from karkhana.behaviour.spectra import measure

OLD = (
    "def largest(values):\n    best = values[0]\n    for v in values:\n"
    "        if v > best:\n            best = v\n    return best\n"
)
NEW = OLD.replace("    best = values[0]\n", "    if not values:\n        return None\n    best = values[0]\n")
TESTS = (
    "from m import largest\n\n\ndef test_none():\n    assert largest([]) is None\n\n\n"
    "def test_some():\n    assert largest([3, 1, 4]) == 4\n"
)

SLOW = "sum(range(6_000_000)) and largest([2])"
"""Takes longer than an input may."""


def found(bench, old: str, new: str, *, fresh: bool = False) -> Comparison:
    run = bench({"m.py": new, "test_m.py": TESTS}).run
    spectrum = measure(run, everything=True)
    place = spectrum.functions["m.py"][0]
    lines = [n for n, line in enumerate(new.splitlines(), 1) if line not in old.splitlines()]
    function = Revised(path="m.py", place=place, text=new, old=old)
    file = Revised(path="m.py", place=None, text=new, old=old, quiet=True)
    return differences(
        run,
        arguments=(),
        tests=[t.name for t in spectrum.tests],
        limits=[0.2, 0.2],
        needing=[0],
        others=[1],
        revised=[function, file] if fresh else [function],
        fresh=fresh,
        lines={"m.py": lines},
        examples=[(0, "largest([1, 5, 2])", "5"), (0, "largest([])", "None"), (0, SLOW, "2")],
        count=40,
    )


def test_the_difference_is_where_the_change_is(bench) -> None:
    compared = found(bench, OLD, NEW)
    assert compared.examples == ((True, True), (False, True), (True, True))
    pairs = compared.pairs
    changed = {p.text: (p.before, p.after) for p in pairs if p.differs and p.kind == "call"}
    assert changed == {"largest([])": ("!IndexError", "=None")}
    assert len(pairs) > 20
    ways = {p.text: p.ways for p in pairs}
    assert ways["largest([])"] == {"0:2>3", "0:3>0"}
    assert ways["largest([3, 1, 4])"] == {"0:2>4"}
    assert not any(p.breaks for p in pairs)


def test_a_program_that_must_be_imported_anew(bench) -> None:
    compared = found(bench, OLD, NEW, fresh=True)
    assert compared.examples == ((True, True), (False, True), (True, True))
    changed = {p.text for p in compared.pairs if p.differs and p.kind == "call"}
    assert changed == {"largest([])"}


def test_what_differs_by_itself_is_no_difference(bench) -> None:
    noisy = NEW.replace("return best", "return best + __import__('os').getpid()")
    pairs = found(bench, OLD, noisy).pairs
    assert {p.text for p in pairs if p.kind == "call" and p.differs} == {"largest([])"}
