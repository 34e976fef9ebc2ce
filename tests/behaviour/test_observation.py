"""What functions answer on inputs like those of their tests."""

from karkhana.behaviour.observation import Observations, compare
from karkhana.behaviour.spectra import measure
from karkhana.behaviour.validation import Edit, Proposal, Target

CODE = '''\
def largest(values, start=0):
    """The largest value.

    >>> largest([1, 5, 2])
    5
    """
    best = start
    for value in values:
        if value < best:
            best = value
    return best
'''
TESTS = """\
from m import largest


def test_it():
    assert largest([3, 1, 2]) == 3


def test_none():
    assert largest([]) == 0
"""


def observed(bench, replacements: list[str]) -> Observations:
    run = bench({"m.py": CODE, "test_m.py": TESTS}).run
    spectrum = measure(run)
    place = spectrum.functions["m.py"][0]
    at = CODE.index("value < best")
    result = compare(
        run,
        arguments=(),
        tests=[t.name for t in spectrum.tests],
        limits=[0.2, 0.2],
        targets=[Target(path="m.py", text=CODE, place=place, failing=(0,), passing=(1,))],
        variants=[Proposal(0, (Edit(at, at + len("value < best"), new),)) for new in replacements],
        examples=((0, "largest([1, 5, 2])", "5"),),
        count=60,
    )
    assert result is not None
    return result


def test_variants_fall_into_classes(bench) -> None:
    seen = observed(bench, ["value > best", "value >= best", "value == 3", "value.bad"])
    assert seen.classes() == [[0, 1], [2], [3]]
    assert {origin for origin, _ in seen.inputs} == {"failing", "passing", "near-failing", "near-passing"}
    assert len(seen.inputs) > 30
    assert seen.examples == ((True,), (True,), (False,), (False,))
    assert seen.changed(0, "passing") == 0.0
    assert seen.changed(0, "failing") == 1.0
    assert seen.broken(3) > 0.5
    assert seen.broken(0) == 0.0


def test_the_shortest_distinguishing_input_is_named(bench) -> None:
    seen = observed(bench, ["value > best", "value == 3"])
    found = seen.distinguishing(0, 1)
    assert found is not None
    text, one, other = found
    assert text.startswith("largest([")
    assert one != other
    assert seen.distinguishing(0, 0) is None
    assert 0.0 < seen.difference(0, 1) <= 1.0


def test_generated_numbers_stay_in_the_domain_of_the_recorded_ones(bench) -> None:
    seen = observed(bench, ["value > best"])
    assert not [text for _, text in seen.inputs if "-" in text]


def test_changed_arguments_and_generators_are_behaviour(bench) -> None:
    code = "def f(values):\n    values.append(1)\n    yield from values\n"
    tests = "from m import f\n\n\ndef test_f():\n    assert list(f([2])) == [2]\n"
    run = bench({"m.py": code, "test_m.py": tests}).run
    spectrum = measure(run)
    at = code.index("    values.append(1)\n")
    seen = compare(
        run,
        arguments=(),
        tests=[spectrum.tests[0].name],
        limits=[0.2],
        targets=[Target(path="m.py", text=code, place=spectrum.functions["m.py"][0], failing=(0,), passing=())],
        variants=[Proposal(0, (Edit(at, at + len("    values.append(1)\n"), ""),))],
        count=10,
    )
    assert seen is not None
    assert seen.original[0] == "=['generator', 2, 1] and argument 0 = [2, 1]"
    assert seen.variants[0][0] == "=['generator', 2]"


def test_endless_variants_end_the_observation_soon(bench) -> None:
    seen = observed(bench, ["any(iter(int, 1))"])
    assert set(seen.variants[0]) >= {"~"}
    assert seen.failing(0) > 0.5
