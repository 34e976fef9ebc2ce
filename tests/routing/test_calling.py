import asyncio
from typing import Any

import pytest
from calling_examples import SENTENCE, Notebook, provided, question, run, several

from karkhana.domain.chat import Usage, collected
from karkhana.routing.attempt import Attempt, Outcome
from karkhana.routing.attempts import Retrying
from karkhana.routing.breaker import BreakerSettings, State
from karkhana.routing.calling import Caller, Reliability
from karkhana.routing.configuration import Candidate
from karkhana.routing.exchanges import PassedOn, Streamed, Whole
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.hedging import HedgingSettings
from karkhana.routing.wires.metering import OpenAIMeter

A, B, C = (Candidate(name, "m") for name in "abc")
USAGE = Usage(input=14, output=11)


def always(kind: str, more: str = "") -> str:
    return f'[[fault]]\nkind = "{kind}"\nevery = 1\n{more}\n'


def first(number: int, kind: str, more: str = "") -> str:
    return f'[[fault]]\nkind = "{kind}"\nat = {list(range(1, number + 1))}\n{more}\n'


def test_the_first_candidate_is_asked_first() -> None:
    async def work() -> None:
        book = Notebook()
        async with several("", "") as (providers, programs):
            called = await Caller(providers, observer=book).call([A, B], Whole(question()), 5.0, name="c1")
            assert programs[1].account.told()["requests"] == 0
        assert (called.answer.text, str(called.place), called.attempts, called.hedged) == (SENTENCE, "a/m#0", 1, False)
        assert book.story == [("a", "answered")]
        attempt, ending = book.ended[0]
        assert book.begun == [attempt]
        assert (attempt.call, attempt.number, ending.usage, ending.charged) == ("c1", 1, USAGE, True)
        assert ending.first_s is not None

    run(work())


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded", "unauthorised", "quota", "unknown_model", "too_long"])
def test_what_another_provider_may_do_is_asked_there_at_once(kind: str) -> None:
    async def work() -> None:
        book = Notebook()
        async with several(always(kind), "") as (providers, _):
            called = await Caller(providers, observer=book).call([A, B], Whole(question()), 5.0)
        assert called.place.provider == "b"
        assert book.story == [("a", "failed"), ("b", "answered")]
        assert book.ended[0][1].charged is False

    run(work())


@pytest.mark.parametrize("kind", ["server_error", "reset", "half", "malformed_json"])
def test_what_hits_one_request_is_asked_once_more_in_the_same_place(kind: str) -> None:
    async def work() -> None:
        book = Notebook()
        async with several(first(1, kind), "") as (providers, _):
            called = await Caller(providers, observer=book).call([A, B], Whole(question()), 5.0)
        assert (called.place.provider, called.attempts) == ("a", 2)
        # A provider may charge for what broke off, not for what it refused.
        assert book.ended[0][1].charged is (kind != "server_error")

    run(work())


@pytest.mark.parametrize(("kind", "fault"), [("invalid", Fault.INVALID), ("refused", Fault.REFUSED)])
def test_a_request_that_is_wrong_is_not_tried_elsewhere(kind: str, fault: Fault) -> None:
    async def work() -> None:
        async with several(always(kind), "") as (providers, programs):
            with pytest.raises(ProviderFault) as caught:
                await Caller(providers).call([A, B], Whole(question()), 5.0)
            assert [program.account.told()["requests"] for program in programs] == [1, 0]
        assert caught.value.fault is fault

    run(work())


def test_attempts_are_bounded_and_the_last_fault_is_told() -> None:
    async def work() -> None:
        book = Notebook()
        async with several(always("server_error"), always("overloaded")) as (providers, _):
            caller = Caller(providers, Reliability(retrying=Retrying(attempts=4, base_s=0.01)), observer=book)
            with pytest.raises(ProviderFault) as caught:
                await caller.call([A, B], Whole(question()), 5.0)
        assert [name for name, _ in book.story] == ["a", "a", "b", "b"]
        assert caught.value.fault is Fault.OVERLOADED

    run(work())


