"""Slips in rewritten functions."""

from karkhana.behaviour.spectra import FunctionPlace, Spectrum, TestRun
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.slips import mended, neighbours

FILE = '''\
"""Prices."""

RATE = 3


def helper(a):
    return a


class Cart:
    def tax(self):
        return self.net

    def total(self, prices):
        return sum(prices)
'''
METHOD = "    def total(self, prices):\n        return sum(prices)\n"


def place(text: str = METHOD, classes: tuple[str, ...] = ("Cart",), start: int = 14) -> Place:
    where = FunctionPlace(name="total", classes=classes, top=start, start=start, end=start + text.count("\n") - 1)
    suspect = Suspect(path="m.py", place=where, score=1.0, lines={start + 1: 1.0}, failing=(0,), passing=())
    return Place(suspect=suspect, text=text, file_text=FILE)


def test_what_the_standard_library_has_is_imported() -> None:
    found = mended(place(), METHOD.replace("sum(prices)", "math.fsum(defaultdict(int, prices))"))
    assert found.imports == ("from collections import defaultdict", "import math")


def test_imports_that_came_with_the_answer_are_kept() -> None:
    found = mended(place(), METHOD.replace("sum(prices)", "np.sum(prices)"), ("import numpy as np",))
    assert found.imports == ("import numpy as np",)
    assert found.text == METHOD.replace("sum(prices)", "np.sum(prices)")


def test_a_member_of_the_class_is_reached_through_self() -> None:
    assert mended(place(), METHOD.replace("sum(prices)", "sum(prices) + tax() + net")).text == METHOD.replace(
        "sum(prices)", "sum(prices) + self.tax() + self.net"
    )


def test_a_misspelt_name_is_the_one_that_it_resembles() -> None:
    assert mended(place(), METHOD.replace("sum(prices)", "helpr(price) * RATES")).text == METHOD.replace(
        "sum(prices)", "helper(prices) * RATE"
    )


def test_a_name_that_nothing_resembles_stays() -> None:
    text = METHOD.replace("sum(prices)", "quux(prices)")
    assert mended(place(), text).text == text


def test_small_changes_of_what_was_written_are_tried_where_it_changed_first() -> None:
    original = "def total(a, b):\n    if a > 10:\n        return a\n    return b\n"
    written = original.replace("return b", "return b < a")
    where = place(original, (), 1)
    where = Place(suspect=where.suspect, text=original, file_text=original)
    test = TestRun(name="t.py::t", outcome="failed", seconds=0.1)
    spectrum = Spectrum(tests=(test,), coverage={}, functions={})
    found = list(neighbours(where, written, spectrum, Circumstances(), lessons={}, told=""))
    texts = [text for _, _, text in found]
    assert original.replace("return b", "return b <= a") in texts
    assert found[0][1] == 1.0
    changed = [text.splitlines()[3] != "    return b < a" for text in texts[:10]]
    assert sum(changed) >= 5
