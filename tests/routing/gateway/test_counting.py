"""How many tokens a prompt has, and which models a key may ask."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_examples import CONFIGURATION, QUESTION, Holders, closed, house, run, served

from karkhana.http.messages import value_of
from karkhana.http.reverse_proxy import body_of

COUNT = "/v1/messages/count_tokens"


class Counter:
    """An Anthropic provider that only counts."""

    def __init__(self, status: int, told: dict[str, Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any], bytes | None]] = []
        self._status = status
        self._told = told

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        body = json.loads(await body_of(receive, 1 << 20))
        self.asked.append((scope["path"], body, value_of(scope["headers"], b"anthropic-beta")))
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(self._told).encode()})


def test_an_estimate_is_given_when_no_provider_can_count(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            said = await h.ask(COUNT, QUESTION)
            assert said.status == 200
            assert said.json["input_tokens"] >= len(json.dumps(QUESTION)) // 4
            assert said.header("x-karkhana-count") == "estimate"
            assert h.asked == 0

    run(work())


@pytest.mark.parametrize(
    ("status", "told", "source"),
    [
        (200, {"input_tokens": 14}, "claude/opus"),
        (500, {"type": "error", "error": {"type": "api_error", "message": "no"}}, "estimate"),
        (200, {"tokens": "many"}, "estimate"),
    ],
)
def test_a_provider_of_that_wire_is_asked(tmp_path: Path, status: int, told: dict[str, Any], source: str) -> None:
    counter = Counter(status, told)

    async def work() -> None:
        async with served(counter) as address:
            text = f'[provider.claude]\nwire = "anthropic"\nbase_url = "{address}"\n'
            text += '[model.best]\ncandidates = ["claude/opus", "cloud/large"]\n'
            async with house(tmp_path, configuration=CONFIGURATION + text) as h:
                said = await h.ask(COUNT + "?beta=true", QUESTION | {"model": "best"}, anthropic_beta="b-1")
                assert said.header("x-karkhana-count") == source
                assert said.status == 200
                if source != "estimate":
                    assert said.json == {"input_tokens": 14}
                path, body, beta = counter.asked[0]
                assert path == COUNT
                assert (body["model"], beta) == ("opus", b"b-1")

    run(work())


def test_counting_and_listing_are_for_holders_of_keys_and_their_models(tmp_path: Path) -> None:
    holders = Holders(("ann", {"models": ("sm*",)}))
    more = '[model.other]\ncandidates = ["cloud/small"]\n'

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CONFIGURATION) + more, clients=holders) as h:
            ann = {"authorization": holders.bearer("ann")}
            assert (await h.ask(COUNT, QUESTION)).status == 401
            assert (await h.ask(COUNT, QUESTION, **ann)).status == 200
            assert (await h.ask(COUNT, QUESTION | {"model": "other"}, **ann)).status == 404
            assert (await h.ask(COUNT, {"messages": []}, **ann)).status == 400
            assert (await h.get("/v1/models")).status == 401
            assert [m["id"] for m in (await h.get("/v1/models", **ann)).json["data"]] == ["smart"]
            assert (await h.get("/v1/models/smart", **ann)).json["display_name"] == "smart"
            assert (await h.get("/v1/models/other", **ann)).status == 404

    run(work())