def test_a_provider_is_not_asked_again_before_it_said() -> None:
    async def work() -> None:
        async with several(first(1, "rate_limited", "retry_after_s = 0.3")) as (providers, _):
            loop = asyncio.get_running_loop()
            began = loop.time()
            called = await Caller(providers).call([A], Whole(question()), 5.0)
            assert loop.time() - began >= 0.3
            assert called.attempts == 2
        async with several(always("rate_limited", "retry_after_s = 30")) as (providers, programs):
            with pytest.raises(ProviderFault) as caught:
                await Caller(providers).call([A], Whole(question()), 1.0)
            assert programs[0].account.told()["requests"] == 1
            assert caught.value.retry_after_s == 30.0

    run(work())


def test_a_silent_provider_gets_only_a_part_of_the_time() -> None:
    async def work() -> None:
        async with several(always("stall"), "") as (providers, _):
            for exchange in (Whole(question()), Streamed(question())):
                called = await Caller(providers).call([A, B], exchange, 0.6)  # type: ignore[arg-type]
                assert called.place.provider == "b"

    run(work())


def test_keys_are_used_in_turn_and_refused_ones_rest() -> None:
    script = 'keys = ["good", "other"]\n[[fault]]\nkind = "quota"\nkey = "other"\nevery = 1'

    async def work() -> None:
        book = Notebook()
        async with provided(script, keys=["bad", "good", "other"]) as (provider, _):
            caller = Caller({"cloud": provider}, observer=book)
            for _ in range(6):
                await caller.call([Candidate("cloud", "m")], Whole(question()), 5.0)
        used = [(attempt.place.key, ending.outcome) for attempt, ending in book.ended]
        assert used.count(("1", Outcome.FAILED)) == 1
        assert used.count(("3", Outcome.FAILED)) == 1
        assert used.count(("2", Outcome.ANSWERED)) == 6
        assert sorted(caller.resting_keys()) == ["cloud/m#1", "cloud/m#3"]

    run(work())


def test_when_all_keys_rest_their_refusal_is_told() -> None:
    async def work() -> None:
        async with provided(always("unauthorised", 'message = "no such key: sk-9"'), keys=["sk-9"]) as (provider, fake):
            caller = Caller({"cloud": provider})
            for _ in range(3):
                with pytest.raises(ProviderFault, match=r"no such key: \[key\]") as caught:
                    await caller.call([Candidate("cloud", "m")], Whole(question()), 5.0)
                assert caught.value.fault is Fault.UNAUTHORISED
            assert fake.account.told()["requests"] == 1

    run(work())


def test_an_open_breaker_keeps_requests_away_until_a_probe_succeeds() -> None:
    settings = Reliability(breaker=BreakerSettings(in_a_row=3, open_s=0.3), hedging=HedgingSettings(share=0))

    async def work() -> None:
        async with several(first(3, "overloaded"), "") as (providers, programs):
            now = 100.0
            caller = Caller(providers, settings, clock=lambda: now)
            for _ in range(20):
                await caller.call([A, B], Whole(question()), 5.0)
            assert programs[0].account.told()["requests"] == 3
            assert caller.health()["a/m#0"].state is State.OPEN
            now += 0.3
            for _ in range(200):
                await caller.call([A, B], Whole(question()), 5.0)
            assert caller.health()["a/m#0"].state is State.CLOSED
            assert programs[0].account.told()["requests"] > 100

    run(work())


def test_when_nobody_takes_requests_the_call_says_when_to_come_back() -> None:
    settings = Reliability(breaker=BreakerSettings(in_a_row=1, open_s=60))

    async def work() -> None:
        async with several(always("overloaded")) as (providers, programs):
            caller = Caller(providers, settings)
            for _ in range(5):
                with pytest.raises(ProviderFault) as caught:
                    await caller.call([A], Whole(question()), 0.5)
            assert programs[0].account.told()["requests"] == 1
        assert caught.value.code == "no_provider"
        assert caught.value.retry_after_s is not None
        assert 50 < caught.value.retry_after_s <= 60

    run(work())


