"""What single templates make beyond their example in the catalogue."""

import pytest

from karkhana.behaviour.spectra import Failure, Frame
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.scene import FileScene, Scene
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.templates.texts import differences


def failed(kind: str, message: str, line: int = 2) -> tuple[Failure, ...]:
    return (Failure(type=kind, message=message, frames=(Frame("m.py", line, "f"),)),)


def made(
    template: str,
    text: str,
    *,
    module: str = "",
    classes: tuple[str, ...] = (),
    failures: tuple[Failure, ...] = (),
    literals: tuple[str, ...] = (),
    expected: tuple[str, ...] = (),
    types: dict[str, frozenset[str]] | None = None,
) -> set[str]:
    """The bodies that a template makes of ``def f…`` given as one text."""
    view = FunctionView(text, 1, module_text=module or text, classes=classes)
    scene = Scene(view, failures=failures, literals=literals, expected=expected, types=types, path="m.py")
    return {apply(text, idea.edits) for idea in catalogue()[template].ideas(scene)}


def defined(template: str, text: str, kind: str, message: str) -> set[str]:
    scene = FileScene(text, failures=failed(kind, message))
    return {apply(text, idea.edits) for idea in catalogue()[template].file_ideas(scene)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    return a or 3\n", "    return a if a is not None else 3\n"),
        ("    return 1 if not a.b else 2\n", "    return 1 if a.b is None else 2\n"),
        ("    return 1 if a is None else 2\n", "    return 1 if not a else 2\n"),
        ("    return [x for x in a if x]\n", "    return [x for x in a if x is not None]\n"),
        ("    if a and b:\n        return 1\n", "    if a and b is not None:\n        return 1\n"),
    ],
)
def test_truth_and_none(before: str, after: str) -> None:
    head = "def f(a, b):\n"
    assert head + after in made("truth-or-none", head + before)


def test_truth_is_left_alone_where_a_value_counts() -> None:
    assert made("truth-or-none", "def f(a):\n    return g(a)\n") == set()


def test_a_caught_error_is_turned_into_the_expected_one() -> None:
    text = "def f(a):\n    return int(a)\n"
    after = "def f(a):\n    try:\n        return int(a)\n    except ValueError:\n        raise Bad('no')\n"
    assert after in made("try-except", text, failures=failed("ValueError", "invalid"), expected=("Bad('no')",))
    assert made("try-except", text, failures=failed("AssertionError", "assert 1")) == set()


def test_a_refusal_is_worded_as_elsewhere_in_the_file() -> None:
    guard = "    if not callable(a):\n        raise Bad(a, 'no')\n"
    module = f"from m import Bad\n\ndef g(a):\n{guard}\ndef f(a):\n    return a()\n"
    after = "def f(a):\n    if not callable(a):\n        raise Bad(a, 'no')\n    return a()\n"
    assert after in made("missing-raise", "def f(a):\n    return a()\n", module=module, expected=("m.Bad",))
    assert made("missing-raise", "def f(a):\n    return a()\n", module=module) == set()


def test_statements_of_siblings_take_the_names_of_this_function() -> None:
    module = "def g(key, n):\n    key = clean(key)\n    return key[n]\n\ndef f(word, n):\n    return word[n]\n"
    text = "def f(word, n):\n    return word[n]\n"
    after = "def f(word, n):\n    word = clean(word)\n    return word[n]\n"
    assert after not in made("sibling-statement", text, module=module)  # nobody here knows ``clean``
    module = "def clean(x):\n    return x\n\n" + module
    assert after in made("sibling-statement", text, module=module)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("re.match(r'a.b', s)", r"re.match(r'a\.b', s)"),
        ("re.match(r'(a+)b', s)", "re.match(r'(a+?)b', s)"),
        ("re.match(r'ab', s)", "re.match(r'ab$', s)"),
        ("re.match(r'ab', s)", "re.match(r'ab', s, flags=re.IGNORECASE)"),
    ],
)
def test_patterns(before: str, after: str) -> None:
    assert f"def f(s):\n    return {after}\n" in made("regular-expression", f"def f(s):\n    return {before}\n")


def test_a_pattern_is_not_seen_in_plain_text() -> None:
    assert made("regular-expression", "def f(s):\n    return s + 'a.b'\n") == set()


