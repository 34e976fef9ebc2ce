"""What the gateway answers from memory, and to whom."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_examples import CHAT, CONFIGURATION, QUESTION, Holders, closed, house, run

from karkhana.domain.spending import Account
from karkhana.routing.attempt import Place
from karkhana.routing.gateway.cache import Cache
from karkhana.routing.gateway.doors import peek
from karkhana.routing.gateway.sending import Kept
from karkhana.routing.settings import CacheSettings
from karkhana.routing.wires.registry import WIRES
from karkhana.storage.ledger_reading import LedgerReader

CACHED = CONFIGURATION + "[cache]\nentries = 100\n"
EXACT = QUESTION | {"temperature": 0}
PLACE = Place("p", "m", "1")


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (CHAT, {}),
        (CHAT, {"stream": True}),
        ("/v1/messages", {"max_tokens": 50}),
        ("/v1/messages", {"max_tokens": 50, "stream": True}),
    ],
)
def test_the_same_request_gets_the_same_bytes_and_costs_nothing(tmp_path: Path, path: str, more: Any) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=CACHED) as h:
            first, second = [await h.ask(path, EXACT | more) for _ in range(2)]
            assert (first.status, first.header("x-karkhana-cache")) == (200, "miss")
            assert (second.status, second.header("x-karkhana-cache")) == (200, "hit")
            assert first.body == second.body
            assert b"four" in second.body
            assert second.header("content-type") == first.header("content-type")
            assert second.header("x-karkhana-route") == "cloud/large"
            assert second.header("x-karkhana-cost-usd") == "0"
            assert second.header("x-karkhana-call") != first.header("x-karkhana-call")
            assert h.asked == 1
        assert len(LedgerReader(h.database).entries()) == 1

    run(work())


def test_a_stream_of_responses_is_kept_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=CACHED) as h:
            body = {"model": "smart", "input": "What is 2 + 2?", "temperature": 0, "stream": True}
            said = [await h.ask("/v1/responses", body) for _ in range(2)]
            assert [s.header("x-karkhana-cache") for s in said] == ["miss", "hit"]

    run(work())


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "user", "content": "What is 2 + 3?"}]},
        {"stream": True},
        {"max_tokens": 9},
        {"model": "cloud/large"},
        {"seed": 1},
    ],
)
def test_another_request_is_another_answer(tmp_path: Path, other: Any) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=CACHED) as h:
            await h.ask(CHAT, EXACT)
            assert (await h.ask(CHAT, EXACT | other)).header("x-karkhana-cache") == "miss"
            assert h.asked == 2

    run(work())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (QUESTION, {}),
        (QUESTION | {"temperature": 0.1}, {}),
        (EXACT, {"cache_control": "no-store"}),
        (EXACT | {"tools": [{"type": "web_search"}]}, {}),
        (EXACT | {"previous_response_id": "r"}, {}),
        (EXACT | {"thread": {"type": "continue", "previous_message_id": "m"}}, {}),
    ],
)
def test_what_may_not_be_answered_from_memory_is_not(tmp_path: Path, body: Any, headers: Any) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=CACHED) as h:
            for _ in range(2):
                assert (await h.ask(CHAT, body, **headers)).header("x-karkhana-cache") == ""
            assert h.asked == 2
            assert h.assembly.insight.cache is not None
            assert h.assembly.insight.cache.entries == 0

    run(work())


@pytest.mark.parametrize("header", [{"cache_control": "no-cache"}, {"x_karkhana_after": "1-1"}])
def test_who_wants_another_answer_gets_it_and_it_is_remembered(tmp_path: Path, header: dict[str, str]) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=CACHED) as h:
            told = [await h.ask(CHAT, EXACT, **more) for more in ({}, header, {})]
            assert [t.header("x-karkhana-cache") for t in told] == ["miss", "miss", "hit"]
            assert told[2].body == told[1].body

    run(work())


@pytest.mark.parametrize(
    ("share", "hits"),
    [("key", ["miss", "hit", "miss", "miss", "miss"]), ("team", ["miss", "hit", "hit", "miss", "miss"])],
)
def test_answers_are_shared_only_with_whom_the_configuration_says(tmp_path: Path, share: str, hits: list[str]) -> None:
    team = {"team": "web"}
    holders = Holders(("ann", team), ("bob", team), ("eve", {"team": "ops"}), ("tom", {}))

    async def work() -> None:
        text = closed(CACHED) + f'share = "{share}"\n'
        async with house(tmp_path, configuration=text, clients=holders) as h:
            asked = ["ann", "ann", "bob", "eve", "tom"]
            told = [await h.ask(CHAT, EXACT, authorization=holders.bearer(name)) for name in asked]
            assert [t.header("x-karkhana-cache") for t in told] == hits

    run(work())


def test_a_hit_is_let_in_like_any_request(tmp_path: Path) -> None:
    holders = Holders(("ann", {"team": "t", "requests_per_minute": 2}), ("bob", {"team": "t", "models": ("other",)}))

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CACHED) + 'share = "all"\n', clients=holders) as h:
            told = [await h.ask(CHAT, EXACT, authorization=holders.bearer("ann")) for _ in range(3)]
            assert [t.status for t in told] == [200, 200, 429]
            assert (await h.ask(CHAT, EXACT, authorization=holders.bearer("bob"))).status == 404
            assert (await h.ask(CHAT, EXACT, authorization="Bearer kk_no")).status == 401

    run(work())


def test_hits_use_no_tokens_of_a_limit(tmp_path: Path) -> None:
    holders = Holders(("ann", {"tokens_per_minute": 200}))

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CACHED), clients=holders) as h:
            told = [await h.ask(CHAT, EXACT, authorization=holders.bearer("ann")) for _ in range(20)]
            assert {t.status for t in told} == {200}

    run(work())


def test_a_stream_that_breaks_off_is_not_remembered(tmp_path: Path) -> None:
    script = f'[[fault]]\nkind = "half"\nat = [1]\n[[answer]]\ntext = "{"four " * 50}"\n'

    async def work() -> None:
        async with house(tmp_path, configuration=CACHED, script=script) as h:
            told = [await h.ask(CHAT, EXACT | {"stream": True}) for _ in range(3)]
            assert [t.header("x-karkhana-cache") for t in told] == ["miss", "miss", "hit"]
            assert b"[DONE]" not in told[0].body
            assert told[2].body.endswith(b"data: [DONE]\n\n")

    run(work())


class Stream:
    """An answer of two pieces."""

    failed = False

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._text[:7]
        yield self._text[7:]

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("wire", "text", "kept"),
    [
        ("openai", b'data: {"choices":[]}\n\ndata: [DONE]\n\n', True),
        ("openai", b'data: {"choices":[]}\r\n\r\ndata: [DONE]\r\n\r\n', True),
        ("openai", b'data: {"choices":[]}\n\ndata: {"error":{"message":"x"}}\n\n', False),
        ("openai", b'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n', False),
        ("anthropic", b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        ("anthropic", b"event: message_stop\ndata: {}\n\nevent: error\ndata: {}\n\n", False),
        ("openai_responses", b"event: response.completed\ndata: {}\n\n", True),
        ("openai_responses", b"event: response.failed\ndata: {}\n\n", False),
    ],
)
def test_only_a_stream_whose_wire_says_that_it_is_whole_is_kept(wire: str, text: bytes, kept: bool) -> None:
    cache = Cache(CacheSettings(entries=2))
    body = b'{"model":"m","temperature":0,"stream":true}'

    async def work() -> None:
        slot = cache.slot(WIRES[wire], [], Account(), peek(body), body)
        assert slot is not None
        assert b"".join([piece async for piece in slot.recorded(Stream(text), PLACE).pieces()]) == text

    run(work())
    again = cache.slot(WIRES[wire], [], Account(), peek(body), body)
    assert again is not None
    assert (again.found.body if again.found is not None else b"") == (text if kept else b"")


def test_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    script = '[[fault]]\nkind = "invalid"\nat = [1]\n[[answer]]\ntext = "four"\n'

    async def work() -> None:
        async with house(tmp_path, configuration=CACHED, script=script) as h:
            assert [(await h.ask(CHAT, EXACT)).status for _ in range(2)] == [400, 200]

    run(work())


def test_answers_grow_old(tmp_path: Path) -> None:
    del tmp_path
    now = [0.0]
    cache = Cache(CacheSettings(entries=10, ttl_s=60), lambda: now[0])
    cache.keep("a", Kept(b"{}", PLACE, False))
    now[0] = 59.9
    assert cache.find("a") is not None
    now[0] = 60.0
    assert cache.find("a") is None
    assert (cache.entries, cache.bytes) == (0, 0)


def test_neither_entries_nor_bytes_pass_their_bounds() -> None:
    cache = Cache(CacheSettings(entries=50, megabytes=1))
    for number in range(300):
        cache.keep(str(number), Kept(bytes(number * 500 % 140_000), PLACE, False))
        assert cache.entries <= 50
        assert cache.bytes <= 1 << 20
    cache.keep("large", Kept(bytes(cache.largest + 1), PLACE, False))
    assert cache.find("large") is None
    cache.clear()
    assert (cache.entries, cache.bytes) == (0, 0)


def test_what_was_asked_for_last_is_forgotten_last() -> None:
    cache = Cache(CacheSettings(entries=2))
    for name in ("a", "b"):
        cache.keep(name, Kept(b"{}", PLACE, False))
    cache.find("a")
    cache.keep("c", Kept(b"{}", PLACE, False))
    assert [cache.find(name) is not None for name in "abc"] == [True, False, True]


def test_a_name_that_stands_twice_in_a_body_is_not_answered_from_memory() -> None:
    cache = Cache(CacheSettings(entries=2))
    body = b'{"model":"m","temperature":0,"messages":[],"messages":[1]}'
    assert cache.slot(WIRES["openai"], [], Account(), peek(body), body) is None