def test_a_call_waits_for_a_breaker_that_opens_in_time() -> None:
    settings = Reliability(breaker=BreakerSettings(in_a_row=1, open_s=0.2), retrying=Retrying(base_s=0.001))

    async def work() -> None:
        async with several(first(1, "overloaded")) as (providers, _):
            called = await Caller(providers, settings).call([A], Whole(question()), 5.0)
        assert called.attempts == 2

    run(work())


@pytest.mark.parametrize("says", ["retry_after_s = 20\n", ""])
def test_a_long_wait_is_left_to_the_client(says: str) -> None:
    """A provider that is down, or asks for much time, must not hold every request for minutes."""
    settings = Reliability(breaker=BreakerSettings(in_a_row=1, open_s=20))

    async def work() -> None:
        async with several(always("rate_limited") + says) as (providers, programs):
            caller = Caller(providers, settings)
            with pytest.raises(ProviderFault) as caught:
                await caller.call([A], Whole(question()), 600.0)
            assert caught.value.fault is Fault.RATE_LIMITED
            assert caught.value.retry_after_s == (20 if says else None)
            with pytest.raises(ProviderFault) as caught:
                await caller.call([A], Whole(question()), 600.0)
            assert caught.value.code == "no_provider"
            assert 15 < (caught.value.retry_after_s or 0) <= 20
            assert programs[0].account.told()["requests"] == 1

    run(work())


async def warmed(caller: Caller, exchange: Any, calls: int = 25) -> None:
    """Fast answers, so that it is known what is slow, and second requests saved up."""
    for _ in range(calls):
        called = await caller.call([A, B], exchange, 5.0)
        if hasattr(called.answer, "close"):
            async for _ in called.answer:
                pass


@pytest.mark.parametrize("exchange", [Whole(question()), Streamed(question())], ids=["whole", "stream"])
def test_a_slow_request_gets_a_second_one_elsewhere_and_the_loser_is_accounted(exchange: Any) -> None:
    # Nothing is known before the last call of the warm-up: a slow machine must not use its second requests up there.
    settings = Reliability(hedging=HedgingSettings(shortest_s=0.05, least=25))
    stall = '[[fault]]\nkind = "stall"\nat = [26]'

    async def work() -> None:
        book = Notebook()
        async with several(stall, "") as (providers, programs):
            caller = Caller(providers, settings, observer=book)
            await warmed(caller, exchange)
            called = await caller.call([A, B], exchange, 5.0)
            assert called.place.provider == "b"
            assert (called.hedged, called.attempts) == (True, 2)
            if hasattr(called.answer, "close"):
                assert collected([delta async for delta in called.answer]).text == SENTENCE
            assert programs[0].account.told()["outcomes"] == {"answered": 25, "stall": 1}
        assert sorted(book.story[25:]) == [("a", "left"), ("b", "answered")]
        loser = next(ending for attempt, ending in book.ended[25:] if attempt.place.provider == "a")
        assert loser.charged
        assert loser.usage is None
        assert [attempt.hedge for attempt in book.begun[25:]] == [False, True]
        assert len(book.begun) == len(book.ended)

    run(work())


def test_second_requests_are_at_most_a_twentieth() -> None:
    settings = Reliability(hedging=HedgingSettings(shortest_s=0.001, least=5, quantile=0.1))

    async def work() -> None:
        book = Notebook()
        script = "[latency]\nspread_s = 0.02"
        async with several(script, script) as (providers, _):
            caller = Caller(providers, settings, observer=book)
            for _ in range(4):
                await asyncio.gather(*(caller.call([A, B], Whole(question()), 5.0) for _ in range(50)))
        assert 0 < sum(attempt.hedge for attempt in book.begun) <= 10
        assert len(book.begun) == len(book.ended)

    run(work())


