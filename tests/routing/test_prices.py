"""Costs are exact; bounds hold; what is not known is not nothing."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import ChatRequest, Image, Message, Role, Text, Tool, ToolCall, ToolResult, Usage
from karkhana.domain.money import Unpriced, usd
from karkhana.routing.prices import (
    ANSWER_TOKENS,
    Change,
    PriceBook,
    Rate,
    Tier,
    answer_tokens,
    body_tokens,
    bound,
    cost,
    picos_per_million,
    prompt_tokens,
    upper_bound,
)

COUNTS = st.integers(0, 400_000)
USAGES = st.builds(
    Usage, input=COUNTS, cache_read=COUNTS, cache_write=COUNTS, cache_write_long=COUNTS, output=COUNTS, reasoning=COUNTS
)


def tier(start: int, *prices: str) -> Tier:
    return Tier(start, *map(picos_per_million, prices))


SONNET = Rate(
    version="v",
    tiers=(tier(0, "3", "0.3", "3.75", "6", "15", "15"), tier(200_000, "6", "0.6", "7.5", "12", "22.5", "22.5")),
)
UNKNOWN = Unpriced("house/llama")


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(input=1000, cache_read=2000, cache_write=3000, cache_write_long=4000, output=500, reasoning=100)
    assert cost(usage, SONNET) == usd("0.003") + usd("0.0006") + usd("0.01125") + usd("0.024") + usd("0.0075")


def test_reasoning_may_have_a_price_of_its_own_and_a_call_too() -> None:
    rate = Rate(version="v", tiers=(tier(0, "1", "1", "1", "1", "8", "3"),), call=picos_per_million("0.012") * 10**6)
    assert cost(Usage(output=1_000_000, reasoning=400_000), rate) == usd("4.8") + usd("1.2") + usd("12000")


@pytest.mark.parametrize(("prompt", "price"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_the_tier_of_the_whole_prompt_holds_for_all_of_it(prompt: int, price: str) -> None:
    assert cost(Usage(input=prompt), SONNET) == usd(price)
    assert cost(Usage(input=1, cache_read=prompt - 1, output=1_000_000), SONNET) > usd(price)


def test_an_unknown_price_is_not_nothing() -> None:
    assert cost(Usage(input=1), UNKNOWN) is UNKNOWN
    assert bound(1, 1, UNKNOWN) is UNKNOWN
    assert PriceBook({}).rate(("house", "llama")) == UNKNOWN


@given(USAGES)
def test_a_bound_on_the_tokens_is_a_bound_on_the_cost(usage: Usage) -> None:
    exact = cost(usage, SONNET)
    assert not isinstance(exact, Unpriced)
    highest = bound(usage.prompt, usage.output, SONNET)
    assert not isinstance(highest, Unpriced)
    assert exact <= highest


@given(COUNTS, COUNTS)
def test_a_request_without_caching_has_a_lower_bound(prompt: int, answer: int) -> None:
    plain = bound(prompt, answer, SONNET, caches=False)
    assert cost(Usage(input=prompt, output=answer), SONNET) == plain
    assert plain <= bound(prompt, answer, SONNET)


def test_a_cost_never_has_more_digits_than_money() -> None:
    odd = Rate(version="v", tiers=(tier(0, *["0.18000000000000002"] * 6),))
    assert cost(Usage(input=1), odd) == Decimal("0.00000018")


def request(*parts: Text | Image | ToolCall | ToolResult, **fields) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role=Role.USER, parts=parts),), **fields)


@pytest.mark.parametrize(
    ("parts", "least"),
    [
        ((Text(text="the quick brown fox " * 100),), 400),
        ((Text(text="工場で働く" * 100),), 500),
        ((Image(media_type="image/png", data=b"x" * 5000),), 1600),
        ((ToolCall(id="1", name="run", arguments='{"a": 1}' * 50),), 150),
        ((ToolResult(id="1", parts=(Text(text="word " * 500),)),), 500),
    ],
)
def test_prompts_are_estimated_high(parts, least: int) -> None:
    assert least < prompt_tokens(request(*parts)) < 6 * least


def test_tools_and_formats_are_part_of_the_prompt() -> None:
    tools = (Tool(name="run", parameters={"type": "object", "description": "x" * 1000}),)
    assert prompt_tokens(request(tools=tools)) > prompt_tokens(request()) + 400


def test_pictures_in_a_body_do_not_count_as_text() -> None:
    picture = b'{"image_url":{"url":"data:image/png;base64,' + b"iVBORw0KGgo" * 50_000 + b'"}}'
    assert 4096 < body_tokens(picture) < 20_000
    document = b'{"source":{"type":"base64","data":"' + b"JVBERi0xLjQK" * 50_000 + b'"}}'
    assert 4096 < body_tokens(document) < 20_000
    assert body_tokens(b'{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}') > 4096
    assert body_tokens(b'{"content":"' + b"words " * 1000 + b'"}') > 2000


@pytest.mark.parametrize(
    "text",
    [
        "base64" + "A" * 100_000,
        "data:image/png;base64," + "A" * 100_000,
        'base64 "url": "data:image/png;base64,' + "A" * 100_000 + '"',
        'base64 \\"data\\":\\"' + "A" * 100_000 + '\\"',
    ],
)
def test_a_text_that_looks_like_a_picture_is_a_text(text: str) -> None:
    assert body_tokens(json.dumps({"messages": [{"role": "user", "content": text}]}).encode()) > 40_000


@pytest.mark.parametrize(
    ("asked", "limit", "expected"), [(100, None, 100), (100, 50, 50), (None, 50, 50), (None, None, ANSWER_TOKENS)]
)
def test_an_answer_is_as_long_as_asked_for_or_as_the_model_can(asked, limit, expected: int) -> None:
    assert answer_tokens(asked, limit) == expected
    assert answer_tokens(asked, limit, answers=3) == 3 * expected


def test_the_bound_of_a_request_has_its_prompt_and_its_answer() -> None:
    asked = request(Text(text="x" * 2000), max_tokens=1000)
    least, most = cost(Usage(input=500, output=1000), SONNET), cost(Usage(input=5000, output=1000), SONNET)
    assert least < upper_bound(asked, SONNET) < most
    assert upper_bound(asked, SONNET, answer_limit=10) < least


def flat(price: str) -> Rate:
    return Rate(version=price, tiers=(tier(0, *[price] * 6),))


class Clock:
    def __init__(self, text: str) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def test_a_price_changes_on_its_day() -> None:
    card = (Change(rate=flat("2")), Change(rate=flat("1"), since=date(2026, 12, 1)))
    clock = Clock("2026-11-30T23:59:59")
    book = PriceBook({("p", "m"): card}, clock)
    assert book.rate(("p", "m")).version == "2"
    clock.set("2026-12-01T00:00:00")
    assert book.rate(("p", "m")).version == "1"


@pytest.mark.parametrize(("start", "end"), [(time(16, 30), time(0, 30)), (time(1), time(5))])
def test_a_price_by_night_begins_and_ends(start: time, end: time) -> None:
    card = (Change(rate=flat("2")), Change(rate=flat("1"), start=start, end=end))
    clock = Clock("2026-11-21T12:00:00")
    book = PriceBook({("p", "m"): card}, clock)
    seen = [(time(12), "2"), (start, "1"), (end, "2"), (time(12), "2"), (start, "1")]
    for day, (moment, expected) in enumerate(seen, 22):
        clock.set(f"2026-11-{day}T{moment}")
        assert book.rate(("p", "m")).version == expected


def test_without_a_rate_that_holds_the_first_one_counts() -> None:
    card = (Change(rate=flat("2"), since=date(2030, 1, 1)), Change(rate=flat("1"), since=date(2031, 1, 1)))
    assert PriceBook({("p", "m"): card}, Clock("2026-11-21T12:00:00")).rate(("p", "m")).version == "2"
