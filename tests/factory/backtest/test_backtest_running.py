"""Back-tests of made-up histories: big commits of one person are mostly repaired a few days later."""

import random
from pathlib import Path

import pytest

from histories import History
from karkhana.domain.errors import EmptyRepository, InvalidInput, NotARepository
from karkhana.factory.backtest import backtest
from karkhana.factory.backtest.history import gather
from karkhana.factory.backtest.page import page
from karkhana.factory.backtest.running import _known
from karkhana.git import Repository

EVIL = "<script>alert(1)</script>"


def grown(root: Path, commits: int = 95) -> list[str]:
    """A history, too short for forests, in which one commit of five is bad and is repaired within three days."""
    random.seed(5)
    history = History(root)
    history.commit("first", {"m0.py": "x = 0\n"})
    for number in range(1, commits):
        path = f"src/m{number % 7}_{number}.py"
        bad = random.random() < 0.2
        lines = [f"value_{number}_{line} = {line}" for line in range(40 if bad else 4)]
        history.commit(f"Add {number} {EVIL}", {path: "\n".join(lines) + "\n"}, author="ben" if bad else "ann", days=4)
        if bad:
            lines[1] = f"value_{number}_1 = 'mended'"
            history.commit(f"Fix crash of {number}", {path: "\n".join(lines) + "\n"}, author="cem", days=2)
    return history.write()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    root = tmp_path_factory.mktemp("histories") / "shop"
    grown(root)
    return root


@pytest.fixture(scope="module")
def result(shop):
    return backtest(shop, limit=200, days=30)


def test_what_is_bad_is_found_and_told_apart(result):
    assert result.repository == "shop"
    assert result.bad >= 10
    assert result.forecast + result.warm_up + result.without_source + result.young <= result.commits
    assert result.measures.auc > 0.8
    assert result.measures.count == result.forecast == sum(one.count for one in result.calibration)
    assert sum(band.count for band in result.policy) == result.forecast
    assert sum(block.count for block in result.blocks) == result.forecast
    assert result.riskiest[0].risk >= result.riskiest[-1].risk
    assert all(one.bad and one.because == "fixed" for one in result.missed)


def test_models_learn_only_from_what_was_known(shop, result):
    gathered = gather(Repository.open(shop), 200, 30)
    middle = gathered.judged[len(gathered.judged) // 2].row.time
    known = _known(gathered, middle)
    assert known
    assert all(one.row.time + gathered.within <= middle for one, _ in known)
    assert [block.outcomes_known for block in result.blocks] == sorted(block.outcomes_known for block in result.blocks)
    assert result.blocks[0].outcomes_known <= result.warm_up


def test_thresholds_let_through_less_the_higher_they_are(result):
    deployed = [at.deployed for at in result.thresholds]
    assert deployed == sorted(deployed, reverse=True)
    assert "Learn-then-Test" in result.guarantee


def test_a_second_run_reads_what_the_first_one_kept(shop, tmp_path):
    seen = []
    first = backtest(shop, limit=120, days=30, home=tmp_path)
    kept = {path.name: path.stat().st_size for path in tmp_path.rglob("*.ndjson")}
    again = backtest(shop, limit=120, days=30, home=tmp_path, progress=lambda *what: seen.append(what))
    assert {path.name: path.stat().st_size for path in tmp_path.rglob("*.ndjson")} == kept
    assert len(kept) == 3
    assert (first.measures, first.blocks, first.riskiest) == (again.measures, again.blocks, again.riskiest)
    stages = [stage for stage, _, _ in seen]
    assert stages == sorted(stages, key=stages.index)
    assert seen[-1][1] == seen[-1][2]


def test_a_history_without_a_work_tree_will_do(shop, result):
    bare = backtest(shop / ".git", limit=200, days=30)
    assert bare.measures == result.measures


def test_the_page_holds_its_plots_and_nothing_from_elsewhere(result):
    text = page(result)
    assert text.count("<svg") == 4
    assert "prefers-color-scheme: dark" in text
    assert EVIL not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text
    assert "<script" not in text
    assert "nan" not in text


def test_short_empty_and_absent_histories_are_told(shop, tmp_path):
    with pytest.raises(InvalidInput, match="60 are needed"):
        backtest(shop, days=3650)
    with pytest.raises(InvalidInput, match="no commit"):
        backtest(shop, head="nowhere", days=30)
    with pytest.raises(NotARepository):
        backtest(tmp_path)
    History(tmp_path / "empty").write()
    with pytest.raises(EmptyRepository):
        backtest(tmp_path / "empty")
