"""Rates out of genai-prices cost exactly what that package itself says, for all of its models."""

import random
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.data import providers
from genai_prices.types import Usage as TheirUsage

from karkhana.domain.chat import Usage
from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.money import PICO, Unpriced, usd
from karkhana.routing.configuration import read_configuration
from karkhana.routing.prices import PriceBook, cost
from karkhana.routing.prices_shipped import Wanted, card, looked_up, price_book, shipped

TIMES = [
    datetime(2024, 1, 1, 3, tzinfo=UTC),
    datetime(2026, 11, 21, 17, tzinfo=UTC),
    datetime(2027, 6, 1, 0, 15, tzinfo=UTC),
]
TOKENS = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok"}
OURS = TOKENS | {"output_reasoning_mtok", "requests_kcount"}
OPENAI = Wanted("https://api.openai.com/v1", "gpt-4o-mini")
ANTHROPIC = Wanted("https://api.anthropic.com", "claude-sonnet-4-5")
NOBODY = Wanted("http://127.0.0.1:9", "gpt-4o-mini")


def usages(rng: random.Random) -> list[Usage]:
    def count(most: int) -> int:
        return rng.choice((0, 1, rng.randrange(most)))

    made = [
        Usage(
            input=count(300_000),
            cache_read=count(300_000),
            cache_write=count(100_000),
            cache_write_long=count(100_000),
            output=count(100_000),
        )
        for _ in range(3)
    ]
    return [*made, Usage(input=10, output=1000, reasoning=700)]


def theirs(usage: Usage) -> TheirUsage:
    return TheirUsage(
        input_tokens=usage.prompt,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write + usage.cache_write_long,
        cache_write_1h_tokens=usage.cache_write_long,
        output_tokens=usage.output,
        output_reasoning_tokens=usage.reasoning,
    )


def test_costs_agree_with_the_package_for_every_model_at_several_times() -> None:
    rng = random.Random(5)
    compared = 0
    for provider in providers:
        for model in provider.models:
            made = card(model, "v")
            if made is None:
                continue
            for at in TIMES:
                priced = {name for name, price in model.get_prices(at).__dict__.items() if price is not None}
                if any(name.endswith("_mtok") for name in priced - OURS):
                    # tokens of sound and pictures have prices of their own there, which a chat's usage does not tell
                    continue
                rate = PriceBook({("p", "m"): made}, at.timestamp).rate(("p", "m"))
                for usage in usages(rng):
                    expected = model.calc_price(theirs(usage), provider, genai_request_timestamp=at).total_price
                    # one with more places comes from prices with a float's noise
                    exact = expected == expected.quantize(PICO)
                    difference = abs(cost(usage, rate) - expected)
                    assert difference <= (0 if exact else PICO), (provider.id, model.id, usage)
                    compared += 1
    assert compared > 20_000


def test_servers_are_known_by_their_address() -> None:
    found = looked_up([OPENAI, ANTHROPIC, NOBODY, Wanted("https://api.openai.com/v1", "no-such-model")])
    assert [made is not None for made in found.cards] == [True, True, False, False]
    assert found.cards[1] is not None
    rate = found.cards[1][-1].rate
    assert rate.version.startswith(f"genai-prices {found.package} ")
    assert rate.context == 200_000
    assert len(rate.tiers) == 2
    assert cost(Usage(input=1_000_000 // 10), rate) == usd("0.3")


def test_another_process_says_the_same_and_a_file_remembers_it(tmp_path: Path) -> None:
    wanted = (OPENAI, ANTHROPIC, NOBODY)
    cache = tmp_path / "prices.json"
    found = shipped(wanted, cache)
    assert found == looked_up(wanted)
    marked = cache.read_bytes().replace(b'"version":"genai-prices', b'"version":"remembered genai-prices')
    cache.write_bytes(marked)
    again = shipped(wanted, cache)
    assert again.cards[0] is not None
    assert again.cards[0][0].rate.version.startswith("remembered")
    cache.write_bytes(b"{}")
    assert shipped(wanted, cache) == found


def test_what_breaks_the_other_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InfrastructureFailure, match="genai-prices"):
        shipped((OPENAI,))


CONFIGURATION = """
[provider.house]
wire = "openai"
base_url = "http://127.0.0.1:8080/v1"
[provider.openai]
wire = "openai"
base_url = "https://api.openai.com/v1"
[model.m]
candidates = ["house/llama", "house/other", "openai/gpt-4o-mini", "openai/gpt-4o"]
[price."house/llama"]
input = "0.05"
output = "0.2"
cache_write = "0.07"
[price."openai/gpt-4o"]
input = "1"
output = "2"
"""


def test_the_configuration_comes_before_what_is_shipped(tmp_path: Path) -> None:
    book = price_book(read_configuration(CONFIGURATION, environ={}), tmp_path / "prices.json")
    house, other = book.rate(("house", "llama")), book.rate(("house", "other"))
    assert isinstance(other, Unpriced)
    assert house.version.startswith("configuration ")
    assert cost(Usage(input=100, cache_read=100, cache_write=100, cache_write_long=100, output=100), house) == usd(
        "0.000044"
    )
    assert book.rate(("openai", "gpt-4o")).version != house.version
    assert cost(Usage(input=1_000_000, output=1_000_000), book.rate(("openai", "gpt-4o"))) == Decimal(3)
    assert book.rate(("openai", "gpt-4o-mini")).version.startswith("genai-prices ")


def test_this_process_does_not_load_the_data() -> None:
    code = (
        "import sys, karkhana.routing.prices_shipped; print('genai_prices' in sys.modules, 'pydantic' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
