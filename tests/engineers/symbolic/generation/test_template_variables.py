"""Variables of other types, and bounds from whole numbers in scope."""

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.scene import Scene
from karkhana.engineers.symbolic.generation.source import FunctionView

TYPES = {"items": frozenset({"list"}), "n": frozenset({"int"}), "name": frozenset({"str"}), "m": frozenset({"int"})}


def made(template: str, text: str, *failures: str) -> dict[str, float]:
    """What a template makes of a function, with the weights."""
    scene = Scene(FunctionView(text, 1), types=TYPES, failures=tuple(Failure(type=kind) for kind in failures))
    return {apply(text, idea.edits): idea.weight for idea in catalogue()[template].ideas(scene)}


def test_a_variable_of_another_type_is_less_likely_but_possible() -> None:
    text = "def f(items, n, m):\n    return n\n"
    other, same = text.replace("return n", "return items"), text.replace("return n", "return m")
    usual, after_error = made("variable", text), made("variable", text, "TypeError")
    assert 0 < usual[other] < after_error[other] < after_error[same] == usual[same]


def test_a_missing_bound_is_a_whole_number_in_scope() -> None:
    text = "def f(items, n, name):\n    return items[:]\n"
    found = made("slice-bounds", text)
    for bound in ("n:", ":n", "-n:", ":-n"):
        assert text.replace("[:]", f"[{bound}]") in found
    assert not any("name]" in candidate or "[name" in candidate for candidate in found)


def test_a_slice_may_end_before_or_at_a_count_that_was_never_seen() -> None:
    text = "def f(items, other):\n    half = len(items) // 2\n    return f(items)\n"
    found = made("missing-slice", text)
    assert text.replace("f(items)\n", "f(items[:half])\n") in found
    assert text.replace("f(items)\n", "f(items[-half:])\n") in found
    assert text.replace("f(items)\n", "f(items[:other])\n") not in found
