import asyncio
import json
from typing import Any

import pytest
from calling_examples import provided, question, run

from karkhana.domain.chat import Format, Usage
from karkhana.http.messages import Url
from karkhana.http.pool import Pool
from karkhana.routing.fake.program import PATHS
from karkhana.routing.fake.script import Kind, read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CHAT = "/v1/chat/completions"


async def talk(pool: Pool, address: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    answer = await pool.send("GET" if body is None else "POST", Url.parse(address + path), sent, body)
    text = await answer.read(1 << 20)
    return answer.status, json.loads(text) if text.startswith(b"{") else text


def test_every_wire_has_its_path() -> None:
    assert set(WIRES) <= set(PATHS.values())


@pytest.mark.parametrize("wire", list(WIRES))
def test_every_wire_is_spoken_with_its_keys(wire: str) -> None:
    async def work() -> None:
        script = 'keys = ["right"]\nmodels = ["m"]'
        async with provided(script, wire, ["right"]) as (provider, _):
            request = question(format=Format(schema={"type": "object", "properties": {"a": {"const": 5}}}))
            assert json.loads((await provider.ask(request, deadline_s=5)).text) == {"a": 5}
            with pytest.raises(ProviderFault) as caught:
                await provider.ask(question(model="other"), deadline_s=5)
            assert caught.value.fault is Fault.UNKNOWN_MODEL
        if wire == "ollama":
            return  # it has no keys
        async with provided(script, wire, ["wrong"]) as (provider, _):
            with pytest.raises(ProviderFault) as caught:
                await provider.ask(question(), deadline_s=5)
            assert caught.value.fault is Fault.UNAUTHORISED

    run(work())


def test_models_and_unknown_paths_are_answered() -> None:
    async def work() -> None:
        async with fake_provider(read_script('models = ["a", "b"]')) as (address, _), Pool() as pool:
            status, found = await talk(pool, address, "/v1/models")
            assert (status, [model["id"] for model in found["data"]]) == (200, ["a", "b"])
            status, found = await talk(pool, address, "/v2/sing", b"{}")
            assert status == 404
            assert "openai" in found["error"]["message"]

    run(work())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"model":"m","messages":[]}', b"[" * 100_000, b"\xff"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    async def work() -> None:
        async with fake_provider(read_script("")) as (address, program), Pool() as pool:
            status, found = await talk(pool, address, CHAT, body)
            assert (status, found["error"]["type"]) == (400, "invalid_request_error")
            assert program.account.told()["outcomes"] == {"invalid": 1}

    run(work())


def test_a_refusal_says_when_to_come_back() -> None:
    async def work() -> None:
        script = '[[fault]]\nkind = "rate_limited"\nevery = 1\nretry_after_s = 1.5\nmessage = "slow down"'
        async with fake_provider(read_script(script)) as (address, _), Pool() as pool:
            url = Url.parse(address + CHAT)
            answer = await pool.send("POST", url, [], json.dumps(HELLO).encode())
            headers = dict(answer.headers)
            assert (answer.status, headers[b"retry-after"], headers[b"retry-after-ms"]) == (429, b"2", b"1500")
            assert b"slow down" in await answer.read(10_000)

    run(work())


def test_a_fault_can_have_another_status() -> None:
    async def work() -> None:
        script = '[[fault]]\nkind = "overloaded"\nevery = 1\nstatus = 529'
        async with fake_provider(read_script(script)) as (address, _), Pool() as pool:
            assert (await talk(pool, address, CHAT, json.dumps(HELLO).encode()))[0] == 529

    run(work())


@pytest.mark.parametrize("wire", list(WIRES))
def test_a_wrong_usage_is_told_but_not_charged(wire: str) -> None:
    async def work() -> None:
        script = '[[fault]]\nkind = "wrong_usage"\nevery = 1\nusage = {input = 1, output = 2}'
        async with provided(script, wire) as (provider, program):
            answer = await provider.ask(question(), deadline_s=5)
            assert answer.usage == Usage(input=1, output=2)
            assert program.account.told()["usage"]["input"] == 14

    run(work())


async def read(provider: Provider, *, stream: bool) -> None:
    if stream:
        async for _ in await provider.stream(question(), deadline_s=5):
            pass
    else:
        await provider.ask(question(), deadline_s=5)


@pytest.mark.parametrize(
    ("kind", "stream", "output"),
    [("half", True, range(3, 9)), ("half", False, range(11, 12)), ("malformed_json", False, range(11, 12))],
)
def test_what_broke_off_is_charged_as_far_as_it_came(kind: str, stream: bool, output: range) -> None:
    async def work() -> None:
        script = f'[latency]\npiece_chars = 4\n[[fault]]\nkind = "{kind}"\nevery = 1'
        for more, charged in (("", True), ("charge_unfinished = false\n", kind == "malformed_json")):
            async with provided(more + script) as (provider, program):
                with pytest.raises(ProviderFault):
                    await read(provider, stream=stream)
                usage = program.account.told()["usage"]
                assert (usage["output"] in output) if charged else usage["output"] == 0
                assert program.account.told()["outcomes"] == {kind: 1}

    run(work())


def test_a_client_that_leaves_is_noticed_and_charged() -> None:
    async def work() -> None:
        async with provided("[latency]\nfirst_s = 30") as (provider, program):
            with pytest.raises(ProviderFault):
                await provider.ask(question(), deadline_s=0.1)
            await asyncio.sleep(0.1)
            assert program.account.told()["outcomes"] == {"left": 1}
            assert program.account.told()["usage"]["output"] == 11

    run(work())


def test_the_account_is_told_by_http() -> None:
    async def work() -> None:
        script = '[price.m]\ninput = "1"\noutput = "2"'
        async with fake_provider(read_script(script)) as (address, program), Pool() as pool:
            await talk(pool, address, CHAT, json.dumps(HELLO).encode(), x_client_request_id="mine-1")
            status, found = await talk(pool, address, "/fake/account")
            assert (status, found) == (200, program.account.told())
            assert found["usd"] == "0.000009"
            assert (await talk(pool, address, "/fake/account/mine-1"))[1]["usd"] == "0.000009"
            assert (await talk(pool, address, "/fake/account/mine-2"))[0] == 404

    run(work())


def test_every_kind_is_in_the_manual(pytestconfig: pytest.Config) -> None:
    manual = (pytestconfig.rootpath / "docs" / "fake-provider.md").read_text()
    assert [kind.value for kind in Kind if f"`{kind.value}`" not in manual] == []
