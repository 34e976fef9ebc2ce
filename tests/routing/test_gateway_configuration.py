import pytest

from karkhana.domain.errors import InvalidSetting
from karkhana.routing.configuration import Candidate, read_configuration

GOOD = """
[gateway]
port = 4100

[provider.cloud]
wire = "openai"
base_url = "https://api.example.test/v1"
key_variables = ["CLOUD_KEY", "CLOUD_KEY_2"]

[provider.local]
wire = "openai"
base_url = "http://127.0.0.1:8080/v1"

[model.fast]
candidates = ["local/small", "cloud/org/large"]
output = 4096

[price."cloud/org/large"]
input = "0.15"
output = "0.60"
"""
ENVIRONMENT = {"CLOUD_KEY": "secret-one", "CLOUD_KEY_2": "secret-two"}


def test_a_whole_file_is_read() -> None:
    found = read_configuration(GOOD, environ=ENVIRONMENT)
    assert found.serving.port == 4100
    assert found.keys == {"cloud": ("secret-one", "secret-two"), "local": ()}
    assert found.models["fast"].candidates == (Candidate("local", "small"), Candidate("cloud", "org/large"))
    assert str(found.prices["cloud/org/large"].input) == "0.15"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port = 4100", "port = 99999", r"line 3: gateway.port is wrong: .*65535"),
        ("port = 4100", 'port = "x"', r"line 3: gateway.port is wrong: Expected `int`"),
        ("port = 4100", "prot = 4100", r"line 3: gateway.prot is wrong: .*unknown field"),
        ("port = 4100", 'host = "0.0.0.0"\nopen = true', r"line 4: gateway.open is wrong: .*loopback"),
        (
            'wire = "openai"\nbase_url = "https',
            'wire = "smoke"\nbase_url = "https',
            r"line 6: provider.cloud.wire .*one of",
        ),
        ("https://api.example.test/v1", "api.example.test", r"line 5: provider.cloud"),
        ('"CLOUD_KEY_2"', '"OTHER"', r"line 8: .*\(OTHER\) is not set"),
        ('"local/small"', '"small"', r"line 15: model.fast.* PROVIDER/MODEL"),
        ('"local/small"', '"else/small"', r"line 15: .*'else', which is not there"),
        ('input = "0.15"', 'input = "-1"', r"line 19: .*not negative"),
        ('input = "0.15"', "", r"line 1[789]: price.cloud/org/large .*missing"),
        ("[gateway]", "[getaway]", r"line 2: getaway is no part"),
        ("[gateway]", "[gateway", r"line 2"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidSetting, match=said) as caught:
        read_configuration(GOOD.replace(old, new, 1), environ=ENVIRONMENT)
    assert caught.value.next
    assert "secret" not in str(caught.value)


def test_without_a_provider_nothing_can_be_asked() -> None:
    with pytest.raises(InvalidSetting, match="no provider"):
        read_configuration("", environ={})
