"""The gateway's file changes while the gateway serves."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from gateway_examples import CHAT, CONFIGURATION, QUESTION, SCRIPT, Collector, House, house, run, served, until

from karkhana.domain.money import usd
from karkhana.http.messages import Url
from karkhana.http.pool import Pool
from karkhana.routing.configuration import Configuration, read_configuration
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.gateway.clients import Clients, OpenHouse
from karkhana.routing.gateway.reloading import Reloading
from karkhana.routing.prices import PriceBook
from karkhana.routing.prices_shipped import price_book
from karkhana.storage.ledger_reading import LedgerReader

MORE = '[model.other]\ncandidates = ["cloud/small"]\n[price."cloud/small"]\ninput = "1"\noutput = "2"\n'


class Watched(NamedTuple):
    house: House
    file: Path
    reloading: Reloading
    text: str
    opened: list[bool]

    async def write(self, text: str) -> None:
        """And let it be seen, twice as it must be."""
        self.file.write_text(text)
        await self.reloading.look()
        await self.reloading.look()


@asynccontextmanager
async def watched(folder: Path, configuration: str = CONFIGURATION, script: str = SCRIPT) -> AsyncIterator[Watched]:
    async with house(folder, configuration=configuration, script=script) as h:
        text = configuration.replace("ADDRESS", h.provider_url)
        file = folder / "gateway.toml"
        file.write_text(text)
        opened: list[bool] = []

        def clients(open_to_all: bool) -> Clients:
            opened.append(open_to_all)
            return OpenHouse()

        running = read_configuration(text, environ={})
        reloading = Reloading(file, running, h.assembly, prices=price_book, clients=clients, environ={})
        yield Watched(h, file, reloading, text, opened)


async def _status(h: House, model: str) -> int:
    return (await h.ask(CHAT, QUESTION | {"model": model})).status


def test_a_changed_file_counts_for_the_next_request(tmp_path: Path) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            assert await _status(w.house, "other") == 404
            await w.write(w.text + MORE)
            assert await _status(w.house, "other") == 200
            await w.write(w.text)
            assert await _status(w.house, "other") == 404

    run(work())


def test_a_file_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            w.file.write_text(w.text + MORE[:20])
            await w.reloading.look()
            assert w.house.assembly.insight.loading.mistake == ""
            w.file.write_text(w.text + MORE)
            await w.reloading.look()
            assert await _status(w.house, "other") == 404
            await w.reloading.look()
            assert await _status(w.house, "other") == 200

    run(work())


@pytest.mark.parametrize("text", ["[gateway", "[gateway]\nport = 1\n", "[provider.x]\nwire = 'no'\nbase_url = 'h'\n"])
def test_a_mistake_is_told_and_changes_nothing(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            await w.write(text)
            assert await _status(w.house, "smart") == 200
            told = (await w.house.get("/health/details")).json
            assert "gateway.toml" in told["configuration"]["mistake"]
            assert "configuration_refused 1" in (await w.house.get("/metrics")).body.decode()
            # It is told once, not every second.
            await w.reloading.look()
            assert len([r for r in caplog.records if "from before is used" in r.message]) == 1
            await w.write(w.text + MORE)
            assert (await w.house.get("/health/details")).json["configuration"]["mistake"] == ""

    run(work())


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            w.file.unlink()
            await w.reloading.look()
            await w.reloading.look()
            assert "cannot be read" in w.house.assembly.insight.loading.mistake
            assert await _status(w.house, "smart") == 200

    run(work())


def _broken(configuration: Configuration) -> PriceBook:
    raise ZeroDivisionError(configuration)


def test_what_nobody_foresaw_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            w.reloading._prices = _broken
            await w.write(w.text + MORE)
            assert w.house.assembly.insight.loading.mistake.startswith("ZeroDivisionError")
            w.reloading._prices = price_book
            await w.write(w.text + MORE + "\n")
            assert await _status(w.house, "other") == 200

    run(work())
    assert [record.exc_info is not None for record in caplog.records] == [True, False]


def test_breakers_and_connections_of_what_did_not_change_stay(tmp_path: Path) -> None:
    script = '[[fault]]\nkind = "server_error"\nat = [1, 3]\n'
    second = '[provider.two]\nwire = "openai"\nbase_url = "ADDRESS/v1"\n[model.b]\ncandidates = ["two/large"]\n'

    async def work() -> None:
        async with watched(tmp_path, CONFIGURATION + second, script) as w:
            assert [await _status(w.house, model) for model in ("smart", "b")] == [200, 200]
            before = w.house.assembly.insight.caller
            assert {str(p): h.failed > 0 for p, h in before.breakers().items()} == {
                "cloud/large#0": True,
                "two/large#0": True,
            }
            await w.write(w.text.replace('[provider.two]\nwire = "openai"', '[provider.two]\nwire = "ollama"'))
            after = w.house.assembly.insight.caller
            assert after is not before
            assert after.providers["cloud"] is before.providers["cloud"]
            assert after.providers["two"] is not before.providers["two"]
            assert set(map(str, after.breakers())) == {"cloud/large#0"}

    run(work())


def test_the_cache_comes_goes_and_forgets_with_the_file(tmp_path: Path) -> None:
    exact = QUESTION | {"temperature": 0}

    async def work() -> None:
        async with watched(tmp_path) as w:

            async def told() -> list[str]:
                return [(await w.house.ask(CHAT, exact)).header("x-karkhana-cache") for _ in range(2)]

            cached = w.text + "[cache]\nentries = 5\n"
            assert await told() == ["", ""]
            await w.write(cached)
            assert await told() == ["miss", "hit"]
            await w.write(cached.replace('input = "3"', 'input = "4"'))
            assert await told() == ["miss", "hit"]
            await w.write(w.text)
            assert await told() == ["", ""]

    run(work())


def test_spans_follow_the_file(tmp_path: Path) -> None:
    first, second = Collector(), Collector()

    async def work() -> None:
        async with served(first) as one, served(second) as other, watched(tmp_path) as w:
            for address in (one, other):
                await w.write(w.text + f'[telemetry]\notlp = "{address}"\n')
                assert (await w.house.ask()).status == 200
            # What the first one was to get is sent before it is left.
            await until(lambda: len(first.spans) == 2)
            await w.write(w.text)
            await until(lambda: len(second.spans) == 2)
            assert w.house.assembly.insight.spans is None
            assert (await w.house.ask()).status == 200

    run(work())
    assert (len(first.spans), len(second.spans)) == (2, 2)


def test_prices_follow(tmp_path: Path) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            dear = w.text.replace('input = "3"', 'input = "30"')
            costs = [(await w.house.ask()).header("x-karkhana-cost-usd")]
            await w.write(dear)
            costs.append((await w.house.ask()).header("x-karkhana-cost-usd"))
            assert costs == ["0.000135", "0.000675"]

    run(work())


def test_a_request_under_way_ends_as_it_began(tmp_path: Path) -> None:
    script = SCRIPT + "[latency]\nfirst_s = 0.3\n"

    async def work() -> None:
        async with watched(tmp_path, script=script) as w:
            under_way = asyncio.ensure_future(w.house.ask())
            await until(lambda: w.house.asked == 1 or w.house.assembly.insight.tally.under_way == 1)
            await w.write(
                w.text.replace("[provider.cloud]", "[provider.cloud]\nconnections = 5").replace('"3"', '"30"')
            )
            assert not under_way.done()
            said = await under_way
            assert (said.status, said.header("x-karkhana-cost-usd")) == (200, "0.000135")
            assert await _status(w.house, "smart") == 200
            w.house.assembly.sweep()
            assert w.house.assembly._retired == []

    run(work())


def test_no_request_is_lost_and_no_money_miscounted_over_many_changes(tmp_path: Path) -> None:
    """Each change gives the provider new connections, so that the old ones end within requests under way."""

    async def work() -> None:
        async with watched(tmp_path, script=SCRIPT + "[latency]\nspread_s = 0.03\n") as w:
            statuses: list[int] = []

            async def ask(number: int) -> None:
                for _ in range(12):
                    body = QUESTION | {"stream": number % 2 == 0}
                    statuses.append((await w.house.ask(CHAT, body)).status)

            asking = asyncio.gather(*(ask(number) for number in range(12)))
            changes = 0
            while not asking.done():
                changes += 1
                await w.write(w.text.replace("[provider.cloud]", f"[provider.cloud]\nconnections = {20 + changes}"))
            await asking
            assert changes > 3
            assert statuses == [200] * 144
            insight = w.house.assembly.insight
            await until(lambda: insight.tally.under_way == 0)
            await insight.ledger.written()
            # What a slow machine sends a second time is charged with what was reserved.
            settled = LedgerReader(w.house.database).entries(state="settled")
            assert len(settled) == 144
            assert sum(entry.cost or 0 for entry in settled) == usd("0.000135") * 144
            assert insight.tally.places["cloud", "large"].cost == usd("0.000135") * 144
            w.house.assembly.sweep()
            assert w.house.assembly._retired == []

    run(work())


def test_an_address_counts_from_the_next_start_on_and_opens_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with watched(tmp_path) as w:
            await w.write(w.text.replace("port = 0", "port = 4321"))
            assert (await w.house.get("/health/details")).json["configuration"]["needs_restart"] == ["port"]
            w.reloading._serving = read_configuration(
                w.text.replace("open = true", 'host = "0.0.0.0"'), environ={}
            ).serving
            await w.write(w.text)
            # The file says open on loopback, but everybody is listened to.
            assert w.opened == [True, False]

    run(work())


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal here")
def test_a_hangup_reads_the_file_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with fake_provider(read_script(SCRIPT)) as (address, _), Pool() as pool:
            file = tmp_path / "gateway.toml"
            file.write_text(CONFIGURATION.replace("ADDRESS", address))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from karkhana.cli.main import main; main()", "gateway", "--config", str(file)),
                env=os.environ | {"KARKHANA_HOME": str(tmp_path / "home")},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                assert process.stdout is not None
                assert process.stderr is not None
                url = (await process.stdout.readline()).decode().split()[0]
                file.write_text(CONFIGURATION.replace("ADDRESS", address) + MORE)
                process.send_signal(signal.SIGHUP)
                assert b"is read anew" in await process.stderr.readline()
                listed = await pool.send("GET", Url.parse(f"{url}/v1/models"), [])
                assert b'"other"' in await listed.read(1 << 20)
            finally:
                pool.close()
                process.terminate()
                await process.wait()
            assert process.returncode == 0

    run(work())
