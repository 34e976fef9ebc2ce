"""The script in docs/fake-provider.md does what the page says."""

import asyncio
import re
from pathlib import Path

import pytest

from karkhana.domain.chat import ChatRequest, Message, Role, Text, ToolCall, ToolResult, Usage
from karkhana.http.pool import Pool
from karkhana.routing.fake.script import AnswerRule, FaultRule, Script, read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES

PAGE = (Path(__file__).parents[2] / "docs" / "fake-provider.md").read_text()
SCRIPT = re.findall(r"```toml\n(.*?)```", PAGE, re.S)[0]


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role=Role.USER, parts=(Text(text=text),)) for text in texts)


def test_the_example_does_what_the_page_says() -> None:
    async def work() -> None:
        async with fake_provider(read_script(SCRIPT)) as (address, program), Pool() as pool:
            provider = Provider("fake", WIRES["openai"], f"{address}/v1", (), pool)
            first = ChatRequest(model="large", messages=said("How is the weather?"))
            call = (await provider.ask(first, deadline_s=10)).calls[0]
            assert (call.name, call.arguments) == ("get_weather", '{"city": "Pune"}')
            result = Message(role=Role.USER, parts=(ToolResult(id=call.id, parts=(Text(text="rain"),)),))
            made = Message(role=Role.ASSISTANT, parts=(ToolCall(id=call.id, name=call.name, arguments=call.arguments),))
            second = ChatRequest(model="large", messages=(*first.messages, made, result))
            assert (await provider.ask(second, deadline_s=10)).text == "It rains in Pune."
            with pytest.raises(ProviderFault) as caught:
                await provider.ask(first, deadline_s=10)
            assert (caught.value.fault, caught.value.retry_after_s) == (Fault.RATE_LIMITED, 1.0)
            small = await provider.ask(ChatRequest(model="small", messages=said("hello")), deadline_s=10)
            assert (small.text, small.usage) == ("A short answer.", Usage(input=100, cache_read=900, output=4))
            echo = await provider.ask(ChatRequest(model="large", messages=said("hello")), deadline_s=10)
            assert echo.text == "hello"
            account = program.account.told()
            assert account["outcomes"] == {"answered": 4, "rate_limited": 1}
            # The small model has no price.
            assert account["usd"] is None
            assert account["models"]["large"]["usd"] is not None

    asyncio.run(asyncio.wait_for(work(), 20))


@pytest.mark.parametrize(
    "field",
    sorted(
        {name for kind in (Script, AnswerRule, FaultRule) for name in kind.__struct_fields__}
        - {"answer", "fault", "price"}
    ),
)
def test_every_field_is_in_the_manual(field: str) -> None:
    assert re.search(rf"`{field}\b|^{field} =|\[{field}\]", PAGE, re.M)


@pytest.mark.parametrize("wire", list(WIRES))
def test_every_wire_is_in_the_manual(wire: str) -> None:
    assert wire in PAGE
