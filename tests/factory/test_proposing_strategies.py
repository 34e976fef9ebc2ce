"""A strategy from its proposal to its first run: real stores, real calling of a model that drafts, then the real line.

The trials are made up, because a dozen runs of the line take a minute; ``benchmarks/strategies_line.py`` makes them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common import small_repository
from model_provider import PRICE, Provider, events_of, provider_at, says

from karkhana.domain import events as ev
from karkhana.domain.errors import ConfigurationError
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import Order, Status, TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.assembly import Factory
from karkhana.factory.configuration import load_settings
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.proposing import propose
from karkhana.factory.stores import open_stores
from karkhana.factory.strategies import pool
from karkhana.learning.proposing import Trialled
from karkhana.learning.shelf import Shelf, Standing
from karkhana.storage.route_store import RouteStore

FILES = {
    "area.py": "def area(width, height):\n    return width + height\n",
    "test_area.py": "from area import area\n\n\ndef test_oblong():\n    assert area(2, 5) == 10\n",
}
ADVICE = "Read the code that the failing test runs before you decide."
EDIT = ("edit_file", {"path": "area.py", "old": "width + height", "new": "width * height"})
PUSH = ("push_changes", {"title": "Multiply the sides", "summary": "area() added them."})
HEARS = f'instructions = "{ADVICE}"'
SCRIPT = (
    PRICE
    + f"""
[[answer]]
says = "^You write advice for a model"
text = '{{"text": "{ADVICE}"}}'
[[answer]]
says = "What its author says"
text = '{{"findings": []}}'
"""
    + "".join(says(turn, each, others=HEARS) for turn, each in enumerate((EDIT, ("run_tests", {}), PUSH), 1))
    + says(1, ("give_up", {"reason": "I do not know"}))
)


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provider_at(tmp_path, monkeypatch, SCRIPT) as made:
        made.start()
        yield made


def failed_before(repository: Path, count: int = 9) -> None:
    """Past tickets whose model gave up at once."""
    with open_stores() as stores:
        for number in range(count):
            order, settings = make_order(f"area() is wrong, {number}", repository, engineer="llm")
            _, claim = stores.tasks.add_and_claim(order, "before", settings.queue.lease_s)
            trail = stores.events.trail(claim.run_id, claim.epoch)
            plain = shipped()[0]
            chosen = ev.StrategyChosen(
                engineer="llm", attempt=1, strategy=plain, model="", propensity=1.0, options=(plain.key,)
            )
            for event in (
                ev.WorkspaceOpened(commit=order.commit, engineer="llm"),
                chosen,
                ev.EngineerAbstained(reason="I do not know", tried=(), question=""),
            ):
                trail.record(event)
            stores.runs.finish(claim.run_id, claim.epoch, Status.FAILED, b"{}")
            RouteStore(stores.database).record(
                RouteOutcome(
                    reference=f"strategy:{claim.run_id}:llm:1",
                    at=time.time(),
                    pool=pool(""),
                    task_type="bugfix",
                    rung=plain.key,
                    passed=False,
                )
            )


def hears(_factory: Factory, _lease_s: float, _order: Order, strategy: Strategy) -> Trialled:
    return Trialled(right=ADVICE in strategy.text, cost_usd=0.01)


@pytest.mark.slow
def test_what_a_model_drafted_is_admitted_and_chosen_by_the_next_run(provider: Provider, tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "repository", FILES)
    failed_before(repository)
    settings = load_settings({})
    proposal = propose(settings, TaskType.BUGFIX, trier=hears)
    assert proposal.kept is not None, proposal.reason
    assert (proposal.kept.standing, proposal.kept.author, proposal.kept.pattern) == (
        Standing.ADMITTED,
        "fake",
        "gave-up",
    )
    assert provider.requests() == 1
    figures = proposal.kept.figures
    assert figures is not None
    assert (figures.against, figures.tickets, figures.wins, figures.losses) == ("plain@1", 6, 6, 0)
    assert figures.cost_usd > 12 * 0.01, "drafting costs something too"

    order, settings = make_order("area() is wrong", repository, engineer="llm")
    done = work_in_foreground(order, settings, lambda _event: None)
    (chosen,) = [event for event in events_of(done.run_id) if isinstance(event, ev.StrategyChosen)]
    assert chosen.options == ("plain@1", "bugfix-gave-up@1")
    new = chosen.strategy.key == "bugfix-gave-up@1"
    assert (chosen.propensity if new else 1 - chosen.propensity) > 0.9, "outcomes speak against the other"
    assert ("+    return width * height" in done.diff) is new, "the provider answers by the strategy's text"


def test_the_catalogue_drafts_when_no_model_shall_or_can(provider: Provider, tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "repository", FILES)
    failed_before(repository)
    settings = load_settings({})

    def fails(_factory: Factory, _lease_s: float, _order: Order, _strategy: Strategy) -> Trialled:
        return Trialled(right=False)

    proposal = propose(settings, TaskType.BUGFIX, drafted_by="catalogue", trier=fails)
    assert proposal.kept is not None
    assert (proposal.kept.standing, proposal.kept.author) == (Standing.REJECTED, "catalogue")
    assert provider.requests() == 0
    assert [each.key for each in Shelf(settings.home, shipped()).usable(TaskType.BUGFIX)] == ["plain@1"]


@pytest.mark.slow
def test_a_model_that_is_away_is_replaced_by_the_catalogue(provider: Provider, tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "repository", FILES)
    failed_before(repository)
    provider.end()
    said: list[str] = []

    def helps(_factory: Factory, _lease_s: float, _order: Order, strategy: Strategy) -> Trialled:
        return Trialled(right="Do not give up" in strategy.text)

    proposal = propose(load_settings({}), TaskType.BUGFIX, trier=helps, said=said.append)
    assert proposal.kept is not None
    assert (proposal.kept.standing, proposal.kept.author) == (Standing.ADMITTED, "catalogue")
    assert said[0].startswith("catalogue instead of fake: the model fake does not answer")


def test_without_a_model_nothing_can_be_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(ConfigurationError, match="no language model"):
        propose(load_settings({}), TaskType.BUGFIX)
