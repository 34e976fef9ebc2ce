import time

import pytest

from karkhana.intake.kind_of_work import guess
from karkhana.intake.missing import given_in
from karkhana.intake.understanding import kind, priority
from karkhana.intake.words import TEXT_MAX, take_apart, words

PYTHON = """Cart fails

Traceback (most recent call last):
  File "/srv/shop/views.py", line 10, in show
    cart.total()
  File "/srv/shop/cart.py", line 3, in total
    raise KeyError(1)
KeyError: 1
"""
JAVA = (
    "It dies\n\nCaused by: java.lang.IllegalStateException: x\n"
    "\tat org.shop.Cart.total(Cart.java:12)\n\tat org.shop.Web.show(Web.java:7)"
)
SCRIPT = "It dies\nTypeError: x is undefined\n    at total (/srv/cart.js:10:3)\n    at async show (/srv/views.js:1:2)"


@pytest.mark.parametrize(
    ("text", "frames", "error"),
    [
        (PYTHON, ("cart.py:total", "views.py:show"), "KeyError"),
        (JAVA, ("Cart.java:total", "Web.java:show"), "IllegalStateException"),
        (SCRIPT, ("cart.js:total", "views.js:show"), "TypeError"),
    ],
)
def test_frames_are_read_from_the_error_outwards(text, frames, error):
    parts = take_apart(text)
    assert (parts.frames, parts.error) == (frames, error)


def test_code_is_told_from_prose():
    parts = take_apart("Title here\n\nsome prose\n\n```python\nx = compute(1)\n```\nmore prose\n\n    indented()\n")
    assert parts.prose == ("some", "prose", "more", "prose")
    assert "compute" in parts.code
    assert "indented" in parts.code
    assert parts.blocks == 2


def test_identifiers_are_words():
    assert words("CartTotal parse_http") == ("cart", "total", "parse", "http")


def test_an_empty_ticket_has_no_parts():
    parts = take_apart(" \n\n")
    assert (parts.headline, parts.title, parts.prose, parts.frames) == ("", (), (), ())


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1) x\n",
        "a(",
        "* b\n",
        "all ",
        "by ",
        "\n",
        "-a",
        "f(x)",
        'File "',
        "at a.b(",
        "``",
        "Aaa.Bbb.",
        "corrupts the ",
        "is ",
        "gives x ",
        "expected ",
    ],
)
def test_hostile_text_costs_little(piece):
    text = (piece * 200_000)[:200_000]
    guess(take_apart("load the model first"))
    begun = time.process_time()
    parts = take_apart(text)
    kind((), parts, text)
    priority((), text)
    given_in(parts, text)
    assert time.process_time() - begun < 1.0


def test_no_more_than_so_much_is_read():
    assert take_apart("word " * TEXT_MAX).title[-1] in ("word", "wor", "wo", "w")
    assert "late" not in take_apart("x\n" + "word\n" * TEXT_MAX + "late").prose
