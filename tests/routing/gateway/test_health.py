"""Who may see what of the gateway's health, and what stands there."""

import base64
from pathlib import Path

import pytest
from gateway_examples import CHAT, CONFIGURATION, QUESTION, Holders, closed, house, run

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.money import usd
from karkhana.domain.spending import Budget, Period
from karkhana.storage.budget_store import BudgetStore

INSIDE = ["/health/details", "/metrics"]


def test_everybody_may_ask_whether_it_works_and_learns_no_more(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path, configuration=closed(CONFIGURATION), clients=Holders()) as h:
            said = await h.get("/health")
            assert (said.status, said.json) == (200, {"status": "ok"})
            h.assembly.insight.ledger._failure = InfrastructureFailure("the disk is full")
            said = await h.get("/health")
            assert (said.status, said.json) == (503, {"status": "failing"})

    run(work())


@pytest.mark.parametrize("path", INSIDE)
def test_only_operators_see_more(tmp_path: Path, path: str) -> None:
    holders = Holders(("op", {}), ("ann", {}), ("gone", {"disabled": True}))
    operators = [holders.key_id("op"), holders.key_id("gone")]

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CONFIGURATION, operators), clients=holders) as h:
            for key in ("", holders.bearer("ann"), holders.bearer("gone"), "Bearer kk_no", "Basic %%%", "Basic eA=="):
                said = await h.get(path, authorization=key)
                assert said.status == 401, key
                assert said.header("www-authenticate").startswith("Basic ")
                assert b"cloud" not in said.body
            secret = holders.made["op"][0]
            basic = base64.b64encode(f"me:{secret}".encode()).decode()
            for key in (f"Bearer {secret}", f"Basic {basic}"):
                said = await h.get(path, authorization=key)
                assert said.status == 200
                assert secret.encode() not in said.body

    run(work())


@pytest.mark.parametrize("path", INSIDE)
def test_a_web_page_that_only_resolves_to_loopback_learns_nothing(tmp_path: Path, path: str) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            assert (await h.get(path)).status == 200
            port = h.url.rpartition(":")[2]
            headers = [(b"host", f"evil.example:{port}".encode())]
            assert h.assembly.app._aside._operates(headers) is False
            assert h.assembly.app._aside._operates([(b"host", b"[::1]:4000")]) is True
            assert h.assembly.app._aside._operates([]) is False

    run(work())


def test_the_details_say_what_is_wrong(tmp_path: Path) -> None:
    script = '[[fault]]\nkind = "unauthorised"\nevery = 1\n'

    async def work() -> None:
        async with house(tmp_path, script=script) as h:
            await h.ask(CHAT, QUESTION)
            store = BudgetStore(h.database)
            store.put(Budget(scope="team:a", period=Period.MONTH, hard=usd(0)))
            store.put(Budget(scope="team:b", period=Period.MONTH, hard=usd(5)))
            told = (await h.get("/health/details")).json
            assert told["status"] == "ok"
            (provider,) = told["providers"]
            assert (provider["name"], provider["models"], provider["failed"]) == ("cloud", ["large"], 1)
            assert list(told["resting_keys"]) == ["cloud/large#0"]
            assert told["breakers"][0]["state"] == "closed"
            assert [b["scope"] for b in told["budgets_near_their_end"]] == ["team:a"]
            assert told["configuration"]["mistake"] == ""

    run(work())


def test_a_browser_gets_a_page_in_which_nothing_is_markup_that_should_not_be(tmp_path: Path) -> None:
    text = CONFIGURATION.replace("cloud/large", "cloud/<script>alert(1)</script>")

    async def work() -> None:
        async with house(tmp_path, configuration=text) as h:
            await h.ask(CHAT, QUESTION)
            store = BudgetStore(h.database)
            store.put(Budget(scope="team:<b>", period=Period.MONTH, soft=usd("0")))
            h.assembly.insight.loading.refused("line 3: <i> is wrong")
            said = await h.get("/health/details", accept="text/html,*/*")
            page = said.body.decode()
            assert said.header("content-type").startswith("text/html")
            assert "default-src 'none'" in said.header("content-security-policy")
            assert "<script" not in page
            for shown in (
                "● Gateway: ok",
                "&lt;script&gt;",
                "● closed",
                "team:&lt;b&gt;",
                "line 3: &lt;i&gt; is wrong",
            ):
                assert shown in page
            assert "$" not in page.replace("$0", "")

    run(work())


def test_other_paths_are_told_as_such(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            assert (await h.get("/")).json == {"service": "karkhana gateway"}
            assert (await h.get("/v1/else")).status == 404
            assert (await h.get(CHAT)).status == 405
            assert (await h.ask("/health", {})).status == 404
            # Nobody reads what Claude Code tells of its use, and the connection goes on.
            for version in ("", "v2/"):
                said = await h.ask(f"/api/event_logging/{version}batch", {"events": ["x" * 100_000]})
                assert (said.status, said.json) == (200, {})
            assert (await h.ask()).status == 200

    run(work())
