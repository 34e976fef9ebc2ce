"""Changes in different functions and files, looked at where tests enter the repository."""

from collections.abc import Sequence

from karkhana.behaviour.observation import Observations, compare
from karkhana.behaviour.spectra import measure
from karkhana.behaviour.validation import Edit, Proposal, Target

CODE = """\
LIMIT = 3


def clean(text):
    return text.strip()


def parse(text):
    parts = [clean(p) for p in text.split(";")]
    return parts


class Basket:
    def __init__(self, items):
        self.items = parse(items)

    def add(self, item):
        self.items.append(item)
        return self

    def total(self):
        return len(self.items[:LIMIT])
"""
TESTS = """\
from m import Basket, parse


def test_parse():
    assert parse("a, b") == ["a", "b"]


def test_basket():
    basket = Basket("a")
    basket.add("b").add("c")
    assert basket.total() == 3
"""


def compared(
    bench, changes: Sequence[tuple[str, str, str]], code: str = CODE, tests: str = TESTS, **options
) -> Observations:
    """``changes`` are (function or nothing for the file, old, new)."""
    run = bench({"m.py": code, "test_m.py": tests}).run
    spectrum = measure(run)
    names = list(dict.fromkeys(name for name, _, _ in changes))
    targets: list[Target] = []
    for name in names:
        place = next((p for p in spectrum.functions["m.py"] if p.name == name), None)
        text = "".join(code.splitlines(keepends=True)[place.start - 1 : place.end]) if place else code
        targets.append(Target(path="m.py", text=text, place=place, failing=spectrum.failing, passing=spectrum.passing))
    variants: list[Proposal] = []
    for name, old, new in changes:
        number = names.index(name)
        at = targets[number].text.index(old)
        variants.append(Proposal(number, (Edit(at, at + len(old), new),), not name))
    seen = compare(
        run,
        arguments=(),
        tests=[t.name for t in spectrum.tests],
        limits=[0.3] * len(spectrum.tests),
        targets=targets,
        variants=variants,
        **options,
    )
    assert seen is not None
    return seen


def test_changes_of_different_functions_and_of_the_file_are_compared_at_the_entries(bench) -> None:
    seen = compared(
        bench,
        [
            ("parse", '";"', '","'),
            ("clean", "text.strip()", 'text.split(", ")'),
            ("add", "append(item)", "insert(0, item)"),
            ("", "LIMIT = 3", "LIMIT = 2"),
            ("", '";"', '","'),
        ],
    )
    assert seen.entries == ("parse", "Basket.add")
    assert seen.classes() == [[0, 4], [1], [2], [3]]
    assert seen.changed(0, "failing") == 1.0
    assert seen.changed(0, "passing") == 0.0
    assert seen.changed(3, "passing") > 0.0
    assert all(seen.seen(n) for n in range(5))
    told = seen.distinguishing(0, 1)
    assert told is not None
    assert told[0].startswith("parse(")


def test_fresh_variants_beyond_the_bound_stay_unknown_and_differ_from_nothing(bench) -> None:
    seen = compared(bench, [("", "LIMIT = 3", "LIMIT = 2"), ("", "LIMIT = 3", "LIMIT = 1")], fresh=1, scripts=10)
    assert seen.seen(0)
    assert not seen.seen(1)
    assert seen.difference(0, 1) == 0.0
    assert seen.classes() == [[0], [1]]


def test_state_of_receivers_and_of_modules_is_behaviour(bench) -> None:
    code = """\
SEEN = []


class Counter:
    __slots__ = ("hits",)

    def __init__(self):
        self.hits = 0

    def hit(self, by):
        self.hits += by
        SEEN.append(by)
        return by
"""
    tests = "from m import Counter\n\n\ndef test_hit():\n    assert Counter().hit(2) == 3\n"
    changes = [
        ("hit", "self.hits += by", "self.hits += 1"),
        ("hit", "SEEN.append(by)", "pass"),
        ("hit", "+= by", "+= +by"),
    ]
    seen = compared(bench, changes, code, tests)
    assert seen.classes() == [[0], [1], [2]]
    assert seen.original[0].startswith("=2 and argument 0 = Counter(hits=2) and variables [{'SEEN': [2,")
    assert seen.changed(2, "failing") == 0.0


def test_tests_with_other_constants_show_what_sequences_of_calls_do(bench) -> None:
    seen = compared(bench, [("total", ":LIMIT", ":LIMIT + 1")])
    scripts = [text for kind, (_, text) in zip(seen.kinds, seen.inputs, strict=True) if kind == "script"]
    assert "test_basket" in scripts
    assert any(text.startswith("test_basket with ") for text in scripts)


def test_arguments_come_from_annotations_when_those_of_the_tests_cannot_be_copied(bench) -> None:
    code = "def f(n: int, words: 'list[str] | None' = None, lock: object = None):\n    return g(n, words)\n\n\n"
    code += "def g(n, words):\n    return n + len(words or ())\n"
    tests = "import threading\nfrom m import f\n\n\ndef test_f():\n    assert f(2, None, threading.Lock()) == 3\n"
    seen = compared(bench, [("g", "n +", "n -"), ("g", "n + len(words or ())", "n")], code, tests)
    assert seen.entries == ("f",)
    calls = [(origin, text) for kind, (origin, text) in zip(seen.kinds, seen.inputs, strict=True) if kind == "call"]
    assert {origin for origin, _ in calls} == {"annotated"}
    assert any("['" in text for _, text in calls)
    assert seen.classes() == [[0], [1]]


def test_functions_that_nothing_can_be_given_to_are_seen_through_their_tests_alone(bench) -> None:
    code = "def f(lock, n):\n    return g(n)\n\n\ndef g(n):\n    return n + 2\n"
    tests = "import threading\nfrom m import f\n\n\ndef test_f():\n    assert f(threading.Lock(), 2) == 3\n"
    seen = compared(bench, [("g", "n + 2", "n + 1"), ("g", "n + 2", "3")], code, tests)
    assert set(seen.kinds) == {"script"}
    assert seen.classes() == [[0], [1]]


def test_changes_that_let_a_program_be_imported_are_compared_with_each_other(bench) -> None:
    code = "def size(n):\n    return n + None\n\n\nSMALL = size(1)\n\n\ndef times(n):\n    return SMALL * n\n"
    tests = "from m import times\n\n\ndef test_times():\n    assert times(3) == 6\n"
    run = bench({"m.py": code, "test_m.py": tests}).run
    at = code.index("n + None")
    targets = [Target(path="m.py", text=code, place=None, failing=(0,), passing=())]
    changes = ("n + 1", "n * 2", "n - 1", "n + 1.0")
    seen = compare(
        run,
        arguments=(),
        tests=["test_m.py::test_times"],
        limits=[0.3],
        targets=targets,
        variants=[Proposal(0, (Edit(at, at + len("n + None"), new),), fresh=True) for new in changes],
    )
    assert seen is not None
    assert set(seen.original) == {"!ImportError"}
    assert seen.classes() == [[0, 1], [2], [3]]
    assert seen.entries == ("times",)


def test_examples_of_a_ticket_that_hold_already_say_nothing() -> None:
    seen = Observations(
        inputs=(("failing", "f(1)"),),
        original=("=1",),
        variants=(("=2",), ("=3",)),
        examples=((True, True, False), (False, False, True)),
        examples_before=(True, False, True),
        claims=1,
    )
    assert [seen.gained(n) for n in (0, 1)] == [1, 0]
    assert [seen.lost(n) for n in (0, 1)] == [0, 2]
