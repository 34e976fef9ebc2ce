"""Examples that documentation and tickets tell."""

from karkhana.quality.examples import documentation, examples

DOCUMENTED = '''\
    def pick(values, n=1):
        """Pick.

        >>> pick([1, 2])
        1
        >>> other(3)
        4
        pick("ab") => 'a'
        pick([3], n=1) == 3
        pick(broken => 3
        """
        return values[0]
'''


def test_sessions_arrows_and_sentences() -> None:
    text = documentation(DOCUMENTED)
    ticket = "pick([]) fails. `pick([], n=0)` should return `None`. pick(3) returns 3."
    assert examples("pick", text, ticket) == (
        ("pick([1, 2])", "1"),
        ("pick('ab')", "'a'"),
        ("pick([3], n=1)", "3"),
        ("pick([], n=0)", "None"),
    )
    assert examples("nobody", text, ticket) == ()


def test_what_is_no_function_has_no_documentation() -> None:
    assert documentation("x = 1\n") == ""
    assert documentation("def f(:\n") == ""
    assert documentation("def f():\n    return 1\n") == ""
    assert examples("f", "f(" + "(" * 250 + ") => 1\n") == ()


def test_words_of_other_languages_and_values_in_brackets() -> None:
    text = "even(2) => true\neven(3) => [false, null]\nnames(1) ==> ('Venus')\nnames(2) ==> ('Venus', 'Mars')\n"
    assert examples("even", text) == (("even(2)", "True"), ("even(3)", "[False, None]"))
    assert examples("names", text) == (("names(2)", "('Venus', 'Mars')"),)


def test_examples_of_names_that_the_file_does_not_hold_are_no_programs() -> None:
    text = "happy(abcd) => True\nhappy('abcd') => True\nhappy(LEAST) => False\nhappy(len('ab')) => False\n"
    module = f'LEAST = "ab"\n\ndef happy(s):\n    """{text}"""\n    return len(s) > 2\n'
    assert examples("happy", text, "", module) == (
        ("happy('abcd')", "True"),
        ("happy(LEAST)", "False"),
        ("happy(len('ab'))", "False"),
    )
