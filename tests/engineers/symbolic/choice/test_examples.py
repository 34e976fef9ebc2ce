"""Examples from documentation and tickets."""

from karkhana.engineers.symbolic.choice.examples import documentation, documented, examples

FUNCTION = '''\
def size(text, unit="B"):
    """Say how large something is.

    >>> size("a" * 10)
    10
    >>> other(1)
    2

    size('') == 0, and size('abc') ➞ 3
    """
    return len(text)  # size('x') gives 1
'''


def test_sessions_arrows_and_prose_are_read() -> None:
    found = examples("size", documentation(FUNCTION), "")
    assert dict(found) == {"size('a' * 10)": "10", "size('')": "0", "size('abc')": "3", "size('x')": "1"}


def test_what_the_tests_ask_is_no_further_example() -> None:
    tests = "def test_size():\n    assert candidate('abc') == 3\n    assert size('') == 0\n"
    found = examples("size", documentation(FUNCTION), tests)
    assert [call for call, _ in found] == ["size('a' * 10)", "size('x')"]


def test_what_a_ticket_says_to_happen_is_not_wanted() -> None:
    ticket = "`size('ab')` returns 3, it should return 2. And `size([])` should give `0`."
    found = dict(examples("size", ticket, "", claimed=True))
    assert found == {"size('ab')": "2", "size([])": "0"}


def test_sessions_elsewhere_in_the_file_count() -> None:
    file = '"""Sizes.\n\n>>> size("ab", unit="kB")\n2\n"""\n\n\n' + FUNCTION
    found = documented("size", FUNCTION, file, "")
    assert ("size('ab', unit='kB')", "2") in found
    assert ("size('a' * 10)", "10") in found


def test_tracebacks_and_text_are_no_answers() -> None:
    text = ">>> f(0)\nTraceback (most recent call last):\n>>> f(1)\nthe text of one\n"
    assert examples("f", text, "") == ()
