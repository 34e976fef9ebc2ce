import pytest

from karkhana.domain.chat import StopReason
from karkhana.domain.errors import InvalidSetting
from karkhana.routing.fake.script import Kind, read_script

GOOD = """
seed = 7
models = ["large"]

[latency]
first_s = 0.5

[price.large]
input = "0.15"
output = "0.60"

[[answer]]
says = "weather"
text = "It rains."
stop = "length"

[[answer]]
calls = [{ name = "look" }]

[[fault]]
kind = "rate_limited"
every = 10
"""


def test_a_whole_script_is_read() -> None:
    script = read_script(GOOD)
    assert (script.seed, script.models, script.latency.first_s) == (7, ("large",), 0.5)
    assert script.answer[0].stop is StopReason.LENGTH
    assert script.answer[1].calls[0].name == "look"
    assert script.fault[0].kind is Kind.RATE_LIMITED
    assert str(script.price["large"].input) == "0.15"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 7", 'seed = "x"', r"line 2: seed: Expected `int`"),
        ("seed = 7", "sead = 7", r"line 2: sead: .*unknown field"),
        ("seed = 7", "seed = [", r"line 3"),
        ("first_s = 0.5", "first_s = -1", r"line [56]: latency.*not be negative"),
        ("first_s = 0.5", "piece_chars = 0", r"line 6: latency.piece_chars: .*at least 1"),
        ('says = "weather"', 'says = "("', r"line 13: answer.0.says: .*regular expression"),
        ('text = "It rains."', 'text = "a"\necho = true', r"line 1\d: answer.0.*only one of"),
        ('stop = "length"', 'stop = "lunch"', r"line 15: answer.0.stop: .*lunch"),
        ('name = "look"', 'nome = "look"', r"line 18: answer.1.calls.0"),
        ('kind = "rate_limited"', "", r"line 2\d: fault.0: .*missing required field `kind`"),
        ('kind = "rate_limited"', 'kind = "smoke"', r"line 21: fault.0.kind: .*smoke"),
        ("every = 10", "", r"line 2\d: fault.0.*exactly one of every, at, probability and for_s"),
        ("every = 10", "every = 10\nat = [1]", r"line 2\d: fault.0.*exactly one of"),
        ("every = 10", "every = 0", r"line 2\d: fault.0.*counted from 1"),
        ("every = 10", "probability = 2", r"line 22: fault.0.probability: .*from 0 to 1"),
        ("every = 10", "for_s = 9\nevery_s = 3", r"line 2[23]: fault.0.for_s: .*at most every_s"),
        ("every = 10", "every = 10\nstatus = 200", r"line 23: fault.0.status: .*400 to 599"),
        ('input = "0.15"', 'input = "-1"', r"line 9: price.*not negative"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(InvalidSetting, match=said) as caught:
        read_script(GOOD.replace(old, new), "my.toml")
    assert str(caught.value).startswith("my.toml")
    assert caught.value.next


def test_a_giant_script_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="more than"):
        read_script("#" * 1_000_001)