def test_a_stream_that_breaks_before_its_first_word_is_asked_again_and_after_it_is_not() -> None:
    async def work() -> None:
        book = Notebook()
        # Its usage says whether the broken answer was the one that is read.
        async with several(always("server_error"), always("half")) as (providers, _):
            called = await Caller(providers, Reliability(retrying=Retrying(base_s=0.001)), observer=book).call(
                [A, B], Streamed(question()), 5.0
            )
            assert called.place.provider == "b"

            async def read() -> None:
                async for _ in called.answer:
                    pass

            with pytest.raises(ProviderFault) as caught:
                await read()
        assert caught.value.fault is Fault.BROKEN
        assert book.story == [("a", "failed"), ("a", "failed"), ("b", "broke_off")]

    run(work())


def test_a_whole_stream_is_told_with_its_usage() -> None:
    async def work() -> None:
        book = Notebook()
        async with several("[latency]\npiece_s = 0.001") as (providers, _):
            called = await Caller(providers, observer=book).call([A], Streamed(question()), 5.0)
            assert not book.ended
            assert collected([delta async for delta in called.answer]).text == SENTENCE
        assert [ending.usage for _, ending in book.ended] == [USAGE]

    run(work())


def test_a_stream_that_the_client_leaves_is_told_as_left() -> None:
    async def work() -> None:
        book = Notebook()
        async with several("[latency]\npiece_s = 0.2\npiece_chars = 4") as (providers, programs):
            called = await Caller(providers, observer=book).call([A], Streamed(question()), 5.0)
            await anext(called.answer)
            called.answer.close()
            await asyncio.sleep(0.1)
            assert programs[0].account.told()["outcomes"] == {"left": 1}
        assert book.story == [("a", "left")]

    run(work())


def test_a_call_that_is_given_up_is_told_as_left() -> None:
    async def work() -> None:
        book = Notebook()
        async with several(always("stall")) as (providers, _):
            task = asyncio.create_task(Caller(providers, observer=book).call([A], Whole(question()), 5.0))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert book.story == [("a", "left")]

    run(work())


def test_an_observer_may_forbid_a_request() -> None:
    class Broke(Notebook):
        async def begins(self, attempt: Attempt) -> None:
            raise PermissionError("the budget is used up")

    async def work() -> None:
        book = Broke()
        async with several("") as (providers, programs):
            caller = Caller(providers, Reliability(breaker=BreakerSettings(in_a_row=1)), observer=book)
            with pytest.raises(PermissionError):
                await caller.call([A], Whole(question()), 5.0)
            assert programs[0].account.told()["requests"] == 0
            assert caller.health()["a/m#0"].state is State.CLOSED
        assert not book.ended

    run(work())


def test_a_provider_whose_wire_has_no_word_for_it_is_passed_over() -> None:
    async def work() -> None:
        async with several("", "") as (providers, programs):
            with pytest.raises(ProviderFault) as caught:
                await Caller(providers).call([A, B], Whole(question(text="\ud800")), 5.0)
            assert [program.account.told()["requests"] for program in programs] == [0, 0]
        assert caught.value.fault is Fault.INVALID

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_bytes_are_passed_on_with_failover(stream: bool) -> None:
    options = ',"stream":true,"stream_options":{"include_usage":true}' if stream else ""

    def body(model: str) -> bytes:
        return f'{{"model":"{model}","messages":[{{"role":"user","content":"abcd"}}]{options}}}'.encode()

    async def work() -> None:
        book = Notebook()
        async with several(always("overloaded"), "") as (providers, _):
            exchange = PassedOn("openai", body, OpenAIMeter, stream=stream, headers=[(b"x-mine", b"1")])
            called = await Caller(providers, observer=book).call([A, B], exchange, 5.0)
            data = b"".join([piece async for piece in called.answer])
        assert b"abcd" in data
        assert book.story == [("a", "failed"), ("b", "answered")]
        assert book.ended[1][1].usage == Usage(input=4, output=1)

    run(work())


def test_bytes_of_another_wire_are_not_passed_on() -> None:
    async def work() -> None:
        async with several("") as (providers, programs):
            exchange = PassedOn("anthropic", lambda _: b"{}", OpenAIMeter, stream=False, headers=[])
            with pytest.raises(ProviderFault, match="does not speak anthropic"):
                await Caller(providers).call([A], exchange, 5.0)
            assert programs[0].account.told()["requests"] == 0

    run(work())
