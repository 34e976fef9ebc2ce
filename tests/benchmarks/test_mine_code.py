import pytest
from benchmarks.mine_code import changed_lines, code_lines, functions_at, introduced, kind_of, plain


def test_docstrings_comments_and_layout_do_not_count():
    old = 'def f(a):\n    """Old words."""\n    # why\n    return a\n'
    new = 'def f(a):\n    """New words.\n\n    More."""\n\n    return a\n'
    assert plain(old) == plain(new)
    assert changed_lines(old, new) == (set(), set())
    assert code_lines(old) == {1, 4}


def test_annotations_count_only_when_they_are_asked_for():
    old, new = "def f(a):\n    x = 1\n    return a\n", "def f(a: int) -> int:\n    x = 1\n    return a\n"
    assert plain(old) != plain(new)
    assert plain(old, annotations=False) == plain(new, annotations=False)


def test_changed_lines_are_those_with_code():
    assert changed_lines("a = 1\n# b\nc = 3\n", "a = 2\n# d\nc = 3\ne = 4\n") == ({1}, {1, 4})


def test_functions_are_named_with_their_classes():
    text = "X = 1\n\n\nclass A:\n    Y = 2\n\n"
    text += "    def f(self):\n        def inner():\n            return 1\n        return inner\n"
    assert functions_at(text, {9}) == ["A.f"]
    assert functions_at(text, {5}) == [""]
    assert functions_at(text, {1, 8}) == ["A.f", ""]


def test_introduced_names_are_the_public_ones():
    assert introduced("def f(a): pass", "def f(a, deep=False): pass\ndef g(): pass\ndef _h(): pass") == {"deep", "g"}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("return a < b", "return a <= b", "operator"),
        ("return a + 1", "return a + 2", "constant"),
        ("return a", "return b", "name"),
        ("x = 'a'", "x = 'b'", "string"),
        ("if a: return 1", "if a and b: return 1", "condition"),
        ("return a", "return str(a)", "more calls"),
        ("return 1", "if a is None:\n        return 0\n    return 1", "new guard"),
        ("a = 1\n    return a", "return a", "deletion"),
        ("return a[0]", "return a[0:1]", "expression"),
        ("return 1", "x = 2\n    return 1", "new statement"),
        ("return a", "if b:\n        return a", "wrapped in new guard"),
        ("x = a < b\n    return x + 1", "x = a <= b\n    return x + 2", "constant + operator"),
        ("x = 1\n    y = 2", "y = 2\n    x = 1", "moved statements"),
        ("x = 1", "# nothing\n    x = 1", "nothing"),
    ],
)
def test_kinds_of_change(old: str, new: str, kind: str):
    assert kind_of(f"def f(a, b):\n    {old}\n", f"def f(a, b):\n    {new}\n") == kind


def test_a_changed_head_and_a_new_function_have_kinds_of_their_own():
    assert kind_of("def f(a): return a\n", "def f(a, b=1): return a\n") == "signature"
    assert kind_of("def f(a): return a\n", "def f(a): return a\ndef g(): pass\n") == "new function"
