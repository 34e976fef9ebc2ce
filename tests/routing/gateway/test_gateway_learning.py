"""What was learnt stays when the configuration changes, as long as its policy does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_examples import house, run

from karkhana.domain.errors import ConfigurationError
from karkhana.domain.spending import Account
from karkhana.routing.attempt import Place
from karkhana.routing.configuration import Configuration, read_configuration
from karkhana.routing.gateway.asking import Asking
from karkhana.routing.gateway.choosing import Choosing, Wish
from karkhana.routing.gateway.clients import OpenHouse
from karkhana.routing.gateway.doors import peek
from karkhana.routing.gateway.learning import Learning
from karkhana.routing.policy.wording_corpus import Corpus
from karkhana.routing.policy.wording_training import fit
from karkhana.routing.prices_shipped import price_book
from karkhana.routing.wires.registry import WIRES
from karkhana.storage.database import Database, open_database
from karkhana.storage.route_store import RouteStore

TEXT = """
[provider.p]
wire = "openai"
base_url = "http://127.0.0.1:1/v1"
[model.auto]
candidates = ["p/large", "p/small"]
policy = "cheap_first"
[price."p/large"]
input = "3"
output = "15"
[price."p/small"]
input = "0.1"
output = "0.4"
[policy]
exploration = false
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(None, tmp_path) as opened:
        yield opened


def read(text: str) -> Configuration:
    return read_configuration(text, environ={})


def choosing(learning: Learning, text: str) -> Choosing:
    configuration = read(text)
    return learning.choosing(configuration, price_book(configuration))


def first(found: Choosing, words: str) -> str:
    """The model that is asked first."""
    body = b'{"model":"auto","messages":[{"role":"user","content":"%s"}]}' % words.encode()
    seen = peek(body)
    wish = Wish(f"call {words}", Account(), [], body, seen, 1000, Asking(WIRES["openai"], "/x", body, seen, []))
    return str(found.candidates(wish)[0])


def test_a_notebook_stays_until_the_policy_changes(database: Database) -> None:
    async def work() -> None:
        learning = Learning(database)
        kept = choosing(learning, TEXT).notebook
        await learning.settle()
        assert choosing(learning, TEXT.replace('"3"', '"4"')).notebook is kept
        await learning.settle()
        changed = choosing(learning, TEXT + "discount = 0.9\n").notebook
        assert changed is not kept
        await learning.settle()
        assert choosing(learning, TEXT.replace("cheap_first", "in_order")).notebook is None
        await learning.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_calls_under_way_are_kept_when_the_policy_changes(database: Database) -> None:
    async def work() -> None:
        learning = Learning(database)
        before = choosing(learning, TEXT)
        await learning.settle()
        first(before, "hello")
        choosing(learning, TEXT + "discount = 0.9\n")
        await learning.settle()
        before.over("call hello", Place("p", "small", "0"))
        await learning.close()

    asyncio.run(asyncio.wait_for(work(), 20))
    kept = RouteStore(database).choice("call hello")
    assert kept is not None
    assert kept.answered == "p/small"


def test_the_wording_of_a_request_moves_the_choice(database: Database, tmp_path: Path) -> None:
    easy, hard = "Rename the variable in this simple function", "Prove the theorem about primes and integrals"
    texts = [f"{hard if number % 2 else easy}, case {number}" for number in range(120)]
    outcomes = {number: {"p/small": number % 2 == 0} for number in range(120)}
    path = tmp_path / "wording.model"
    fit(Corpus.of(texts, vectors=5), outcomes).save(path)
    learning = Learning(database)
    blind, seeing = choosing(learning, TEXT), choosing(learning, f'{TEXT}wording = "{path}"\n')
    assert [first(blind, words) for words in (easy, hard)] == ["p/small", "p/small"]
    assert [first(seeing, words) for words in (easy, hard)] == ["p/small", "p/large"]


def test_a_model_of_the_wording_that_cannot_be_read_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model of the wording"):
        choosing(Learning(database), f'{TEXT}wording = "{tmp_path / "none"}"\n')


def test_a_policy_that_is_loaded_while_serving_is_followed_and_learns(tmp_path: Path) -> None:
    before = TEXT.replace("http://127.0.0.1:1", "ADDRESS").replace(
        "[provider.p]", "[gateway]\nopen = true\n[provider.p]"
    )
    before = before.replace("cheap_first", "in_order")
    body = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}

    async def work() -> None:
        async with house(tmp_path, configuration=before, script="") as h:
            plain = await h.ask(body=body)
            after = read(before.replace("ADDRESS", h.provider_url).replace("in_order", "cheap_first"))
            await h.assembly.reload(after, price_book(after), OpenHouse())
            chosen = await h.ask(body=body)
            routes = [said.header("x-karkhana-route") for said in (plain, chosen)]
            assert routes == ["p/large", "p/small"]
            word = {"call": chosen.header("x-karkhana-call"), "passed": False}
            assert (await h.ask("/v1/karkhana/outcomes", word)).status == 200
            notebook = h.assembly._choosing.notebook
            assert notebook is not None
            assert notebook.habits.of("p/small").calls == 1
            assert [subject.rung for subject in notebook.posteriors.subjects()] == ["p/small"]

    run(work())
