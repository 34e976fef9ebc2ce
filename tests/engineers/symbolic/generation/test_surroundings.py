"""What a file tells about its functions to each other."""

import pytest

from karkhana.engineers.symbolic.generation.surroundings import surroundings

TEXT = '''
class Bad(ValueError):
    pass


class Box:
    def __init__(self, size, *, deep=False, **rest):
        self.size = size
        self.words = []

    def put(self, key, value):
        """Put one."""
        key = self.clean(key)
        if not self.words:
            return None
        self.words[key] = value

    def drop(self, key):
        del self.words[key]


def other(a, b=3, *more):
    raise Bad(a)
'''


def test_signatures_say_what_may_be_left_out() -> None:
    around = surroundings(TEXT)
    (made,) = around.signatures["Box"]
    assert (made.positional, made.optional, made.takes_keywords, made.takes_many) == (("size",), ("deep",), True, False)
    (other,) = around.signatures["other"]
    assert (other.positional, dict(other.defaults), other.takes_many) == (("a", "b"), {"b": "3"}, True)


def test_attributes_leave_calls_out() -> None:
    assert surroundings(TEXT).attributes["Box"] == ("size", "words")


def test_donors_come_from_similar_functions_and_say_what_they_read() -> None:
    donors = {d.text: d for d in surroundings(TEXT).statements("drop", ("Box",))}
    first = donors["key = self.clean(key)"]
    assert first.first
    assert first.home == "put"
    assert donors["if not self.words:\n    return None"].names == {"self"}
    assert "raise Bad(a)" not in donors  # nothing in common with ``drop``
    assert not any('"""' in text for text in donors)


def test_conditions_are_taken_apart() -> None:
    text = "def f(a, b):\n    if a and not b:\n        return a\n\ndef g(a, b):\n    return b\n"
    assert [d.text for d in surroundings(text).conditions("g", ())] == ["a", "not b"]


def test_exceptions_are_those_defined_and_raised() -> None:
    assert surroundings(TEXT).exceptions == ("Bad",)


@pytest.mark.parametrize(
    "text", ["def f(:\n", "\0", "(" * 5000, "def f(a):\n    if " + "a + " * 9000 + "a:\n        return 1\n"]
)
def test_a_file_that_cannot_be_parsed_has_no_surroundings(text: str) -> None:
    assert surroundings(text).homes == ()
