"""Examples are read line by line, each text once."""

import pytest

from karkhana.domain.errors import InvalidInput
from karkhana.routing.policy import wording_examples
from karkhana.routing.policy.wording_examples import examples


def test_a_text_with_several_models_is_one_and_the_last_word_counts() -> None:
    lines = [
        '{"text": "a", "model": "p/s", "passed": true}',
        "",
        b'{"text": "b"}',
        '{"text": "a", "model": "p/l", "passed": false}',
        '{"text": "a", "model": "p/s", "passed": false}',
    ]
    assert examples(lines) == (["a", "b"], {0: {"p/s": False, "p/l": False}})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", "line 2: JSON is malformed"),
        ('{"text": 7}', "line 2: Expected `str`"),
        ('{"text": "a", "passed": true}', "line 2: model and passed belong together"),
        ('{"text": "a", "model": "p/s"}', "line 2: model and passed belong together"),
        ('{"text": "a", "answer": "b"}', "line 2: Object contains unknown field"),
        (b'{"text": "\xff"}', "line 2:"),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str | bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        examples(['{"text": "fine"}', line])


def test_there_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording_examples, "MOST", 2)
    with pytest.raises(InvalidInput, match="more than 2 lines"):
        examples(['{"text": "a"}'] * 3)