def test_formats() -> None:
    found = made("format", "def f(s):\n    return f'{s} of {s:>5}' + '{s}'\n")
    assert "def f(s):\n    return f'{s!r} of {s:>5}' + '{s}'\n" in found
    assert "def f(s):\n    return f'{s} of {s}' + '{s}'\n" in found
    assert "def f(s):\n    return f'{s} of {s:>5}' + f'{s}'\n" in found


@pytest.mark.parametrize(
    ("message", "pair"),
    [
        ("assert 'a, b' == 'a b'\n  - a b", (",", "")),
        ("assert 'no left' == 'no right'", ("left", "right")),
        ('assert "x\\n" == "x"', ("\n", "")),
    ],
)
def test_differences_of_texts(message: str, pair: tuple[str, str]) -> None:
    assert pair in list(differences(Failure(type="AssertionError", message=message)))


@pytest.mark.parametrize("message", ["assert 3 == 4", "assert f('a') == 'b'", "assert (", "", "assert 'a' != 'a'"])
def test_no_differences(message: str) -> None:
    assert list(differences(Failure(type="AssertionError", message=message))) == []


def test_members_are_of_the_same_kind() -> None:
    text = "def f(a):\n    return a in ('x', 'y')\n"
    found = made("member", text, literals=("'z'", "3"))
    assert "def f(a):\n    return a in ('x', 'y', 'z')\n" in found
    assert not any("3" in candidate for candidate in found)


def test_types_seen_are_provided_for() -> None:
    text = "def f(a):\n    if isinstance(a, list):\n        return 1\n    return 2\n"
    found = made("isinstance-kinds", text, types={"a": frozenset({"tuple"})})
    assert text.replace("list", "(list, tuple)") in found


def test_keywords_are_passed_on() -> None:
    text = "def f(a, **rest):\n    return g(a)\n"
    assert "def f(a, **rest):\n    return g(a, **rest)\n" in made("argument-left-out", text)
    module = "class C:\n    def __init__(self, a, deep=False):\n        self.deep = deep\n"
    method = "    def f(self, a):\n        return self.__class__(a)\n"
    found = made("argument-left-out", method, module=module + "\n" + method, classes=("C",))
    assert "    def f(self, a):\n        return self.__class__(a, deep=self.deep)\n" in found


def test_every_call_of_a_function_takes_one_more() -> None:
    text = "def f(a, b, how):\n    return g(a), g(b)\n"
    assert "def f(a, b, how):\n    return g(a, how), g(b, how)\n" in made("missing-argument", text)


def test_a_method_like_its_counterpart() -> None:
    text = "class C:\n    def push_left(self, x):\n        self.left.append(x)\n        return self.left\n"
    after = text + "\n    def push_right(self, x):\n        self.right.append(x)\n        return self.right\n"
    message = "'C' object has no attribute 'push_right'"
    assert after in defined("missing-method-definition", text, "AttributeError", message)


def test_a_method_that_exists_is_not_defined_again() -> None:
    text = "class C:\n    def __len__(self):\n        return len(self.a)\n"
    message = "object of type 'C' has no len()"
    assert defined("missing-method-definition", text, "TypeError", message) == set()


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("def f():", "def f(deep=None):"),
        ("def f(**rest):", "def f(deep=None, **rest):"),
        ("def f(a: int, b: str = 'é') -> int:", "def f(a: int, b: str = 'é', deep=None) -> int:"),
        ("def f(*more):", "def f(*more, deep=None):"),
        ("def f(a, *, b):", "def f(a, *, b, deep=None):"),
    ],
)
def test_a_parameter_finds_its_place(head: str, wanted: str) -> None:
    message = "f() got an unexpected keyword argument 'deep'"
    found = defined("missing-parameter", f"{head}\n    return 1\n", "TypeError", message)
    assert f"{wanted}\n    return 1\n" in found


def test_source_that_cannot_be_parsed_defines_nothing() -> None:
    message = "f() got an unexpected keyword argument 'deep'"
    assert defined("missing-parameter", "def f(:\n", "TypeError", message) == set()


def test_a_new_branch_asks_for_the_type_that_was_seen() -> None:
    text = "def f(a):\n    if isinstance(a, str):\n        return 1\n    else:\n        return 2\n"
    after = text.replace("    else:", "    elif isinstance(a, bytes):\n        return 2\n    else:")
    assert after in made("new-branch", text, types={"a": frozenset({"bytes"})})


