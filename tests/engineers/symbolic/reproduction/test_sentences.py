import time

import pytest

from karkhana.engineers.symbolic.reproduction.sentences import read

SAID = [
    ("`f(1)` returns 2 instead of 3", {"2": "actual", "3": "expected"}),
    ("f(1) should return 3, not 2", {"3": "expected", "2": "actual"}),
    ("Expected `[1, 2]`, got `[2, 1]` from `f([2, 1])`", {"[1, 2]": "expected", "[2, 1]": "actual"}),
    ("`f(1)` should not be 2 but 3", {"2": "actual", "3": "expected"}),
    ("f(1) is 2 where I expected 'three'", {"2": "actual", "'three'": "expected"}),
    ("f([]) raises KeyError instead of returning None", {"KeyError": "actual", "None": "expected"}),
    ("f([]) should raise ValueError but returns 0", {"ValueError": "expected", "0": "actual"}),
    ("f(0) does not raise ValueError", {"ValueError": "expected"}),
    ("f(1) gives 2 and I'd expect 'a' and 'b'", {"2": "actual", "'a'": "expected", "'b'": "expected"}),
]


@pytest.mark.parametrize(("text", "roles"), SAID)
def test_roles(text: str, roles: dict[str, str]) -> None:
    items = [item for item in read(text) if item.kind in ("value", "raises") and not item.bare]
    assert {item.text: item.role for item in items} == roles


def test_a_result_belongs_to_the_call_of_its_sentence() -> None:
    items = read("`f(1)` gives 2. But g(1) gives 3.")
    calls = {n: item.text for n, item in enumerate(items) if item.kind == "call"}
    assert [calls[item.link] for item in items if item.kind == "value" and item.link is not None] == ["f(1)", "g(1)"]


@pytest.mark.parametrize("text", ["see issue 12", "on Python 3.11", "line 7", "since version 2.0", "a/b/c.py"])
def test_numbers_that_are_no_results(text: str) -> None:
    assert not [item for item in read(text) if item.kind == "value"]


@pytest.mark.parametrize("piece", ["f(", "`", "'", "should be ", "a" * 50 + "(", "[[", "Error: ", "not ", "\\'"])
def test_hostile_text_is_read_in_no_time(piece: str) -> None:
    started = time.process_time()
    read(piece * (20_000 // len(piece)))
    # CPU time of this process: a quadratic reader would need minutes.
    assert time.process_time() - started < 20
