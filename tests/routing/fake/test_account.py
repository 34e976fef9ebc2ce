from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import Usage
from karkhana.routing.configuration import PriceEntry
from karkhana.routing.fake.account import Account

PRICES = {
    "large": PriceEntry(
        input=Decimal("3"), output=Decimal("15"), cache_read=Decimal("0.30"), cache_write=Decimal("3.75")
    ),
    "small": PriceEntry(input=Decimal("0.15"), output=Decimal("0.60")),
}


def test_each_class_of_tokens_has_its_price() -> None:
    account = Account(PRICES)
    account.enter("large", "answered", Usage(input=1, cache_read=10, cache_write=100, cache_write_long=1000, output=7))
    assert account.told()["usd"] == "0.004236"
    account.enter("small", "answered", Usage(input=1, cache_read=1, cache_write=1, cache_write_long=1, output=1))
    assert account.told()["models"]["small"]["usd"] == "0.0000012"
    assert account.told()["usd"] == "0.0042372"


def test_a_model_without_a_price_is_not_free() -> None:
    account = Account(PRICES)
    account.enter("other", "rate_limited")
    assert account.told()["usd"] == "0"
    account.enter("other", "answered", Usage(input=1))
    account.enter("small", "answered", Usage(input=1))
    assert account.told()["usd"] is None
    assert account.told()["models"]["small"]["usd"] == "0.00000015"


@given(st.lists(st.tuples(st.sampled_from(["large", "small"]), st.integers(0, 10**9), st.integers(0, 10**9))))
def test_the_total_is_the_sum_to_the_last_digit(entries: list[tuple[str, int, int]]) -> None:
    account = Account(PRICES)
    for model, given_tokens, made in entries:
        account.enter(model, "answered", Usage(input=given_tokens, output=made))
    exact = sum(PRICES[m].input * i + PRICES[m].output * o for m, i, o in entries) / Decimal(1_000_000)
    assert Decimal(account.told()["usd"]) == exact
    assert account.told()["requests"] == len(entries)


def test_one_request_is_found_by_its_clients_name() -> None:
    account = Account(PRICES)
    account.enter("small", "answered", Usage(input=4, output=2), name="call-1")
    account.enter("small", "stall", name="call-2")
    found = account.of("call-1")
    assert found is not None
    assert (found["usage"]["output"], found["usd"], found["outcomes"]) == (2, "0.0000018", {"answered": 1})
    assert (account.of("call-2") or {})["usd"] == "0"
    assert account.of("call-3") is None
