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
