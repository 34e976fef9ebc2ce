import pytest

from karkhana.engineers.symbolic.reproduction.scenes import scenes
from karkhana.engineers.symbolic.reproduction.ticket import BLOCKS_MAX, blocks, parsed
from karkhana.engineers.symbolic.reproduction.traces import read

MIXED = """\
It fails

```python
f(1)
```

Traceback (most recent call last):
  File "x.py", line 1, in <module>
    f(1)
ValueError: no

    >>> f(2)
    3

```bash
pip list
```
"""


def test_kinds_of_blocks() -> None:
    assert [b.kind for b in blocks(MIXED)] == ["prose", "code", "trace", "session", "output"]


def test_ipython_sessions_are_sessions() -> None:
    (scene,) = scenes(blocks("In [1]: f(2)\nOut[1]: 3\n"))
    assert scene.subject == "f(2)"
    assert [s.text for s in scene.said] == ["3"]


def test_the_last_traceback_counts() -> None:
    text = "Traceback (most recent call last):\nKeyError: 1\n\nDuring handling\n\n"
    text += 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g(1)\na.b.OddError: why: not\n'
    trace = read(text)
    assert trace is not None
    assert (trace.exception, trace.module, trace.message) == ("OddError", "a.b", "why: not")
    assert [frame.source for frame in trace.frames] == ["g(1)"]


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 5000 + "1", "x" + ".a" * 4000, "\0", "f'{" * 500, "\ud800"])
def test_hostile_code_is_no_code(text: str) -> None:
    parsed(text)  # must not end the process, nor raise


def test_the_number_of_blocks_is_bounded() -> None:
    assert len(blocks("text\n```\ncode()\n```\n" * 2000)) <= BLOCKS_MAX + 2


def subjects(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(scene.setup, scene.subject) for scene in scenes(blocks(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "With `s = parse('x')` I expected `s.name()` to be `a`.",
            (("s = parse('x')",), "s.name()"),
        ),
        (
            "```pytb\nTraceback (most recent call last):\n"
            '  File "web.py", line 3, in view\n    cart.clear()\n'
            '  File "shop/cart.py", line 9, in clear\n    self.items.clear()\n'
            "AttributeError: 'NoneType' object has no attribute 'clear'\n```\n\nHere `cart` is a `Cart(None)`.",
            (("cart = Cart(None)",), "cart.clear()"),
        ),
        (
            "Input:\n\n```md\n* a\n```\n\nOutput of `render(text)`:\n\n```html\n<p>* a</p>\n```\n",
            (("text = '* a'",), "render(text)"),
        ),
        (
            "```python\ndata, errors = load('x')\n```\n\nI would expect `data` to be `[1]`, but it is `[]`.",
            (("data, errors = load('x')",), "data"),
        ),
    ],
)
def test_names_come_from_elsewhere_in_the_ticket(text: str, expected: tuple[tuple[str, ...], str]) -> None:
    assert expected in subjects(text)


def test_marks_of_forms_and_the_machine_are_left_out() -> None:
    text = (
        "<!-- e.g. `f(9)` returns 1 -->\n> `f(1)` returns 2 instead of 3.\n\n"
        "### Environment\n\n- Python: 3.11\n- `g(4)` 5\n\n### More\n\nThanks"
    )
    found = blocks(text)
    assert [scene.subject for scene in scenes(found)] == ["f(1)"]
    assert "Thanks" in found[-1].text
