"""What is counted, and that a scraper can read it."""

import math
import re
from collections import defaultdict
from pathlib import Path

from gateway_examples import CHAT, CONFIGURATION, QUESTION, Holders, closed, house, run, until

from karkhana.domain.money import usd
from karkhana.domain.spending import Budget, Period
from karkhana.routing.gateway.exposition import Exposition, Histogram
from karkhana.storage.budget_store import BudgetStore

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


def parsed(text: str) -> dict[str, float]:
    """All samples of a page, which must keep to the format."""
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    found: dict[str, float] = {}
    family = kind = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in kinds, "a family must not be torn apart"
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            kinds[name] = kind
            assert kind != "counter" or name.endswith("_total")
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        names = [family + suffix for suffix in SUFFIXES.get(kind, ("",))]
        assert match[1] in names, line
        assert line.rpartition(" ")[0] not in found, line
        value = float(match[3])
        assert math.isfinite(value)
        found[line.rpartition(" ")[0]] = value
    _buckets_grow(found)
    return found


def _buckets_grow(found: dict[str, float]) -> None:
    series = defaultdict(list)
    for name, value in found.items():
        if "_bucket{" in name:
            series[re.sub(r',?le="[^"]*"', "", name)].append(value)
    for name, values in series.items():
        assert values == sorted(values)
        assert values[-1] == found[name.replace("_bucket{", "_count{").replace("{}", "")]


def test_labels_and_buckets_are_written_as_the_format_wants_them() -> None:
    page = Exposition()
    page.family("a_total", "counter", "x")
    page.sample("a_total", 1, name='quote " slash \\ line \n end')
    page.family("b", "histogram", "y")
    times = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        times.add(seconds)
    page.histogram("b", times, wire="w")
    found = parsed(page.text())
    assert found['b_bucket{wire="w",le="0.1"}'] == 2
    assert found['b_bucket{wire="w",le="+Inf"}'] == 4
    assert found['b_sum{wire="w"}'] == 7.65


def test_everything_that_happens_is_counted(tmp_path: Path) -> None:
    script = """
[[fault]]
kind = "server_error"
at = [1]
[[answer]]
text = "It is four."
usage = {input = 20, cache_read = 100, output = 5}
"""

    async def work() -> None:
        async with house(tmp_path, configuration=CONFIGURATION + "[cache]\nentries = 9\n", script=script) as h:
            for _ in range(2):
                assert (await h.ask(CHAT, QUESTION | {"temperature": 0})).status == 200
            said = await h.get("/metrics")
            assert said.header("content-type").startswith("text/plain; version=0.0.4")
            found = parsed(said.body.decode())
            place = 'provider="cloud",model="large"'
            for name, value in {
                'requests_total{wire="openai",status="200"}': 2,
                "requests_under_way": 0,
                f'attempts_total{{{place},outcome="answered",fault=""}}': 1,
                f'attempts_total{{{place},outcome="failed",fault="server_error"}}': 1,
                f'tokens_total{{{place},kind="input"}}': 20,
                f'tokens_total{{{place},kind="cache_read"}}': 100,
                f'tokens_total{{{place},kind="output"}}': 5,
                f"cost_usd_total{{{place}}}": 0.000435,
                f"hedges_total{{{place}}}": 0,
                f"first_byte_seconds_count{{{place}}}": 1,
                f'breaker_state{{{place},key="0",state="closed"}}': 1,
                f'breaker_state{{{place},key="0",state="open"}}': 0,
                'cache_requests_total{result="hit"}': 1,
                'cache_requests_total{result="miss"}': 1,
                "cache_entries": 1,
                "ledger_failures_total": 0,
                "configuration_refused": 0,
            }.items():
                assert found[f"karkhana_gateway_{name}"] == value, name
            assert found["karkhana_gateway_ledger_seconds_count"] >= 2
            assert found["karkhana_gateway_ledger_seconds_sum"] > 0

    run(work())


def test_names_that_clients_make_up_are_no_labels(tmp_path: Path) -> None:
    async def work() -> None:
        async with house(tmp_path) as h:
            for number in range(5):
                await h.ask(CHAT, QUESTION | {"model": f'cloud/"made up {number}'})
            text = (await h.get("/metrics")).body.decode()
            assert "made up" not in text
            found = parsed(text)
            other = 'karkhana_gateway_attempts_total{provider="cloud",model="other",outcome="answered",fault=""}'
            assert found[other] == 5
            assert "made up" not in (await h.get("/health/details")).body.decode()

    run(work())


def test_refusals_are_counted_by_their_reason(tmp_path: Path) -> None:
    holders = Holders(("ann", {"requests_per_minute": 1}), ("bob", {"models": ("x",)}), ("eve", {}))

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CONFIGURATION), clients=holders) as h:
            limit = Budget(scope=f"key:{holders.key_id('eve')}", period=Period.TOTAL, hard=usd("0.0000001"))
            BudgetStore(h.database).put(limit)
            eve = holders.bearer("eve")
            asked = [*map(holders.bearer, ("ann", "ann", "bob", "eve")), "Bearer kk_nobody"]
            statuses = [(await h.ask(authorization=key)).status for key in asked]
            statuses.append((await h.ask(CHAT, QUESTION | {"model": "cloud/x"}, authorization=eve)).status)
            assert statuses == [200, 429, 404, 402, 401, 403]
            counted = dict(h.assembly.insight.tally.refusals)
            assert counted == {"rate_limit": 1, "model": 1, "budget": 1, "key": 1, "unpriced": 1}

    run(work())


def test_a_soft_limit_warns_those_whose_it_is(tmp_path: Path, caplog: object) -> None:
    holders = Holders(("ann", {"team": "web"}), ("eve", {"team": "ops"}))

    async def work() -> None:
        async with house(tmp_path, configuration=closed(CONFIGURATION), clients=holders) as h:
            store = BudgetStore(h.database)
            store.put(Budget(scope="team:web", period=Period.MONTH, soft=usd("0.0002"), hard=usd(5)))
            ask = {"max_tokens": 5} | QUESTION
            told = []
            for stream in (False, False, True):
                said = await h.ask(CHAT, ask | {"stream": stream}, authorization=holders.bearer("ann"))
                assert said.status == 200
                told.append(said.header("x-karkhana-budget-warning"))
                await until(lambda: h.assembly.insight.tally.under_way == 0)
            assert told[0].startswith('scope="team:web";period=month;used=0.000')
            assert told[2].endswith(";soft=0.0002;hard=5")
            assert (await h.ask(CHAT, ask, authorization=holders.bearer("eve"))).header(
                "x-karkhana-budget-warning"
            ) == ""
            assert dict(h.assembly.insight.tally.warnings) == {"team": sum(map(bool, told))}

    run(work())
    records = [r for r in caplog.records if "soft limit" in r.getMessage()]  # type: ignore[attr-defined]
    assert len(records) == 1
    assert "team:web has used" in records[0].getMessage()
