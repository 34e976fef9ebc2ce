"""``karkhana route``: each candidate in one sentence, also for past calls, and what is known of all."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from karkhana.domain.routes import RouteChoice, RouteOutcome
from karkhana.routing.policy.cascade import Offer, Stakes
from karkhana.routing.policy.choosing import Choice
from karkhana.routing.policy.posteriors import Beta
from karkhana.storage.database import open_database
from karkhana.storage.route_store import RouteStore

KARKHANA = Path(sys.executable).parent / "karkhana"
CONFIGURATION = """
[provider.p]
wire = "openai"
base_url = "http://127.0.0.1:1/v1"
[model.plain]
candidates = ["p/large"]
[model.auto]
candidates = ["p/large", "p/small", "p/tiny"]
policy = "cheap_first"
[capability."p/tiny"]
tools = false
residency = ["eu"]
[price."p/large"]
input = "3"
output = "15"
[price."p/small"]
input = "0.1"
output = "0.4"
[price."p/tiny"]
input = "0"
output = "0"
"""


def outcome(number: int, rung: str, passed: bool, task_type: str = "bugfix") -> RouteOutcome:
    return RouteOutcome(reference=f"r{number}", at=time.time(), pool="", task_type=task_type, rung=rung, passed=passed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)
    with open_database(None, tmp_path / "home") as database:
        store = RouteStore(database)
        for number in range(10):
            store.record(outcome(number, "symbolic", number < 4))
        for number in range(10, 25):
            store.record(outcome(number, "p/small", number >= 22))
        offers = (Offer("p/small", Beta(2, 2), cost=0.001), Offer("p/large", Beta(3, 1), cost=0.01))
        choice = Choice(offers=offers, left_out=(("p/tiny", "lacks tools"),), stakes=Stakes(0.05), drawn=True)
        kept = RouteChoice(
            call="c1",
            at=time.time(),
            key_id="k",
            pool="",
            entry="auto",
            task_type="docs",
            chosen="p/small",
            propensity=0.75,
            answered="p/large",
            reasons=msgspec.json.encode(choice).decode(),
        )
        store.keep([kept])
        store.report("c1", "k", True, time.time())
    return tmp_path


def said(folder: Path, *words: str, fails: int = 0) -> Any:
    done = carried_out(folder, *words, "--json")
    assert done.returncode == fails, done.stderr
    return json.loads(done.stdout)


def carried_out(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "KARKHANA_HOME": str(folder / "home"),
    }
    return subprocess.run(
        [KARKHANA, "route", *words], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )


def test_each_candidate_is_told_with_the_symbolic_engineer_first(folder: Path) -> None:
    found = said(folder, "explain", "--type", "bugfix", "--needs", "tools")
    assert (found["model"], found["policy"], found["task_type"]) == ("auto", "cheap_first", "bugfix")
    told = {each["rung"]: each for each in found["candidates"]}
    assert [each["rung"] for each in found["candidates"]] == ["symbolic", "p/large", "p/small", "p/tiny"]
    assert told["symbolic"]["why"].startswith("passes with 0.28 (4 of 10 did), costs nothing")
    assert (told["symbolic"]["place"], told["symbolic"]["cost_usd"]) == (1, 0)
    assert "(3 of 15 did), costs about $" in told["p/small"]["why"]
    assert (told["p/tiny"]["state"], told["p/tiny"]["why"]) == ("left_out", "left out: lacks tools")
    assert told["p/large"]["first"] + told["p/small"]["first"] == pytest.approx(1)


def test_another_type_has_another_order_and_text_changes_the_cost(folder: Path) -> None:
    short, long = (
        said(folder, "explain", "--type", "docs", "--text", "word " * count)["candidates"] for count in (10, 4000)
    )
    assert short[0]["rung"] == "p/tiny"
    costs = [next(each["cost_usd"] for each in told if each["rung"] == "p/large") for told in (short, long)]
    assert costs[1] - costs[0] == pytest.approx(3990 * 5 / 4 * 3e-6, rel=0.01)


def test_it_reads_like_a_page(folder: Path) -> None:
    lines = carried_out(folder, "explain", "--type", "bugfix").stdout.splitlines()
    assert lines[0] == "auto bugfix (cheap_first): an answer that passes is worth $0.05"
    assert lines[1].startswith(" 1  symbolic: passes with 0.28 (4 of 10 did), costs nothing")
    assert len(lines) == 5
    plain = carried_out(folder, "explain", "--model", "plain").stdout
    assert plain.startswith("plain (in_order)")
    # what is known of it comes from another type
    assert "p/large: passes with 0.84 (no outcome yet)" in plain
    assert "[first with" not in plain


def test_a_past_call_is_told_with_its_propensity_and_outcome(folder: Path) -> None:
    found = said(folder, "explain", "c1")
    assert (found["chosen"], found["propensity"], found["answered"], found["passed"]) == (
        "p/small",
        0.75,
        "p/large",
        True,
    )
    assert [each["state"] for each in found["candidates"]] == ["asked", "asked", "left_out"]
    text = carried_out(folder, "explain", "c1").stdout
    assert text.startswith("auto docs: p/small was chosen with propensity 0.75, p/large answered, and it passed")
    error = said(folder, "explain", "c9", fails=2)["error"]
    assert error["message"] == "no choice is kept for the call 'c9'"


def test_outcomes_are_listed(folder: Path) -> None:
    found = {(each["task_type"], each["rung"]): each for each in said(folder, "outcomes")["outcomes"]}
    assert sorted(found) == [("bugfix", "p/small"), ("bugfix", "symbolic"), ("docs", "p/large")]
    symbolic = found["bugfix", "symbolic"]
    assert (symbolic["passed"], symbolic["outcomes"]) == (4, 10)
    # fifteen later outcomes of the same type made these count less
    assert 6 < symbolic["weight"] < 8
    assert "4 of 10" in carried_out(folder, "outcomes").stdout


def test_without_a_configuration_the_symbolic_engineers_record_is_told(folder: Path) -> None:
    (folder / "gateway.toml").unlink()
    assert [each["rung"] for each in said(folder, "explain", "--type", "bugfix")["candidates"]] == ["symbolic"]
    assert "nobody to ask" in carried_out(folder, "explain", "--type", "deps").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "nobody"], "the model 'nobody' is not in the configuration"),
        (["--needs", "magic"], "nobody can need 'magic'"),
        (["--type", "two words"], "'two words' is no label"),
        (["--config", "elsewhere.toml"], "elsewhere.toml cannot be read"),
        (["--residency", "us"], "no candidate of 'auto' can answer this"),
    ],
)
def test_mistakes_are_told(folder: Path, words: list[str], message: str) -> None:
    assert message in said(folder, "explain", *words, fails=2)["error"]["message"]


def test_wording_is_learnt_from_lines(folder: Path) -> None:
    lines = [
        {
            "text": f"{'prove' if number % 2 else 'rename'} this, case {number}",
            "model": "p/small",
            "passed": number % 2 == 0,
        }
        for number in range(40)
    ]
    (folder / "lines.ndjson").write_text("\n".join(map(json.dumps, lines)))
    learnt = said(folder, "learn", "lines.ndjson", "--out", "w.model")
    assert learnt == {"file": "w.model", "models": ["p/small"], "texts": 40}
    (folder / "gateway.toml").write_text(CONFIGURATION + '[policy]\nwording = "w.model"\n')
    easy, hard = (
        {each["rung"]: each["chance"] for each in said(folder, "explain", "--text", text)["candidates"]}
        for text in ("rename this, case 3", "prove this, case 3")
    )
    assert easy["p/small"] - hard["p/small"] > 0.3
    assert easy["p/large"] == hard["p/large"]


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"text": 1}', "line 1: Expected `str`"), ('{"text": "a"}', "no model has 20 outcomes"), (None, "No such file")],
)
def test_lines_that_teach_nothing_are_refused(folder: Path, text: str | None, message: str) -> None:
    if text is not None:
        (folder / "lines.ndjson").write_text(text)
    assert message in said(folder, "learn", "lines.ndjson", fails=2)["error"]["message"]