def test_both_sides_are_treated_alike() -> None:
    text = "def f(a, b):\n    return a == b\n"
    assert "def f(a, b):\n    return set(a) == set(b)\n" in made("missing-call", text)
    assert "def f(a, b):\n    return a.lower() == b.lower()\n" in made("missing-method", text)


def test_signs_of_the_test_stand_in_for_another() -> None:
    text = "def f(s):\n    return s.count('(')\n"
    found = made("constant", text, literals=("'[x]'",))
    assert "def f(s):\n    return s.count('[')\n" in found
    assert "def f(s):\n    return s.count('x')\n" not in found


def test_a_variable_in_quotes() -> None:
    assert "def f(text):\n    return g(text)\n" in made("constant", "def f(text):\n    return g('text')\n")


def test_two_statements_are_deleted_together() -> None:
    text = "def f(a):\n    a = 1\n    b = a\n    return a\n"
    assert "def f(a):\n    return a\n" in made("delete-statement", text)


def test_arguments_that_are_collected_are_not_converted() -> None:
    text = "def f(a, *more, **rest):\n    return a\n"
    found = made("normalise-parameter", text)
    assert "def f(a, *more, **rest):\n    if a is None:\n        a = []\n    return a\n" in found
    assert not any("more = " in candidate or "rest = " in candidate for candidate in found)


def test_parameters_that_exclude_each_other_are_asked_for_together() -> None:
    text = "def f(required=False, missing=nothing):\n    return required\n"
    error = "ValueError('missing is not for required fields')"
    guard = f"    if required and missing is not nothing:\n        raise {error}\n"
    assert text.replace("\n    return", f"\n{guard}    return") in made("missing-raise", text, expected=(error,))


def test_a_block_asks_for_an_attribute_whose_method_it_calls() -> None:
    text = "def f(self, a):\n    if a:\n        self.b.close()\n"
    assert "def f(self, a):\n    if a and self.b is not None:\n        self.b.close()\n" in made("used-value", text)


def test_a_guard_moves_into_the_try_that_follows() -> None:
    text = "def f(a):\n    if a is None:\n        return\n    try:\n        return g(a)\n    except E:\n        pass\n"
    inside = "        if a is None:\n            return\n        return g(a)\n"
    after = f"def f(a):\n    try:\n{inside}    except E:\n        pass\n"
    assert after in made("move-block", text)


def test_branches_are_exchanged_with_their_bodies() -> None:
    text = (
        "def f(a):\n    if a:\n        b = 1\n        c = 2\n    elif g(a):\n        b = 3\n    else:\n        b = 4\n"
    )
    after = (
        "def f(a):\n    if g(a):\n        b = 3\n    elif a:\n        b = 1\n        c = 2\n    else:\n        b = 4\n"
    )
    assert after in made("branch-order", text)


def test_a_name_is_no_attribute_where_a_function_has_it() -> None:
    text = "def f(self, a):\n    def size(x):\n        return x\n    return self.size(a)\n"
    assert text.replace("self.size", "size") in made("bare-name", text)


def test_only_what_may_be_a_container_is_copied() -> None:
    text = "def f(a):\n    return a\n"
    assert "def f(a):\n    return a.copy()\n" in made("alias", text, types={"a": frozenset({"list"})})
    assert made("alias", text, types={"a": frozenset({"int"})}) == set()


def test_a_switch_decides_whether_a_value_is_passed_on() -> None:
    text = "def f(a, named=True):\n    return g(index=a)\n"
    assert "def f(a, named=True):\n    return g(index=a if named else None)\n" in made("conditional-value", text)


def test_only_operators_are_asked_about_other_classes() -> None:
    text = "    def {}(self, other):\n        return self.n < other.n\n"
    guard = "        if not isinstance(other, C):\n            return NotImplemented\n"
    assert any(guard in body for body in made("foreign-operand", text.format("__lt__"), classes=("C",)))
    assert made("foreign-operand", text.format("merge"), classes=("C",)) == set()


def test_expressions_of_other_functions_with_the_same_variable() -> None:
    text = "def f(size):\n    return size\n"
    module = text + "\n\ndef g(size):\n    size.append(1)\n    return int(size.strip())\n"
    found = made("kindred-expression", text, module=module)
    assert "def f(size):\n    return size.strip()\n" in found
    assert not any("append" in body for body in found)
